//! What shadow arms would have decided.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use fcs_core::ApiError;
use fcs_decision::shadow::{Comparison, Side};
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;
use fcs_service::problem::{Problem, ProblemJson, reason};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Http, schema};
use crate::app::decisions::REPLAY_TIMEOUT;
use crate::app::shadow::ShadowSummary;
use crate::store::ShadowDecision;

/// One shadow arm.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(super) struct ArmPath {
    /// Name of the shadow arm.
    #[param(min_length = 1, max_length = 32)]
    arm: String,
}

/// Which results to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only decisions with a greater log index.
    #[serde(default)]
    #[param(required = false)]
    after_index: u64,
    /// Results of the page at most; 0 means 100.
    #[serde(default)]
    #[param(required = false, maximum = 1000)]
    page_size: u32,
}

/// Which results to compare.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RangeQuery {
    /// Only decisions with a greater log index.
    #[serde(default)]
    #[param(required = false)]
    after_index: u64,
    /// Only decisions up to this log index; 0 means all.
    #[serde(default)]
    #[param(required = false)]
    up_to_index: u64,
}

/// What one side decided.
#[derive(Debug, Serialize, ToSchema)]
struct ShadowSide {
    /// `name/version`.
    model: String,
    outcome: &'static str,
    /// 0 for an incomplete application, as the probability is.
    score: i32,
    probability: f64,
    /// Codes of the principal reasons, most important first; of the live side only beside a result.
    reason_codes: Vec<String>,
    /// SHA-256 of the record; for a shadow arm of the one that it would have written.
    record_digest: String,
}

/// A live decision with what the shadow arm would have decided, or why that is not known.
#[derive(Debug, Serialize, ToSchema)]
struct ShadowResult {
    log_index: u64,
    live_arm: String,
    live: ShadowSide,
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<ShadowSide>,
    /// `backlog`, `deadline`, `unavailable`, `inputs` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<&'static str>,
}

/// A page of results.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ShadowPage {
    decisions: Vec<ShadowResult>,
    /// Every sampled decision up to this log index has its result, or says why it was dropped.
    complete_up_to: u64,
}

/// How often a pair of outcomes occurs.
#[derive(Debug, Serialize, ToSchema)]
struct ShadowOutcomes {
    live: &'static str,
    shadow: &'static str,
    decisions: u64,
}

/// Why sampled decisions have no result.
#[derive(Debug, Serialize, ToSchema)]
struct ShadowDropped {
    reason: &'static str,
    decisions: u64,
}

/// Decisions in which only one side gave a reason.
#[derive(Debug, Serialize, ToSchema)]
struct ShadowReason {
    code: String,
    added: u64,
    removed: u64,
}

/// The shadow's score minus the live one, over the decisions with both.
#[derive(Debug, Serialize, ToSchema)]
struct ShadowDifference {
    decisions: u64,
    minimum: i64,
    p05: i64,
    p25: i64,
    median: i64,
    p75: i64,
    p95: i64,
    maximum: i64,
    mean: f64,
}

/// A shadow arm compared with the live decisions that it shadowed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ShadowComparison {
    /// `name/version` of the arm's model.
    model: String,
    /// The log indices that were looked at, the first one excluded.
    after_index: u64,
    up_to_index: u64,
    /// Decisions with a result.
    scored: u64,
    dropped: Vec<ShadowDropped>,
    /// Every pair of outcomes that occurs; where both differ, they are the swap sets.
    outcomes: Vec<ShadowOutcomes>,
    /// Decisions whose principal reasons differ, in their codes or their order.
    reasons_changed: u64,
    reasons: Vec<ShadowReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score_difference: Option<ShadowDifference>,
}

impl From<Side> for ShadowSide {
    fn from(side: Side) -> Self {
        Self {
            model: side.model.to_string(),
            outcome: side.outcome.as_str(),
            score: side.score,
            probability: side.probability,
            reason_codes: side.reason_codes,
            record_digest: side.record_digest.to_string(),
        }
    }
}

impl From<ShadowDecision> for ShadowResult {
    fn from(decision: ShadowDecision) -> Self {
        Self {
            log_index: decision.log_index,
            live_arm: decision.live_arm,
            live: decision.live.into(),
            dropped: decision.result.as_ref().err().map(|reason| reason.as_str()),
            shadow: decision.result.ok().map(ShadowSide::from),
        }
    }
}

impl From<ShadowSummary> for ShadowComparison {
    fn from(summary: ShadowSummary) -> Self {
        let comparison = &summary.comparison;
        let outcomes = comparison
            .outcomes
            .iter()
            .map(|((live, shadow), count)| ShadowOutcomes {
                live: live.as_str(),
                shadow: shadow.as_str(),
                decisions: *count,
            });
        let dropped = comparison
            .dropped
            .iter()
            .map(|(reason, count)| ShadowDropped {
                reason: reason.as_str(),
                decisions: *count,
            });
        let reasons = comparison
            .reasons
            .iter()
            .map(|(code, change)| ShadowReason {
                code: code.clone(),
                added: change.added,
                removed: change.removed,
            });
        Self {
            model: summary.progress.model.to_string(),
            after_index: summary.after_index,
            up_to_index: summary.up_to_index,
            scored: comparison.scored(),
            dropped: dropped.collect(),
            outcomes: outcomes.collect(),
            reasons_changed: comparison.reasons_changed,
            reasons: reasons.collect(),
            score_difference: difference(comparison),
        }
    }
}

fn difference(comparison: &Comparison) -> Option<ShadowDifference> {
    let percentile = |percent| comparison.difference_percentile(percent);
    Some(ShadowDifference {
        decisions: comparison.differences(),
        minimum: percentile(0)?,
        p05: percentile(5)?,
        p25: percentile(25)?,
        median: percentile(50)?,
        p75: percentile(75)?,
        p95: percentile(95)?,
        maximum: percentile(100)?,
        mean: comparison.difference_mean()?,
    })
}

/// List what a shadow arm would have decided
///
/// Each result with its live decision, in the order of the log index. The next page begins after the last index.
#[utoipa::path(
    get, path = "/v1/shadow/{arm}/decisions", tag = "shadow",
    params(ArmPath, ListQuery),
    responses(
        (status = 200, description = "One page", body = ShadowPage),
        schema::ReadProblems,
    )
)]
pub(super) async fn list(
    State(http): State<Http>,
    caller: Principal,
    Path(arm): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<ProblemJson<ShadowPage>, Problem> {
    let Query(query) = query.map_err(invalid)?;
    let page = http
        .shadows
        .list(&caller.tenant, &arm, query.after_index, query.page_size)
        .await?;
    Ok(ProblemJson(ShadowPage {
        decisions: page.decisions.into_iter().map(ShadowResult::from).collect(),
        complete_up_to: page.complete_up_to,
    }))
}

/// Compare a shadow arm with the live decisions
///
/// Swap sets, changes of the principal reasons, and percentiles of the score difference, for the arm's present model.
#[utoipa::path(
    get, path = "/v1/shadow/{arm}/summary", tag = "shadow",
    params(ArmPath, RangeQuery),
    responses(
        (status = 200, description = "The comparison", body = ShadowComparison),
        schema::ReadProblems,
    )
)]
pub(super) async fn summarise(
    State(http): State<Http>,
    caller: Principal,
    Path(arm): Path<String>,
    query: Result<Query<RangeQuery>, QueryRejection>,
) -> Result<ProblemJson<ShadowComparison>, Problem> {
    let Query(query) = query.map_err(invalid)?;
    let range = (query.after_index, query.up_to_index);
    let deadline = Deadline::after(REPLAY_TIMEOUT);
    let summary = http
        .shadows
        .summarise(&caller.tenant, &arm, range, deadline)
        .await?;
    Ok(ProblemJson(summary.into()))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "map_err hands it over by value"
)]
fn invalid(rejection: QueryRejection) -> ApiError {
    ApiError::invalid(reason::INVALID_REQUEST, rejection.body_text(), vec![])
}
