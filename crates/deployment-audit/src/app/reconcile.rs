//! Makes the desired traffic of deployments true: observe, apply, observe, confirm. It reads what is
//! intended from the store, so it goes on after a restart at any point.

use std::sync::Arc;

use fcs_core::{ApiError, ErrorCode};
use fcs_rollout::{Command, DeploymentState, Principal};
use tracing::{info, warn};

use super::error::{CONCURRENT_CHANGE, of_gateway, of_store};
use super::history::History;
use super::ports::Traffic;
use super::progress::{Progress, Refusal};
use super::writer::{Order, WriterHandle};
use crate::metrics::{Metrics, TrafficOutcome};
use crate::store::Store;

/// Who confirms what is observed.
const ACTOR: &str = "deployment-audit";

/// Drives the gateway's traffic table of one environment.
pub struct Reconciler {
    /// Where the intentions are.
    pub store: Arc<dyn Store>,
    /// The gateway.
    pub traffic: Arc<dyn Traffic>,
    /// Records confirmations.
    pub writer: WriterHandle,
    /// Tells the requests that wait.
    pub progress: Arc<Progress>,
    /// The catalogue.
    pub metrics: Metrics,
    /// The environment.
    pub environment: &'static str,
}

impl Reconciler {
    /// One round over everything unfinished; returns how it ended, nothing when there was nothing to do.
    pub async fn round(&self) -> Result<Option<TrafficOutcome>, ApiError> {
        let mut last = None;
        for id in self
            .store
            .unfinished(self.environment)
            .await
            .map_err(of_store)?
        {
            let Some(stored) = self.store.deployment(&id).await.map_err(of_store)? else {
                continue;
            };
            let history = History::read(&stored).map_err(of_store)?;
            let (outcome, refusal) = self.step(&history).await;
            self.metrics.traffic_steps(outcome, 1);
            self.progress.stepped(history.deployment_id, refusal);
            last = Some(outcome);
        }
        Ok(last)
    }

    async fn step(&self, history: &History) -> (TrafficOutcome, Option<Refusal>) {
        let id = history.deployment_id;
        match self.make_true(history).await {
            Ok(()) => {
                info!(deployment_id = %id, "the desired traffic is in force");
                (TrafficOutcome::Confirmed, None)
            }
            Err(error) if may_pass(&error) => {
                warn!(deployment_id = %id, %error, "the desired traffic is not in force yet");
                (TrafficOutcome::Retried, None)
            }
            Err(error) => {
                warn!(deployment_id = %id, reason = error.reason, %error,
                    "the desired traffic was refused");
                let sequence = history.deployment.sequence();
                (TrafficOutcome::Refused, Some(Refusal { sequence, error }))
            }
        }
    }

    async fn make_true(&self, history: &History) -> Result<(), ApiError> {
        let deployment = &history.deployment;
        let Some(desired) = deployment.desired_traffic() else {
            return Ok(());
        };
        let mut observed = self.traffic.table().await.map_err(of_gateway)?;
        if observed.generation() < desired.generation() {
            let expected = observed.generation();
            self.traffic
                .apply(expected, desired)
                .await
                .map_err(of_gateway)?;
            observed = self.traffic.table().await.map_err(of_gateway)?;
        }
        // The machine itself refuses a table that is not the desired one.
        let command = if deployment.state() == DeploymentState::RollingBack {
            Command::ConfirmRolledBack { observed }
        } else {
            Command::ConfirmActivated { observed }
        };
        let actor: Principal = ACTOR.parse().expect("the service's name is a principal");
        self.writer
            .submit(Order {
                deployment_id: history.deployment_id,
                actor,
                command,
            })
            .await
    }
}

/// Whether the same step may succeed without anybody doing anything: an outage, or a newer command
/// that was recorded while the step ran.
fn may_pass(error: &ApiError) -> bool {
    matches!(error.code, ErrorCode::Unavailable | ErrorCode::Internal)
        || [CONCURRENT_CHANGE, "WRONG_DEPLOYMENT_STATE"].contains(&error.reason)
}
