//! The gRPC services: parse, call one use case, convert.

mod audit;
mod deployment;
mod rollout;

use std::sync::Arc;

use axum::Router;
use fcs_proto::deployment::v1::audit_service_server::AuditServiceServer;
use fcs_proto::deployment::v1::deployment_service_server::DeploymentServiceServer;
use fcs_proto::deployment::v1::rollout_service_server::RolloutServiceServer;
use tonic::service::Routes;

use crate::app::deployments::Deployments;
use crate::app::proofs::Proofs;
use crate::app::rollouts::Rollouts;

/// The routes of all services.
pub(crate) fn routes(
    deployments: Arc<Deployments>,
    rollouts: Arc<Rollouts>,
    proofs: Arc<Proofs>,
) -> Router {
    Routes::new(DeploymentServiceServer::new(deployment::Grpc(deployments)))
        .add_service(RolloutServiceServer::new(rollout::Grpc(rollouts)))
        .add_service(AuditServiceServer::new(audit::Grpc(proofs)))
        .into_axum_router()
}
