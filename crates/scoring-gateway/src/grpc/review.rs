//! `ReviewService`.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ApiError, Violation};
use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::review_service_server::ReviewService;
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;
use tonic::{Request, Response, Status};

use super::{answer, caller, parse_decision_id};
use crate::app::App;
use crate::app::command::invalid_request;
use crate::app::review::{ReviewCommand, ReviewDraft};
use crate::store::{Review, ReviewOutcome};

pub(super) struct Reviews {
    pub(super) app: Arc<App>,
    pub(super) timeout: Duration,
}

#[async_trait::async_trait]
impl ReviewService for Reviews {
    async fn record_review(
        &self,
        request: Request<wire::RecordReviewRequest>,
    ) -> Result<Response<wire::RecordReviewResponse>, Status> {
        let deadline = Deadline::from_metadata(request.metadata(), self.timeout);
        let caller = caller(&request)?;
        answer(self.record(&caller, request.into_inner(), deadline).await)
    }

    async fn list_reviews(
        &self,
        request: Request<wire::ListReviewsRequest>,
    ) -> Result<Response<wire::ListReviewsResponse>, Status> {
        let caller = caller(&request)?;
        answer(self.list(&caller, &request.into_inner().decision_id).await)
    }
}

impl Reviews {
    async fn record(
        &self,
        caller: &Principal,
        request: wire::RecordReviewRequest,
        deadline: Deadline,
    ) -> Result<wire::RecordReviewResponse, ApiError> {
        let decision_id = parse_decision_id(&request.decision_id)?;
        let draft = ReviewDraft {
            outcome: outcome(request.outcome())?,
            reviewer: request.reviewer,
            reason_codes: request.reason_codes,
            note: request.note,
        };
        let command = ReviewCommand::new(&request.idempotency_key, decision_id, draft)?;
        let recorded = self.app.record_review(caller, &command, deadline).await?;
        Ok(wire::RecordReviewResponse {
            review: Some(review(recorded.value)),
            replayed: recorded.replayed,
        })
    }

    async fn list(
        &self,
        caller: &Principal,
        decision_id: &str,
    ) -> Result<wire::ListReviewsResponse, ApiError> {
        let id = parse_decision_id(decision_id)?;
        let reviews = self.app.reviews(&caller.tenant, id).await?;
        Ok(wire::ListReviewsResponse {
            reviews: reviews.into_iter().map(review).collect(),
        })
    }
}

fn outcome(outcome: wire::ReviewOutcome) -> Result<ReviewOutcome, ApiError> {
    match outcome {
        wire::ReviewOutcome::Approve => Ok(ReviewOutcome::Approve),
        wire::ReviewOutcome::Deny => Ok(ReviewOutcome::Deny),
        wire::ReviewOutcome::Unspecified => Err(invalid_request(vec![Violation {
            pointer: "/outcome".to_owned(),
            reason: "OUTCOME_INVALID",
            description: "a review approves or denies".to_owned(),
        }])),
    }
}

fn review(review: Review) -> wire::Review {
    let outcome = match review.outcome {
        ReviewOutcome::Approve => wire::ReviewOutcome::Approve,
        ReviewOutcome::Deny => wire::ReviewOutcome::Deny,
    };
    let reasons = review.reasons.into_iter().map(|reason| wire::ReviewReason {
        code: reason.code,
        text: reason.text,
    });
    wire::Review {
        review_id: review.review_id.to_string(),
        decision_id: review.decision_id.to_string(),
        reviewer: review.reviewer,
        outcome: outcome.into(),
        reasons: reasons.collect(),
        note: review.note,
        reviewed_at: review.reviewed_at.to_string(),
    }
}
