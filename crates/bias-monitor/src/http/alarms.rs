//! Verdicts and alerts over HTTP.

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use fcs_fairness::alarm::{Alarm, Entry};
use fcs_fairness::anytime::watch::Judgement;
use fcs_fairness::policy::PolicyDocument;
use fcs_service::auth::Principal;
use fcs_service::problem::{Problem, ProblemJson};
use serde::{Deserialize, Serialize};

use super::bad_query;
use crate::app::alarms::{Action, Alarms, watched_group};
use crate::app::evidence::{Watched, WatchedGroup};
use crate::store::{Standing, StoredNews};

/// The routes under `/v1`.
pub(crate) fn routes(alarms: Alarms) -> Router {
    Router::new()
        .route("/v1/verdicts", get(verdicts))
        .route("/v1/alerts", get(alerts))
        .route("/v1/policy", get(policy))
        .route("/v1/alerts:acknowledge", post(acknowledge))
        .route("/v1/alerts:mute", post(mute))
        .route("/v1/alerts:unmute", post(unmute))
        .with_state(alarms)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerdictsQuery {
    #[serde(default)]
    model: String,
}

#[derive(Serialize)]
struct VerdictsBody {
    last_index: u64,
    verdicts: Vec<VerdictBody>,
}

#[derive(Serialize)]
struct GroupBody {
    model: String,
    /// The model that decided, where `model` is in the shadow and the gap between the groups is watched; else null.
    baseline_model: Option<String>,
    attribute: String,
    group: String,
}

/// What is known of a group; `judgement` is null until the policy in force had its first look.
#[derive(Serialize)]
struct VerdictBody {
    #[serde(flatten)]
    group: GroupBody,
    /// Whether the evidence is from probabilities; then nothing is ever cleared.
    by_proxy: bool,
    judgement: Option<Judgement>,
    alarm: Alarm,
}

async fn verdicts(
    State(alarms): State<Alarms>,
    query: Result<Query<VerdictsQuery>, QueryRejection>,
) -> Result<ProblemJson<VerdictsBody>, Problem> {
    let Query(query) = query.map_err(|_| bad_query("the parameter is model; there is no other"))?;
    let Standing {
        last_index,
        watched,
    } = alarms.verdicts(query.model).await?;
    let verdicts = watched.into_iter().map(verdict).collect();
    Ok(ProblemJson(VerdictsBody {
        last_index,
        verdicts,
    }))
}

fn verdict((id, known): (WatchedGroup, Watched)) -> VerdictBody {
    VerdictBody {
        group: group(&id),
        by_proxy: known.is_by_proxy(),
        judgement: known.judgement,
        alarm: known.alarm,
    }
}

fn group(id: &WatchedGroup) -> GroupBody {
    GroupBody {
        model: id.model.to_string(),
        baseline_model: id.baseline.as_ref().map(ToString::to_string),
        attribute: id.attribute.as_str().to_owned(),
        group: id.group.as_str().to_owned(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertsQuery {
    #[serde(default)]
    after_sequence: u64,
}

#[derive(Serialize)]
struct AlertsBody {
    entries: Vec<EntryBody>,
}

#[derive(Serialize)]
struct EntryBody {
    sequence: u64,
    #[serde(flatten)]
    group: GroupBody,
    entry: Entry,
}

async fn alerts(
    State(alarms): State<Alarms>,
    query: Result<Query<AlertsQuery>, QueryRejection>,
) -> Result<ProblemJson<AlertsBody>, Problem> {
    let rule = "the parameter is after_sequence, a number from 0 on; there is no other";
    let Query(query) = query.map_err(|_| bad_query(rule))?;
    let entries = alarms.news(query.after_sequence).await?;
    let entries = entries
        .into_iter()
        .map(|StoredNews { sequence, news }| EntryBody {
            sequence,
            group: group(&news.watched),
            entry: news.entry,
        });
    Ok(ProblemJson(AlertsBody {
        entries: entries.collect(),
    }))
}

#[derive(Serialize)]
struct PolicyBody {
    digest: String,
    document: PolicyDocument,
}

async fn policy(State(alarms): State<Alarms>) -> ProblemJson<PolicyBody> {
    let policy = alarms.policy();
    ProblemJson(PolicyBody {
        digest: policy.digest().to_string(),
        document: policy.document().clone(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcknowledgeBody {
    model: String,
    #[serde(default)]
    baseline_model: String,
    attribute: String,
    group: String,
    note: String,
}

async fn acknowledge(
    State(alarms): State<Alarms>,
    caller: Principal,
    ProblemJson(body): ProblemJson<AcknowledgeBody>,
) -> Result<StatusCode, Problem> {
    let id = watched_group(
        &body.model,
        &body.baseline_model,
        &body.attribute,
        &body.group,
    )?;
    let action = Action::Acknowledge { note: body.note };
    alarms.act(id, caller.to_string(), action).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MuteBody {
    model: String,
    #[serde(default)]
    baseline_model: String,
    attribute: String,
    group: String,
    reason: String,
    for_s: u32,
}

async fn mute(
    State(alarms): State<Alarms>,
    caller: Principal,
    ProblemJson(body): ProblemJson<MuteBody>,
) -> Result<StatusCode, Problem> {
    let id = watched_group(
        &body.model,
        &body.baseline_model,
        &body.attribute,
        &body.group,
    )?;
    let (reason, for_s) = (body.reason, body.for_s);
    let action = Action::Mute { reason, for_s };
    alarms.act(id, caller.to_string(), action).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnmuteBody {
    model: String,
    #[serde(default)]
    baseline_model: String,
    attribute: String,
    group: String,
}

async fn unmute(
    State(alarms): State<Alarms>,
    caller: Principal,
    ProblemJson(body): ProblemJson<UnmuteBody>,
) -> Result<StatusCode, Problem> {
    let id = watched_group(
        &body.model,
        &body.baseline_model,
        &body.attribute,
        &body.group,
    )?;
    alarms.act(id, caller.to_string(), Action::Unmute).await?;
    Ok(StatusCode::NO_CONTENT)
}
