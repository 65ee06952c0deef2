//! `RolloutService`.

use std::sync::Arc;

use fcs_core::{ApiError, Violation};
use fcs_proto::deployment::v1 as wire;
use fcs_proto::deployment::v1::rollout_service_server::RolloutService;
use fcs_rollout::rollout::Strategy;
use fcs_service::grpc::status;
use serde::de::DeserializeOwned;
use tonic::{Request, Response, Status};

use crate::app::recorder::{LoggedRolloutEvent, RolloutHistory};
use crate::app::rollouts::{NewRollout, Rollouts};
use crate::store::rollouts::RolloutRow;

/// The service over its use cases.
pub(super) struct Grpc(pub(super) Arc<Rollouts>);

#[tonic::async_trait]
impl RolloutService for Grpc {
    async fn propose_rollout(
        &self,
        request: Request<wire::ProposeRolloutRequest>,
    ) -> Result<Response<wire::ProposeRolloutResponse>, Status> {
        let new = proposal(request.into_inner()).map_err(|error| status(&error))?;
        let rollout = answer(self.0.propose(new).await)?;
        Ok(Response::new(wire::ProposeRolloutResponse { rollout }))
    }

    async fn approve_rollout(
        &self,
        request: Request<wire::ApproveRolloutRequest>,
    ) -> Result<Response<wire::ApproveRolloutResponse>, Status> {
        let asked = request.into_inner();
        let rollout = answer(
            self.0
                .approve(
                    &asked.rollout_id,
                    &asked.actor,
                    &asked.plan_digest,
                    &asked.comment,
                )
                .await,
        )?;
        Ok(Response::new(wire::ApproveRolloutResponse { rollout }))
    }

    async fn reject_rollout(
        &self,
        request: Request<wire::RejectRolloutRequest>,
    ) -> Result<Response<wire::RejectRolloutResponse>, Status> {
        let asked = request.into_inner();
        let rollout = answer(
            self.0
                .reject(&asked.rollout_id, &asked.actor, &asked.reason)
                .await,
        )?;
        Ok(Response::new(wire::RejectRolloutResponse { rollout }))
    }

    async fn start_rollout(
        &self,
        request: Request<wire::StartRolloutRequest>,
    ) -> Result<Response<wire::StartRolloutResponse>, Status> {
        let asked = request.into_inner();
        let rollout = answer(self.0.start(&asked.rollout_id, &asked.actor).await)?;
        Ok(Response::new(wire::StartRolloutResponse { rollout }))
    }

    async fn pause_rollout(
        &self,
        request: Request<wire::PauseRolloutRequest>,
    ) -> Result<Response<wire::PauseRolloutResponse>, Status> {
        let asked = request.into_inner();
        let rollout = answer(self.0.pause(&asked.rollout_id, &asked.actor).await)?;
        Ok(Response::new(wire::PauseRolloutResponse { rollout }))
    }

    async fn resume_rollout(
        &self,
        request: Request<wire::ResumeRolloutRequest>,
    ) -> Result<Response<wire::ResumeRolloutResponse>, Status> {
        let asked = request.into_inner();
        let rollout = answer(
            self.0
                .resume(&asked.rollout_id, &asked.actor, &asked.reason)
                .await,
        )?;
        Ok(Response::new(wire::ResumeRolloutResponse { rollout }))
    }

    async fn promote_rollout(
        &self,
        request: Request<wire::PromoteRolloutRequest>,
    ) -> Result<Response<wire::PromoteRolloutResponse>, Status> {
        let asked = request.into_inner();
        let rollout = answer(
            self.0
                .promote(&asked.rollout_id, &asked.actor, &asked.comment)
                .await,
        )?;
        Ok(Response::new(wire::PromoteRolloutResponse { rollout }))
    }

    async fn abort_rollout(
        &self,
        request: Request<wire::AbortRolloutRequest>,
    ) -> Result<Response<wire::AbortRolloutResponse>, Status> {
        let asked = request.into_inner();
        let rollout = answer(
            self.0
                .abort(&asked.rollout_id, &asked.actor, &asked.reason)
                .await,
        )?;
        Ok(Response::new(wire::AbortRolloutResponse { rollout }))
    }

    async fn roll_back_rollout(
        &self,
        request: Request<wire::RollBackRolloutRequest>,
    ) -> Result<Response<wire::RollBackRolloutResponse>, Status> {
        let asked = request.into_inner();
        let rollout = answer(
            self.0
                .roll_back(&asked.rollout_id, &asked.actor, &asked.reason)
                .await,
        )?;
        Ok(Response::new(wire::RollBackRolloutResponse { rollout }))
    }

    async fn get_rollout(
        &self,
        request: Request<wire::GetRolloutRequest>,
    ) -> Result<Response<wire::GetRolloutResponse>, Status> {
        let asked = request.into_inner();
        let rollout = answer(self.0.find(&asked.rollout_id).await)?;
        Ok(Response::new(wire::GetRolloutResponse { rollout }))
    }

    async fn list_rollouts(
        &self,
        request: Request<wire::ListRolloutsRequest>,
    ) -> Result<Response<wire::ListRolloutsResponse>, Status> {
        let found = self.0.list(request.get_ref().page_size).await;
        let found = found.map_err(|error| status(&error))?;
        let rollouts = found.into_iter().map(summary).collect();
        Ok(Response::new(wire::ListRolloutsResponse { rollouts }))
    }
}

fn proposal(asked: wire::ProposeRolloutRequest) -> Result<NewRollout, ApiError> {
    // A missing change breaks the rule of each of its fields.
    let change = asked.change.unwrap_or_default();
    let strategy = if asked.strategy.is_empty() {
        Strategy::usual_canary()
    } else {
        json("/strategy", &asked.strategy)?
    };
    // What is left out is as usual.
    let or_usual = |text: String| {
        if text.is_empty() {
            "{}".to_owned()
        } else {
            text
        }
    };
    let point = asked.point_of_no_return.map(usize::try_from);
    Ok(NewRollout {
        actor: asked.actor,
        environment: asked.environment,
        model: change.model,
        manifest_digest: change.manifest_digest,
        git_commit: change.git_commit,
        author: change.author,
        committers: asked.committers,
        description: change.description,
        strategy,
        analysis: json("/analysis", &or_usual(asked.analysis))?,
        limits: json("/limits", &or_usual(asked.limits))?,
        point_of_no_return: point.map(|point| point.unwrap_or(usize::MAX)),
    })
}

fn json<T: DeserializeOwned>(pointer: &str, text: &str) -> Result<T, ApiError> {
    serde_json::from_str(text).map_err(|error| {
        let violation = Violation {
            pointer: pointer.to_owned(),
            reason: "INVALID_FIELD",
            description: error.to_string(),
        };
        let message = format!("{pointer}: {error}");
        ApiError::invalid("INVALID_ROLLOUT_REQUEST", message, vec![violation])
    })
}

fn answer(outcome: Result<RolloutHistory, ApiError>) -> Result<Option<wire::Rollout>, Status> {
    let history = outcome.map_err(|error| status(&error))?;
    let rollout = &history.rollout;
    let (baked_micros, bake_needed_micros) = rollout.baked_micros();
    let pause = rollout.pause().map(|pause| pause.cause.as_str());
    Ok(Some(wire::Rollout {
        rollout_id: history.rollout_id.to_string(),
        phase: rollout.phase().to_string(),
        pause: pause.unwrap_or_default().to_owned(),
        requested_by: rollout.requested_by().to_string(),
        plan: rollout.plan().to_json(),
        plan_digest: rollout.plan_digest().to_string(),
        step: u32::try_from(rollout.step()).unwrap_or(u32::MAX),
        weight_basis_points: rollout.desired().weight_basis_points,
        baked_micros,
        bake_needed_micros,
        head_digest: history.head.to_string(),
        events: history.events.iter().map(event).collect(),
    }))
}

fn event(logged: &LoggedRolloutEvent) -> wire::RolloutEvent {
    let recorded = &logged.recorded;
    wire::RolloutEvent {
        sequence: recorded.sequence,
        occurred_at: recorded.at.to_string(),
        actor: recorded.actor.to_string(),
        kind: recorded.event.kind().to_owned(),
        detail: recorded.event.to_json(),
        leaf_index: logged.leaf_index,
    }
}

fn summary(row: RolloutRow) -> wire::RolloutSummary {
    let summary = row.summary;
    wire::RolloutSummary {
        rollout_id: row.rollout_id,
        environment: summary.environment,
        model: summary.model,
        requested_by: summary.requester,
        phase: summary.phase,
        approvals: summary.approvals,
        updated_at: row.updated_at.to_string(),
    }
}
