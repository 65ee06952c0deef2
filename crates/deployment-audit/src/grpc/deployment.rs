//! `DeploymentService`.

use std::sync::Arc;

use fcs_core::ApiError;
use fcs_proto::deployment::v1 as wire;
use fcs_proto::deployment::v1::deployment_service_server::DeploymentService;
use fcs_rollout::DeploymentState;
use fcs_service::grpc::status;
use tonic::{Request, Response, Status};

use crate::app::deployments::{Deployments, NewApproval, NewDeployment};
use crate::app::history::{History, LoggedEvent};

/// The service over its use cases.
pub(super) struct Grpc(pub(super) Arc<Deployments>);

#[tonic::async_trait]
impl DeploymentService for Grpc {
    async fn register_deployment(
        &self,
        request: Request<wire::RegisterDeploymentRequest>,
    ) -> Result<Response<wire::RegisterDeploymentResponse>, Status> {
        let wire::RegisterDeploymentRequest {
            actor,
            environment,
            change,
        } = request.into_inner();
        // A missing change breaks the rule of each of its fields.
        let change = change.unwrap_or_default();
        let new = NewDeployment {
            actor,
            environment,
            model: change.model,
            manifest_digest: change.manifest_digest,
            git_commit: change.git_commit,
            author: change.author,
            description: change.description,
        };
        let deployment = answer(self.0.register(&new).await)?;
        Ok(Response::new(wire::RegisterDeploymentResponse {
            deployment,
        }))
    }

    async fn approve_deployment(
        &self,
        request: Request<wire::ApproveDeploymentRequest>,
    ) -> Result<Response<wire::ApproveDeploymentResponse>, Status> {
        let wire::ApproveDeploymentRequest {
            actor,
            deployment_id,
            plan_digest,
            comment,
        } = request.into_inner();
        let new = NewApproval {
            actor,
            plan_digest,
            comment,
        };
        let deployment = answer(self.0.approve(&deployment_id, &new).await)?;
        Ok(Response::new(wire::ApproveDeploymentResponse {
            deployment,
        }))
    }

    async fn activate_deployment(
        &self,
        request: Request<wire::ActivateDeploymentRequest>,
    ) -> Result<Response<wire::ActivateDeploymentResponse>, Status> {
        let wire::ActivateDeploymentRequest {
            actor,
            deployment_id,
        } = request.into_inner();
        let deployment = answer(self.0.activate(&deployment_id, &actor).await)?;
        Ok(Response::new(wire::ActivateDeploymentResponse {
            deployment,
        }))
    }

    async fn roll_back_deployment(
        &self,
        request: Request<wire::RollBackDeploymentRequest>,
    ) -> Result<Response<wire::RollBackDeploymentResponse>, Status> {
        let wire::RollBackDeploymentRequest {
            actor,
            deployment_id,
            reason,
        } = request.into_inner();
        let deployment = answer(self.0.roll_back(&deployment_id, &actor, &reason).await)?;
        Ok(Response::new(wire::RollBackDeploymentResponse {
            deployment,
        }))
    }

    async fn get_deployment(
        &self,
        request: Request<wire::GetDeploymentRequest>,
    ) -> Result<Response<wire::GetDeploymentResponse>, Status> {
        let deployment = answer(self.0.find(&request.get_ref().deployment_id).await)?;
        Ok(Response::new(wire::GetDeploymentResponse { deployment }))
    }

    async fn list_deployments(
        &self,
        request: Request<wire::ListDeploymentsRequest>,
    ) -> Result<Response<wire::ListDeploymentsResponse>, Status> {
        let found = self
            .0
            .list(request.get_ref().page_size)
            .await
            .map_err(|error| status(&error))?;
        let deployments = found.iter().map(to_wire).collect();
        Ok(Response::new(wire::ListDeploymentsResponse { deployments }))
    }
}

fn answer(outcome: Result<History, ApiError>) -> Result<Option<wire::Deployment>, Status> {
    outcome
        .map(|history| Some(to_wire(&history)))
        .map_err(|error| status(&error))
}

fn to_wire(history: &History) -> wire::Deployment {
    let deployment = &history.deployment;
    let change = deployment.change();
    wire::Deployment {
        deployment_id: history.deployment_id.to_string(),
        state: state(deployment.state()).into(),
        environment: deployment.environment().to_string(),
        requested_by: deployment.requested_by().to_string(),
        change: Some(wire::Change {
            model: change.model.to_string(),
            manifest_digest: change.manifest_digest.to_string(),
            git_commit: change.git_commit.to_string(),
            author: change.author.to_string(),
            description: change.description.to_string(),
        }),
        plan_digest: deployment.plan_digest().to_string(),
        events: history.events.iter().map(event).collect(),
    }
}

fn event(logged: &LoggedEvent) -> wire::DeploymentEvent {
    let recorded = &logged.recorded;
    wire::DeploymentEvent {
        sequence: recorded.sequence,
        occurred_at: recorded.at.to_string(),
        actor: recorded.actor.to_string(),
        kind: recorded.event.kind().to_owned(),
        detail: recorded.event.to_json(),
        leaf_index: logged.leaf_index,
    }
}

const fn state(state: DeploymentState) -> wire::DeploymentState {
    match state {
        DeploymentState::Registered => wire::DeploymentState::Registered,
        DeploymentState::Approved => wire::DeploymentState::Approved,
        DeploymentState::Activating => wire::DeploymentState::Activating,
        DeploymentState::Active => wire::DeploymentState::Active,
        DeploymentState::RollingBack => wire::DeploymentState::RollingBack,
        DeploymentState::RolledBack => wire::DeploymentState::RolledBack,
    }
}
