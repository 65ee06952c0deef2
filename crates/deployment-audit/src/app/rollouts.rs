//! Proposing, approving and steering rollouts; reading what happened.

use std::sync::Arc;

use fcs_core::{ApiError, ErrorCode, RolloutId, Violation};
use fcs_rollout::rollout::{
    Analysis, Baseline, Command, Desired, Limits, Phase, Plan, Rollout, Strategy,
};
use fcs_rollout::{
    Change, Comment, Environment, Principal, Reason, TrafficTable, WHOLE_BASIS_POINTS,
};
use fcs_service::Random;
use tokio::sync::Notify;

use super::controller::lease_name;
use super::deployments::page;
use super::error::{CONCURRENT_CHANGE, of_gateway, of_store};
use super::fields::{Fields, violation};
use super::ports::Traffic;
use super::recorder::{Ask, Recorder, RolloutHistory};
use crate::store::rollouts::RolloutRow;

/// Most committers of a change.
const COMMITTERS_MAX: usize = 100;

/// A proposed rollout as a transport reads it.
#[derive(Debug, Clone)]
pub struct NewRollout {
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
    /// Who wrote the commits of it.
    pub committers: Vec<String>,
    /// What changes and why.
    pub description: String,
    /// How it gets traffic.
    pub strategy: Strategy,
    /// What it is judged by.
    pub analysis: Analysis,
    /// Deadlines and numbers of attempts.
    pub limits: Limits,
    /// Position of the step after which there is no way back.
    pub point_of_no_return: Option<usize>,
}

/// The use cases of rollouts.
pub struct Rollouts {
    /// Decides and records.
    pub recorder: Recorder,
    /// The gateway, for the table in force.
    pub traffic: Arc<dyn Traffic>,
    /// Wakes the controller.
    pub nudge: Arc<Notify>,
    /// Randomness of new identifiers.
    pub random: Arc<dyn Random>,
    /// The environment whose traffic this service moves.
    pub environment: Environment,
}

impl Rollouts {
    /// Freezes a plan against the table in force, and submits it.
    pub async fn propose(&self, new: NewRollout) -> Result<RolloutHistory, ApiError> {
        let (actor, change, committers) = self.read(&new)?;
        let traffic = self.traffic.table().await.map_err(of_gateway)?;
        let baseline = baseline(&traffic)?;
        if baseline.manifest_digest == change.manifest_digest {
            return Err(ApiError::new(
                ErrorCode::FailedPrecondition,
                "CANDIDATE_SERVES",
                "the candidate serves everything already",
            ));
        }
        let observed_baseline = baseline.manifest_digest;
        let plan = Box::new(Plan {
            change,
            committers,
            environment: self.environment,
            baseline,
            traffic,
            strategy: new.strategy,
            analysis: new.analysis,
            limits: new.limits,
            point_of_no_return: new.point_of_no_return,
        });
        plan.table(&NOTHING_YET).map_err(|error| {
            ApiError::new(
                ErrorCode::FailedPrecondition,
                "NO_TABLE_FOR_CANDIDATE",
                format!(
                    "there is no traffic table with the candidate beside the baseline: {error}"
                ),
            )
        })?;
        let mut random = [0; 10];
        self.random.fill(&mut random);
        let id = RolloutId::new(self.recorder.clock.now(), &random);
        self.ask(&id, &actor, |_| {
            let plan = plan.clone();
            vec![
                Command::Propose { plan },
                Command::Submit { observed_baseline },
            ]
        })
        .await
    }

    /// Records an approval of the plan with this digest.
    pub async fn approve(
        &self,
        id: &str,
        actor: &str,
        plan_digest: &str,
        comment: &str,
    ) -> Result<RolloutHistory, ApiError> {
        let mut fields = Fields::default();
        let plan_digest = fields.parse("/plan_digest", plan_digest);
        let comment = fields.parse::<Comment, _>("/comment", comment);
        fields.finish(invalid)?;
        let (plan_digest, comment) = plan_digest
            .zip(comment)
            .expect("without violations every field was read");
        self.act(id, actor, |_| Command::Approve {
            plan_digest,
            comment: comment.clone(),
        })
        .await
    }

    /// Records that a person refused the plan.
    pub async fn reject(
        &self,
        id: &str,
        actor: &str,
        why: &str,
    ) -> Result<RolloutHistory, ApiError> {
        let reason = reason(why)?;
        self.act(id, actor, |_| Command::Reject {
            reason: reason.clone(),
        })
        .await
    }

    /// Lets an approved rollout go: from here on the controller moves the traffic.
    pub async fn start(&self, id: &str, actor: &str) -> Result<RolloutHistory, ApiError> {
        let history = self.find(id).await?;
        if history.rollout.phase() == Phase::Queued {
            self.check_traffic(history.rollout.plan()).await?;
        }
        let name = lease_name(self.environment);
        let epoch = self.recorder.store.epoch(&name).await.map_err(of_store)?;
        let started = self.act(id, actor, |_| Command::Start { epoch }).await;
        started.map_err(|error| {
            if error.reason != CONCURRENT_CHANGE {
                return error;
            }
            let other = "a rollout or a deployment has this traffic; wait for it or roll it back";
            ApiError::new(ErrorCode::Aborted, "CHANGE_IN_FLIGHT", other)
        })
    }

    /// Has it stand still.
    pub async fn pause(&self, id: &str, actor: &str) -> Result<RolloutHistory, ApiError> {
        self.act(id, actor, |_| Command::Pause).await
    }

    /// Has it go on. After an inconclusive step this passes it, and takes another person than its makers.
    pub async fn resume(
        &self,
        id: &str,
        actor: &str,
        why: &str,
    ) -> Result<RolloutHistory, ApiError> {
        let reason = reason(why)?;
        self.act(id, actor, |_| Command::Resume {
            reason: reason.clone(),
        })
        .await
    }

    /// Opens the gate before the next step.
    pub async fn promote(
        &self,
        id: &str,
        actor: &str,
        comment: &str,
    ) -> Result<RolloutHistory, ApiError> {
        let mut fields = Fields::default();
        let comment = fields.parse::<Comment, _>("/comment", comment);
        fields.finish(invalid)?;
        let comment = comment.expect("without violations every field was read");
        self.act(id, actor, |_| Command::OpenGate {
            comment: comment.clone(),
        })
        .await
    }

    /// Ends it: withdraws it before it has traffic, and rolls it back afterwards.
    pub async fn abort(
        &self,
        id: &str,
        actor: &str,
        why: &str,
    ) -> Result<RolloutHistory, ApiError> {
        let reason = reason(why)?;
        let command = |rollout: &Rollout| {
            let reason = reason.clone();
            match rollout.phase() {
                phase if phase.is_early() || phase == Phase::Cancelled => {
                    Command::Cancel { reason }
                }
                _ => Command::RollBack { reason },
            }
        };
        self.act(id, actor, command).await
    }

    /// Gives everything back to the baseline; one that is stuck is tried again.
    pub async fn roll_back(
        &self,
        id: &str,
        actor: &str,
        why: &str,
    ) -> Result<RolloutHistory, ApiError> {
        let reason = reason(why)?;
        let command = |rollout: &Rollout| match rollout.phase() {
            Phase::RollbackStuck => Command::RetryRollback,
            _ => Command::RollBack {
                reason: reason.clone(),
            },
        };
        self.act(id, actor, command).await
    }

    /// A rollout by its identifier as text.
    pub async fn find(&self, id: &str) -> Result<RolloutHistory, ApiError> {
        let id = parse_id(id)?;
        let found = self.recorder.read(&id).await?;
        found.ok_or_else(|| {
            ApiError::not_found("ROLLOUT_NOT_FOUND", format!("there is no rollout {id}"))
        })
    }

    /// Rollouts without their events, newest first; `page_size` 0 means 100.
    pub async fn list(&self, page_size: u32) -> Result<Vec<RolloutRow>, ApiError> {
        let limit = page(page_size)?;
        self.recorder.store.rollouts(limit).await.map_err(of_store)
    }

    fn read(&self, new: &NewRollout) -> Result<(Principal, Change, Vec<Principal>), ApiError> {
        let mut fields = Fields::default();
        let actor = fields.parse::<Principal, _>("/actor", &new.actor);
        let environment = fields.parse::<Environment, _>("/environment", &new.environment);
        let model = fields.parse("/change/model", &new.model);
        let manifest_digest = fields.parse("/change/manifest_digest", &new.manifest_digest);
        let git_commit = fields.parse("/change/git_commit", &new.git_commit);
        let author = fields.parse("/change/author", &new.author);
        let description = fields.parse("/change/description", &new.description);
        let committers: Vec<Principal> = new
            .committers
            .iter()
            .filter_map(|it| fields.parse("/committers", it))
            .collect();
        if environment.is_some_and(|it| it != self.environment) {
            let rule = format!("this service deploys to {}", self.environment);
            fields.refuse("/environment", rule);
        }
        if committers.len() > COMMITTERS_MAX {
            let rule = format!("at most {COMMITTERS_MAX} are allowed");
            fields.refuse("/committers", rule);
        }
        check_strategy(&mut fields, new);
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
        Ok((actor, change, committers))
    }

    /// The plan was made for the table in force; another one is another plan.
    async fn check_traffic(&self, plan: &Plan) -> Result<(), ApiError> {
        let observed = self.traffic.table().await.map_err(of_gateway)?;
        if observed == plan.traffic {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::FailedPrecondition,
            "TRAFFIC_MOVED",
            format!(
                "the plan begins at traffic generation {}, but {} is in force; propose a new rollout",
                plan.traffic.generation(),
                observed.generation()
            ),
        ))
    }

    async fn act(
        &self,
        id: &str,
        actor: &str,
        command: impl Fn(&Rollout) -> Command,
    ) -> Result<RolloutHistory, ApiError> {
        let mut fields = Fields::default();
        let actor = fields.parse("/actor", actor);
        fields.finish(invalid)?;
        let actor = actor.expect("without violations every field was read");
        let history = self.find(id).await?;
        self.ask(&history.rollout_id, &actor, |rollout| {
            rollout.map(&command).into_iter().collect()
        })
        .await
    }

    async fn ask(
        &self,
        rollout_id: &RolloutId,
        actor: &Principal,
        choose: impl Fn(Option<&Rollout>) -> Vec<Command>,
    ) -> Result<RolloutHistory, ApiError> {
        let ask = Ask {
            rollout_id,
            actor,
            lease: None,
        };
        self.recorder.record(&ask, choose).await?;
        self.nudge.notify_one();
        self.find(&rollout_id.to_string()).await
    }
}

/// A candidate that is there and gets nothing.
const NOTHING_YET: Desired = Desired {
    weight_basis_points: 0,
    mirror_basis_points: 0,
    generation: 0,
    is_reverse: false,
    candidate_runs: true,
    baseline_runs: true,
};

/// The arm that has everything.
fn baseline(traffic: &TrafficTable) -> Result<Baseline, ApiError> {
    let whole = traffic
        .arms()
        .iter()
        .find(|arm| arm.weight_basis_points == WHOLE_BASIS_POINTS);
    let arm = whole.ok_or_else(|| {
        ApiError::new(
            ErrorCode::FailedPrecondition,
            "NO_BASELINE",
            "no model serves all of the traffic, so there is nothing to replace step by step",
        )
    })?;
    Ok(Baseline {
        model: arm.model.clone(),
        manifest_digest: arm.manifest_digest,
    })
}

fn check_strategy(fields: &mut Fields, new: &NewRollout) {
    match new.strategy.program() {
        Err(error) => fields.refuse("/strategy", error.to_string()),
        Ok(steps) if steps.iter().any(|step| step.mirror_basis_points > 0) => {
            fields.refuse("/strategy", "shadows are not rolled out yet".to_owned());
        }
        Ok(_) => {}
    }
    for problem in new.analysis.problems() {
        fields.refuse(&format!("/analysis{}", problem.pointer), problem.rule);
    }
}

fn reason(text: &str) -> Result<Reason, ApiError> {
    let mut fields = Fields::default();
    let reason = fields.parse("/reason", text);
    fields.finish(invalid)?;
    Ok(reason.expect("without violations every field was read"))
}

fn parse_id(text: &str) -> Result<RolloutId, ApiError> {
    text.parse().map_err(|error| {
        ApiError::invalid(
            "INVALID_ROLLOUT_ID",
            format!("{error}"),
            vec![violation("/rollout_id", format!("{error}"))],
        )
    })
}

fn invalid(message: String, violations: Vec<Violation>) -> ApiError {
    ApiError::invalid("INVALID_ROLLOUT_REQUEST", message, violations)
}
