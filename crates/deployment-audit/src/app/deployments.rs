//! Registering, approving, activating and rolling back; reading what happened.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ApiError, Clock, DeploymentId, Violation};
use fcs_rollout::{Change, Command, Environment, Principal};
use fcs_service::Random;
use tokio::time::{Instant, timeout_at};

use super::error::{of_gateway, of_store};
use super::fields::{Fields, violation};
use super::history::History;
use super::ports::Traffic;
use super::progress::Progress;
use super::writer::{Order, WriterHandle};
use crate::store::Store;

/// Longest wait of an activation or a rollback for its confirmation.
const CONFIRM_LIMIT: Duration = Duration::from_secs(5);
/// Page size when the caller names none.
const PAGE_DEFAULT: u32 = 100;
/// Greatest page size.
const PAGE_MAX: u32 = 1_000;

/// A proposed change as a transport reads it.
#[derive(Debug, Clone, Default)]
pub struct NewDeployment {
    /// Who asks.
    pub actor: String,
    /// Where.
    pub environment: String,
    /// `name/version` of the model package.
    pub model: String,
    /// SHA-256 of its manifest, hexadecimal.
    pub manifest_digest: String,
    /// Commit of the configuration that asks for it.
    pub git_commit: String,
    /// Who wrote the change.
    pub author: String,
    /// What changes and why.
    pub description: String,
}

/// An approval as a transport reads it.
#[derive(Debug, Clone, Default)]
pub struct NewApproval {
    /// Who approves.
    pub actor: String,
    /// Digest of the plan that the approver saw, hexadecimal.
    pub plan_digest: String,
    /// What the approver adds.
    pub comment: String,
}

/// The use cases of deployments.
pub struct Deployments {
    /// Where events are read.
    pub store: Arc<dyn Store>,
    /// The gateway, for the table in force.
    pub traffic: Arc<dyn Traffic>,
    /// Records events.
    pub writer: WriterHandle,
    /// Tells when traffic has moved.
    pub progress: Arc<Progress>,
    /// Time of new identifiers.
    pub clock: Arc<dyn Clock>,
    /// Randomness of new identifiers.
    pub random: Arc<dyn Random>,
    /// The environment that this service deploys to.
    pub environment: Environment,
}

impl Deployments {
    /// Records a proposed deployment.
    pub async fn register(&self, new: &NewDeployment) -> Result<History, ApiError> {
        let mut fields = Fields::default();
        let actor = fields.parse::<Principal, _>("/actor", &new.actor);
        let environment = fields.parse::<Environment, _>("/environment", &new.environment);
        let model = fields.parse("/change/model", &new.model);
        let manifest_digest = fields.parse("/change/manifest_digest", &new.manifest_digest);
        let git_commit = fields.parse("/change/git_commit", &new.git_commit);
        let author = fields.parse("/change/author", &new.author);
        let description = fields.parse("/change/description", &new.description);
        let other = environment.filter(|environment| *environment != self.environment);
        if other.is_some() {
            fields.refuse(
                "/environment",
                format!("this service deploys to {}", self.environment),
            );
        }
        fields.finish(invalid)?;
        let change = model
            .zip(manifest_digest)
            .zip(git_commit.zip(author))
            .zip(description)
            .map(
                |(((model, manifest_digest), (git_commit, author)), description)| Change {
                    model,
                    manifest_digest,
                    git_commit,
                    author,
                    description,
                },
            );
        let (actor, change) = actor
            .zip(change)
            .expect("without violations every field was read");
        let deployment_id = self.new_id();
        let command = Command::Register {
            change,
            environment: self.environment,
        };
        self.writer
            .submit(Order {
                deployment_id,
                actor,
                command,
            })
            .await?;
        self.get(&deployment_id).await
    }

    /// Records an approval.
    pub async fn approve(&self, id: &str, new: &NewApproval) -> Result<History, ApiError> {
        let deployment_id = parse_id(id)?;
        let mut fields = Fields::default();
        let actor = fields.parse("/actor", &new.actor);
        let plan_digest = fields.parse("/plan_digest", &new.plan_digest);
        let comment = fields.parse("/comment", &new.comment);
        fields.finish(invalid)?;
        let ((actor, plan_digest), comment) = actor
            .zip(plan_digest)
            .zip(comment)
            .expect("without violations every field was read");
        let command = Command::Approve {
            plan_digest,
            comment,
        };
        self.writer
            .submit(Order {
                deployment_id,
                actor,
                command,
            })
            .await?;
        self.get(&deployment_id).await
    }

    /// Asks for the traffic and waits a moment for its confirmation.
    pub async fn activate(&self, id: &str, actor: &str) -> Result<History, ApiError> {
        let deployment_id = parse_id(id)?;
        let mut fields = Fields::default();
        let actor = fields.parse("/actor", actor);
        fields.finish(invalid)?;
        let actor = actor.expect("without violations every field was read");
        // Says "not found" before the gateway is asked.
        self.get(&deployment_id).await?;
        let observed = self.traffic.table().await.map_err(of_gateway)?;
        let order = Order {
            deployment_id,
            actor,
            command: Command::Activate { observed },
        };
        self.submit_and_wait(order).await
    }

    /// Asks for the traffic from before the activation and waits a moment for its confirmation.
    pub async fn roll_back(
        &self,
        id: &str,
        actor: &str,
        reason: &str,
    ) -> Result<History, ApiError> {
        let deployment_id = parse_id(id)?;
        let mut fields = Fields::default();
        let actor = fields.parse("/actor", actor);
        let reason = fields.parse("/reason", reason);
        fields.finish(invalid)?;
        let (actor, reason) = actor
            .zip(reason)
            .expect("without violations every field was read");
        self.get(&deployment_id).await?;
        let observed = self.traffic.table().await.map_err(of_gateway)?;
        let command = Command::RollBack { reason, observed };
        self.submit_and_wait(Order {
            deployment_id,
            actor,
            command,
        })
        .await
    }

    /// A deployment by its identifier as text.
    pub async fn find(&self, id: &str) -> Result<History, ApiError> {
        self.get(&parse_id(id)?).await
    }

    /// Deployments, newest first; `page_size` 0 means 100.
    pub async fn list(&self, page_size: u32) -> Result<Vec<History>, ApiError> {
        let limit = page(page_size)?;
        let stored = self.store.deployments(limit).await.map_err(of_store)?;
        stored
            .iter()
            .map(|one| History::read(one).map_err(of_store))
            .collect()
    }

    async fn get(&self, id: &DeploymentId) -> Result<History, ApiError> {
        let stored = self
            .store
            .deployment(&id.to_string())
            .await
            .map_err(of_store)?;
        let stored = stored.ok_or_else(|| {
            ApiError::not_found(
                "DEPLOYMENT_NOT_FOUND",
                format!("there is no deployment {id}"),
            )
        })?;
        History::read(&stored).map_err(of_store)
    }

    async fn submit_and_wait(&self, order: Order) -> Result<History, ApiError> {
        let id = order.deployment_id;
        let mut steps = self.progress.watch();
        self.writer.submit(order).await?;
        self.progress.ask(&id);
        let deadline = Instant::now() + CONFIRM_LIMIT;
        loop {
            let history = self.get(&id).await?;
            if history.deployment.desired_traffic().is_none() {
                return Ok(history);
            }
            if let Some(refusal) = self.progress.refusal(&id, history.deployment.sequence()) {
                return Err(refusal);
            }
            // Past the limit the caller gets the state as it is: asked for, not yet confirmed.
            match timeout_at(deadline, steps.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Ok(history),
            }
        }
    }

    fn new_id(&self) -> DeploymentId {
        let mut random = [0; 10];
        self.random.fill(&mut random);
        DeploymentId::new(self.clock.now(), &random)
    }
}

/// A page size as asked for; 0 means 100.
pub fn page(page_size: u32) -> Result<u32, ApiError> {
    match page_size {
        0 => Ok(PAGE_DEFAULT),
        1..=PAGE_MAX => Ok(page_size),
        _ => {
            let mut fields = Fields::default();
            fields.refuse(
                "/page_size",
                format!("must be 1 to {PAGE_MAX}, or 0 for {PAGE_DEFAULT}"),
            );
            fields.finish(invalid).map(|()| PAGE_DEFAULT)
        }
    }
}

fn parse_id(text: &str) -> Result<DeploymentId, ApiError> {
    text.parse().map_err(|error| {
        ApiError::invalid(
            "INVALID_DEPLOYMENT_ID",
            format!("{error}"),
            vec![violation("/deployment_id", format!("{error}"))],
        )
    })
}

fn invalid(message: String, violations: Vec<Violation>) -> ApiError {
    ApiError::invalid("INVALID_DEPLOYMENT_REQUEST", message, violations)
}
