//! `TrafficService`.

use std::sync::Arc;

use fcs_core::ApiError;
use fcs_proto::scoring::v1::traffic_service_server::TrafficService;
use fcs_proto::scoring::v1::{
    ApplyTrafficRequest, ApplyTrafficResponse, GetTrafficRequest, GetTrafficResponse, TrafficTable,
};
use fcs_service::grpc::status;
use tonic::{Request, Response, Status};

use super::convert;
use crate::app::control::TrafficControl;

pub(super) struct Traffic {
    pub(super) control: Arc<TrafficControl>,
}

#[async_trait::async_trait]
impl TrafficService for Traffic {
    async fn get_traffic(
        &self,
        _request: Request<GetTrafficRequest>,
    ) -> Result<Response<GetTrafficResponse>, Status> {
        let table = convert::table(&self.control.table());
        Ok(Response::new(GetTrafficResponse { table: Some(table) }))
    }

    async fn apply_traffic(
        &self,
        request: Request<ApplyTrafficRequest>,
    ) -> Result<Response<ApplyTrafficResponse>, Status> {
        let table = self
            .apply(request.into_inner())
            .await
            .map_err(|error| status(&error))?;
        Ok(Response::new(ApplyTrafficResponse { table: Some(table) }))
    }
}

impl Traffic {
    async fn apply(&self, request: ApplyTrafficRequest) -> Result<TrafficTable, ApiError> {
        let proposed = convert::proposed_table(request.table)?;
        let table = self
            .control
            .apply(request.expected_generation, proposed)
            .await?;
        Ok(convert::table(&table))
    }
}
