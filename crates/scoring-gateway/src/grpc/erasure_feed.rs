//! `ErasureFeedService`.

use std::sync::Arc;

use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::erasure_feed_service_server::ErasureFeedService;
use tonic::{Request, Response, Status};

use super::answer;
use crate::app::App;
use crate::store::ExecutedErasure;

pub(super) struct ErasureFeedEndpoint {
    pub(super) app: Arc<App>,
}

#[async_trait::async_trait]
impl ErasureFeedService for ErasureFeedEndpoint {
    async fn list_executed_erasures(
        &self,
        request: Request<wire::ListExecutedErasuresRequest>,
    ) -> Result<Response<wire::ListExecutedErasuresResponse>, Status> {
        let request = request.into_inner();
        let executed = self
            .app
            .executed_erasures(request.after_place, request.page_size)
            .await;
        answer(executed.map(|erasures| wire::ListExecutedErasuresResponse {
            erasures: erasures.into_iter().map(shown).collect(),
        }))
    }
}

fn shown(erasure: ExecutedErasure) -> wire::ExecutedErasure {
    wire::ExecutedErasure {
        place: erasure.place,
        pseudonym: erasure.pseudonym(),
        log_indices: erasure.log_indices,
    }
}
