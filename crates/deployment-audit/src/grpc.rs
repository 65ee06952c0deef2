//! The gRPC services: parse, call one use case, convert.

mod audit;
mod deployment;

use std::sync::Arc;

use axum::Router;
use fcs_proto::deployment::v1::audit_service_server::AuditServiceServer;
use fcs_proto::deployment::v1::deployment_service_server::DeploymentServiceServer;
use tonic::service::Routes;

use crate::app::deployments::Deployments;
use crate::app::proofs::Proofs;

/// The routes of both services.
pub(crate) fn routes(deployments: Arc<Deployments>, proofs: Arc<Proofs>) -> Router {
    Routes::new(DeploymentServiceServer::new(deployment::Grpc(deployments)))
        .add_service(AuditServiceServer::new(audit::Grpc(proofs)))
        .into_axum_router()
}
