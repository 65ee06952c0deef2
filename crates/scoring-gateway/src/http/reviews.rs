//! Reviews of decisions.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use fcs_core::redacted_debug;
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;
use fcs_service::problem::{Problem, ProblemJson};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Http, decision_id, idempotency_key, marked, schema};
use crate::app::decisions::REPLAY_TIMEOUT;
use crate::app::review::{ReviewCommand, ReviewDraft};
use crate::store::{self, ReviewOutcome};

redacted_debug!(ReviewRequest, Review);

/// What a person decided on a decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewRequest {
    /// The lender's identifier of the person.
    #[schema(min_length = 1, max_length = 128)]
    reviewer: String,
    /// `approve` or `deny`.
    #[schema(value_type = Outcome)]
    outcome: ReviewOutcome,
    /// One to four for a denial, none for an approval; most important first. Codes of the model's reason map, or
    /// `C1-01` to `C1-23` for a sample reason of Regulation B, form C-1.
    #[serde(default)]
    #[schema(max_items = 4)]
    reason_codes: Vec<String>,
    /// Why, in the reviewer's words. It is for the file, not for the applicant.
    #[serde(default)]
    #[schema(max_length = 4000)]
    note: String,
}

/// What a reviewer decides.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
enum Outcome {
    Approve,
    Deny,
}

/// One review.
#[derive(Serialize, ToSchema)]
pub(super) struct Review {
    /// `rev_` followed by a UUID.
    review_id: String,
    decision_id: String,
    reviewer: String,
    #[schema(value_type = Outcome)]
    outcome: ReviewOutcome,
    reasons: Vec<Reason>,
    note: String,
    #[schema(format = DateTime)]
    reviewed_at: String,
}

/// A reason that a reviewer gave.
#[derive(Debug, Serialize, ToSchema)]
struct Reason {
    code: String,
    /// Text for the applicant.
    text: String,
}

/// The reviews of a decision, the earliest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reviews {
    reviews: Vec<Review>,
}

impl From<store::Review> for Review {
    fn from(review: store::Review) -> Self {
        let reasons = review.reasons.into_iter().map(|reason| Reason {
            code: reason.code,
            text: reason.text,
        });
        Self {
            review_id: review.review_id.to_string(),
            decision_id: review.decision_id.to_string(),
            reviewer: review.reviewer,
            outcome: review.outcome,
            reasons: reasons.collect(),
            note: review.note,
            reviewed_at: review.reviewed_at.to_string(),
        }
    }
}

/// Record a person's decision
///
/// It confirms or overrides a decision, a referral above all. The decision stays as it is; the latest review counts.
#[utoipa::path(
    post, path = "/v1/decisions/{decision_id}/reviews", tag = "reviews",
    params(schema::DecisionPath, schema::IdempotencyKeyHeader),
    request_body = ReviewRequest,
    responses(
        (status = 201, description = "The review", body = Review,
         headers(("Idempotency-Replayed" = String, description = "`true` when it was recorded before"))),
        schema::WriteProblems,
    )
)]
pub(super) async fn record(
    State(http): State<Http>,
    caller: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<ProblemJson<ReviewRequest>, Problem>,
) -> Result<Response, Problem> {
    let id = decision_id(&id)?;
    let key = idempotency_key(&headers)?;
    let ProblemJson(body) = body?;
    let draft = ReviewDraft {
        reviewer: body.reviewer,
        outcome: body.outcome,
        reason_codes: body.reason_codes,
        note: body.note,
    };
    let command = ReviewCommand::new(key, id, draft)?;
    let recorded = http
        .app
        .record_review(&caller, &command, Deadline::after(REPLAY_TIMEOUT))
        .await?;
    let answer = (
        StatusCode::CREATED,
        ProblemJson(Review::from(recorded.value)),
    );
    Ok(marked(answer.into_response(), recorded.replayed))
}

/// List the reviews of a decision
#[utoipa::path(
    get, path = "/v1/decisions/{decision_id}/reviews", tag = "reviews",
    params(schema::DecisionPath),
    responses(
        (status = 200, description = "The reviews, the earliest first", body = Reviews),
        schema::ReadProblems,
    )
)]
pub(super) async fn list(
    State(http): State<Http>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<ProblemJson<Reviews>, Problem> {
    let reviews = http.app.reviews(&caller.tenant, decision_id(&id)?).await?;
    let reviews = reviews.into_iter().map(Review::from).collect();
    Ok(ProblemJson(Reviews { reviews }))
}
