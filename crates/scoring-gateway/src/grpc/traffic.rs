//! `TrafficService`.

use std::sync::Arc;

use fcs_core::ApiError;
use fcs_proto::scoring::v1::traffic_service_server::TrafficService;
use fcs_proto::scoring::v1::{
    ApplyTrafficRequest, ApplyTrafficResponse, GetTrafficRequest, GetTrafficResponse,
    ListGatewayInstancesRequest, ListGatewayInstancesResponse, TrafficTable,
};
use tonic::{Request, Response, Status};

use super::{answer, convert};
use crate::app::control::TrafficControl;

pub(super) struct Traffic {
    pub(super) control: Arc<TrafficControl>,
}

#[async_trait::async_trait]
impl TrafficService for Traffic {
    async fn get_traffic(
        &self,
        request: Request<GetTrafficRequest>,
    ) -> Result<Response<GetTrafficResponse>, Status> {
        let table = self.control.table_of(request.into_inner().generation).await;
        answer(table.map(|table| GetTrafficResponse {
            table: Some(convert::table(&table)),
        }))
    }

    async fn list_gateway_instances(
        &self,
        _request: Request<ListGatewayInstancesRequest>,
    ) -> Result<Response<ListGatewayInstancesResponse>, Status> {
        answer(self.control.fleet().await.map(convert::fleet))
    }

    async fn apply_traffic(
        &self,
        request: Request<ApplyTrafficRequest>,
    ) -> Result<Response<ApplyTrafficResponse>, Status> {
        let table = self.apply(request.into_inner()).await;
        answer(table.map(|table| ApplyTrafficResponse { table: Some(table) }))
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
