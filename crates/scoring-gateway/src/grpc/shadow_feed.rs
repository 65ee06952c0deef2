//! `ShadowFeedService`.

use std::sync::Arc;

use fcs_core::ApiError;
use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::shadow_feed_service_server::ShadowFeedService;
use fcs_service::grpc::Deadline;
use tonic::{Request, Response, Status};

use super::{answer, convert};
use crate::app::control::TrafficControl;
use crate::app::decisions::REPLAY_TIMEOUT;
use crate::app::shadow::Shadows;
use crate::store::{ShadowOutcome, ShadowProgress};

pub(super) struct ShadowFeedEndpoint {
    pub(super) shadows: Arc<Shadows>,
    pub(super) control: Arc<TrafficControl>,
}

#[async_trait::async_trait]
impl ShadowFeedService for ShadowFeedEndpoint {
    async fn list_shadow_arms(
        &self,
        request: Request<wire::ListShadowArmsRequest>,
    ) -> Result<Response<wire::ListShadowArmsResponse>, Status> {
        let deadline = Deadline::from_metadata(request.metadata(), REPLAY_TIMEOUT);
        answer(deadline.run(self.arms()).await.flatten())
    }

    async fn list_shadow_outcomes(
        &self,
        request: Request<wire::ListShadowOutcomesRequest>,
    ) -> Result<Response<wire::ListShadowOutcomesResponse>, Status> {
        let deadline = Deadline::from_metadata(request.metadata(), REPLAY_TIMEOUT);
        let page = self.outcomes(request.into_inner());
        answer(deadline.run(page).await.flatten())
    }
}

impl ShadowFeedEndpoint {
    async fn arms(&self) -> Result<wire::ListShadowArmsResponse, ApiError> {
        let table = self.control.table();
        let arms = self.shadows.all_progress(&table.shadows).await?;
        Ok(wire::ListShadowArmsResponse {
            arms: arms.into_iter().map(arm).collect(),
        })
    }

    async fn outcomes(
        &self,
        request: wire::ListShadowOutcomesRequest,
    ) -> Result<wire::ListShadowOutcomesResponse, ApiError> {
        let page = self.shadows.outcomes(
            &request.arm,
            request.since_generation,
            request.after_index,
            request.page_size,
        );
        let (outcomes, up_to_index) = page.await?;
        Ok(wire::ListShadowOutcomesResponse {
            outcomes: outcomes.into_iter().map(outcome).collect(),
            up_to_index,
        })
    }
}

fn arm((name, progress): (String, ShadowProgress)) -> wire::ShadowArmProgress {
    wire::ShadowArmProgress {
        name,
        model: progress.model.to_string(),
        since_generation: progress.since_generation,
        after_index: progress.after_index,
        complete_up_to: progress.position,
    }
}

fn outcome(outcome: ShadowOutcome) -> wire::ShadowOutcome {
    let decided = outcome
        .outcome
        .map_or(wire::Outcome::Unspecified, convert::outcome);
    wire::ShadowOutcome {
        log_index: outcome.log_index,
        outcome: decided.into(),
    }
}
