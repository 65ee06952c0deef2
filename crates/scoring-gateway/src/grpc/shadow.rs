//! `ShadowService`.

use std::sync::Arc;

use fcs_core::ApiError;
use fcs_decision::shadow::{Comparison, DropReason, Side};
use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::shadow_decision::Result as WireResult;
use fcs_proto::scoring::v1::shadow_service_server::ShadowService;
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;
use tonic::{Request, Response, Status};

use super::{answer, caller, convert};
use crate::app::decisions::REPLAY_TIMEOUT;
use crate::app::shadow::{ShadowSummary, Shadows};
use crate::store::ShadowDecision;

pub(super) struct ShadowEndpoint {
    pub(super) shadows: Arc<Shadows>,
}

#[async_trait::async_trait]
impl ShadowService for ShadowEndpoint {
    async fn list_shadow_decisions(
        &self,
        request: Request<wire::ListShadowDecisionsRequest>,
    ) -> Result<Response<wire::ListShadowDecisionsResponse>, Status> {
        let caller = caller(&request)?;
        answer(self.list(&caller, &request.into_inner()).await)
    }

    async fn summarise_shadow(
        &self,
        request: Request<wire::SummariseShadowRequest>,
    ) -> Result<Response<wire::SummariseShadowResponse>, Status> {
        let deadline = Deadline::from_metadata(request.metadata(), REPLAY_TIMEOUT);
        let caller = caller(&request)?;
        let request = request.into_inner();
        let range = (request.after_index, request.up_to_index);
        let shadows = &self.shadows;
        let summary = shadows
            .summarise(&caller.tenant, &request.arm, range, deadline)
            .await;
        answer(summary.map(|summary| summarised(request.arm, &summary)))
    }
}

impl ShadowEndpoint {
    async fn list(
        &self,
        caller: &Principal,
        request: &wire::ListShadowDecisionsRequest,
    ) -> Result<wire::ListShadowDecisionsResponse, ApiError> {
        let page = self
            .shadows
            .list(
                &caller.tenant,
                &request.arm,
                request.after_index,
                request.page_size,
            )
            .await?;
        Ok(wire::ListShadowDecisionsResponse {
            decisions: page.decisions.into_iter().map(decision).collect(),
            complete_up_to: page.complete_up_to,
        })
    }
}

fn decision(decision: ShadowDecision) -> wire::ShadowDecision {
    wire::ShadowDecision {
        log_index: decision.log_index,
        arm: decision.arm,
        live_arm: decision.live_arm,
        live: Some(side(decision.live)),
        result: Some(match decision.result {
            Ok(shadow) => WireResult::Shadow(side(shadow)),
            Err(reason) => WireResult::Dropped(dropped(reason).into()),
        }),
    }
}

fn side(side: Side) -> wire::ShadowSide {
    wire::ShadowSide {
        model: side.model.to_string(),
        outcome: convert::outcome(side.outcome).into(),
        score: side.score,
        probability: side.probability,
        reason_codes: side.reason_codes,
        record_digest: side.record_digest.as_bytes().to_vec(),
    }
}

const fn dropped(reason: DropReason) -> wire::ShadowDrop {
    match reason {
        DropReason::Backlog => wire::ShadowDrop::Backlog,
        DropReason::Deadline => wire::ShadowDrop::Deadline,
        DropReason::Unavailable => wire::ShadowDrop::Unavailable,
        DropReason::Inputs => wire::ShadowDrop::Inputs,
        DropReason::Failed => wire::ShadowDrop::Failed,
    }
}

fn summarised(arm: String, summary: &ShadowSummary) -> wire::SummariseShadowResponse {
    let comparison = &summary.comparison;
    let outcomes = comparison.outcomes.iter();
    let outcomes = outcomes.map(|((live, shadow), count)| wire::OutcomePair {
        live: convert::outcome(*live).into(),
        shadow: convert::outcome(*shadow).into(),
        decisions: *count,
    });
    let drops = comparison.dropped.iter();
    let drops = drops.map(|(reason, count)| wire::ShadowDropCount {
        reason: dropped(*reason).into(),
        decisions: *count,
    });
    let reasons = comparison.reasons.iter();
    let reasons = reasons.map(|(code, change)| wire::ReasonChange {
        code: code.clone(),
        added: change.added,
        removed: change.removed,
    });
    wire::SummariseShadowResponse {
        arm,
        model: summary.progress.model.to_string(),
        after_index: summary.after_index,
        up_to_index: summary.up_to_index,
        scored: comparison.scored(),
        dropped: drops.collect(),
        outcomes: outcomes.collect(),
        reasons_changed: comparison.reasons_changed,
        reasons: reasons.collect(),
        score_difference: difference(comparison),
    }
}

fn difference(comparison: &Comparison) -> Option<wire::ScoreDifference> {
    let percentile = |percent| comparison.difference_percentile(percent);
    Some(wire::ScoreDifference {
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
