//! `PrivacyService`.

use std::sync::Arc;

use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::privacy_service_server::PrivacyService;
use tonic::{Request, Response, Status};

use super::{answer, caller};
use crate::app::App;
use crate::store::Erasure;

pub(super) struct PrivacyEndpoint {
    pub(super) app: Arc<App>,
}

#[async_trait::async_trait]
impl PrivacyService for PrivacyEndpoint {
    async fn erase_application(
        &self,
        request: Request<wire::EraseApplicationRequest>,
    ) -> Result<Response<wire::EraseApplicationResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let erased = self
            .app
            .erase(&caller, &request.application_id, &request.reason)
            .await;
        answer(erased.map(|erasure| wire::EraseApplicationResponse {
            erasure: Some(shown(erasure)),
        }))
    }

    async fn list_erasures(
        &self,
        request: Request<wire::ListErasuresRequest>,
    ) -> Result<Response<wire::ListErasuresResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let listed = self
            .app
            .erasures(&caller.tenant, request.after_place, request.page_size)
            .await;
        answer(listed.map(|erasures| wire::ListErasuresResponse {
            erasures: erasures.into_iter().map(shown).collect(),
        }))
    }
}

fn shown(erasure: Erasure) -> wire::Erasure {
    let state = match erasure.erased_at {
        None => wire::ErasureState::Scheduled,
        Some(_) => wire::ErasureState::Erased,
    };
    wire::Erasure {
        place: erasure.place,
        applicant: erasure.applicant.to_string(),
        state: state.into(),
        actor: erasure.actor,
        reason: erasure.reason,
        requested_at: erasure.requested_at.to_string(),
        on_hold_until: erasure.retain_until.to_string(),
        erased_at: erasure
            .erased_at
            .map(|at| at.to_string())
            .unwrap_or_default(),
    }
}
