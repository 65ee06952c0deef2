//! The one task that records what happens to deployments. Requests hand it commands and wait; a
//! request that goes away takes nothing with it.

use std::sync::Arc;

use fcs_core::{ApiError, Clock, DeploymentId, ErrorCode};
use fcs_rollout::{Command, Deployment, Principal, decide};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::error::of_store;
use super::history::{History, rows};
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};

/// Commands that may wait.
const QUEUE_COMMANDS: usize = 64;
/// How often a command is decided again after another writer was first.
const ATTEMPTS: u32 = 3;

/// Something that a person or a process asks of a deployment.
#[derive(Debug, Clone)]
pub struct Order {
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// Who asks.
    pub actor: Principal,
    /// What is asked.
    pub command: Command,
}

type Job = (Order, oneshot::Sender<Result<(), ApiError>>);

/// The way to the writer. Cloning shares it.
#[derive(Clone)]
pub struct WriterHandle {
    jobs: mpsc::Sender<Job>,
}

impl WriterHandle {
    /// Has the writer decide and record; completes when the events are durable.
    pub async fn submit(&self, order: Order) -> Result<(), ApiError> {
        let (reply, outcome) = oneshot::channel();
        self.jobs
            .send((order, reply))
            .await
            .map_err(|_| stopping())?;
        outcome.await.map_err(|_| stopping())?
    }
}

/// The writer itself.
pub struct Writer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    jobs: mpsc::Receiver<Job>,
}

impl Writer {
    /// A writer and the way to it.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> (Self, WriterHandle) {
        let (sender, jobs) = mpsc::channel(QUEUE_COMMANDS);
        (
            Self {
                store,
                clock,
                metrics,
                jobs,
            },
            WriterHandle { jobs: sender },
        )
    }

    /// Works until `stop`, then finishes what waits.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            let job = tokio::select! {
                () = stop.cancelled(), if !self.jobs.is_closed() => {
                    self.jobs.close();
                    continue;
                }
                job = self.jobs.recv() => job,
            };
            let Some((order, reply)) = job else {
                return Ok(());
            };
            let outcome = self.record(&order).await;
            // A caller that went away does not undo what is recorded.
            drop(reply.send(outcome));
        }
    }

    async fn record(&self, order: &Order) -> Result<(), ApiError> {
        for _ in 1..ATTEMPTS {
            match self.attempt(order).await? {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(of_store(error)),
            }
        }
        self.attempt(order).await?.map_err(of_store)
    }

    async fn attempt(&self, order: &Order) -> Result<Result<(), StoreError>, ApiError> {
        let id = &order.deployment_id;
        let stored = self
            .store
            .deployment(&id.to_string())
            .await
            .map_err(of_store)?;
        let history = stored
            .as_ref()
            .map(History::read)
            .transpose()
            .map_err(of_store)?;
        let deployment = history.map(|history| history.deployment);
        let now = self.clock.now();
        let events = decide(
            deployment.as_ref(),
            order.command.clone(),
            &order.actor,
            now,
        )?;
        if events.is_empty() {
            return Ok(Ok(()));
        }
        if let (Some(deployment), Command::Activate { .. } | Command::RollBack { .. }) =
            (&deployment, &order.command)
        {
            self.check_alone(id, deployment.environment().as_str())
                .await?;
        }
        let before = deployment.as_ref().map(Deployment::state);
        let (rows, after) = rows(id, deployment, &events).map_err(of_store)?;
        if let Err(error) = self.store.append_events(&rows).await {
            return Ok(Err(error));
        }
        for event in &events {
            info!(deployment_id = %id, kind = event.event.kind(), sequence = event.sequence,
                "a deployment event is recorded");
        }
        let after = after.map(|deployment| deployment.state());
        if let Some(state) = after.filter(|state| before != Some(*state)) {
            self.metrics.deployments(state, 1);
        }
        Ok(Ok(()))
    }

    /// Refuses while another deployment is changing traffic. The store's unique index has the last word.
    async fn check_alone(&self, id: &DeploymentId, environment: &str) -> Result<(), ApiError> {
        let unfinished = self.store.unfinished(environment).await.map_err(of_store)?;
        let own = id.to_string();
        match unfinished.iter().find(|other| **other != own) {
            None => Ok(()),
            Some(other) => Err(ApiError::new(
                ErrorCode::Aborted,
                "CHANGE_IN_FLIGHT",
                format!("{other} is changing traffic; wait for it or roll it back first"),
            )),
        }
    }
}

fn stopping() -> ApiError {
    ApiError::new(
        ErrorCode::Unavailable,
        "STOPPING",
        "the service is stopping; retry",
    )
    .retry_after(1)
}
