//! What a command does to a deployment.

use fcs_core::{Digest, UnixMicros};

use crate::change::{Change, Environment, plan_digest};
use crate::command::Command;
use crate::deployment::{Deployment, DeploymentState as State};
use crate::event::{Event, RecordedEvent};
use crate::rejection::Rejection;
use crate::text::{Comment, Principal, Reason};
use crate::traffic::{STABLE_ARM, TrafficArm, TrafficTable, WHOLE_BASIS_POINTS};

/// Decides a command: the events to record, none when its effect is there already, or why not.
///
/// Events are numbered after the deployment's last one. A clock that went backwards is held at the
/// time of the last event, so that histories stay in order and a rollback is never refused for it.
pub fn decide(
    state: Option<&Deployment>,
    command: Command,
    actor: &Principal,
    at: UnixMicros,
) -> Result<Vec<RecordedEvent>, Rejection> {
    let event = match (state, command) {
        (
            state,
            Command::Register {
                change,
                environment,
            },
        ) => register(state, change, environment, actor)?,
        (None, _) => return Err(Rejection::NotRegistered),
        (
            Some(deployment),
            Command::Approve {
                plan_digest,
                comment,
            },
        ) => approve(deployment, plan_digest, comment, actor)?,
        (Some(deployment), Command::Activate { observed }) => activate(deployment, observed)?,
        (Some(deployment), Command::ConfirmActivated { observed }) => {
            confirm_activated(deployment, &observed)?
        }
        (Some(deployment), Command::RollBack { reason, observed }) => {
            roll_back(deployment, reason, &observed)?
        }
        (Some(deployment), Command::ConfirmRolledBack { observed }) => {
            confirm_rolled_back(deployment, &observed)?
        }
    };
    let (last_sequence, last_at) = state.map_or((0, at), |deployment| {
        (deployment.sequence(), deployment.updated_at())
    });
    let record = |event| RecordedEvent {
        sequence: last_sequence + 1,
        at: at.max(last_at),
        actor: actor.clone(),
        event,
    };
    Ok(event.map(record).into_iter().collect())
}

fn register(
    state: Option<&Deployment>,
    change: Change,
    environment: Environment,
    actor: &Principal,
) -> Result<Option<Event>, Rejection> {
    let plan_digest = plan_digest(&change, environment);
    match state {
        None => Ok(Some(Event::Registered {
            change,
            environment,
            plan_digest,
        })),
        Some(deployment)
            if deployment.plan_digest() == plan_digest
                && deployment.requested_by().is_same_as(actor) =>
        {
            Ok(None)
        }
        Some(_) => Err(Rejection::AlreadyRegistered),
    }
}

fn approve(
    deployment: &Deployment,
    plan_digest: Digest,
    comment: Comment,
    actor: &Principal,
) -> Result<Option<Event>, Rejection> {
    if plan_digest != deployment.plan_digest() {
        return Err(Rejection::PlanMismatch {
            expected: deployment.plan_digest(),
        });
    }
    if actor.is_same_as(&deployment.change().author) {
        return Err(Rejection::FourEyes { role: "author" });
    }
    if actor.is_same_as(deployment.requested_by()) {
        return Err(Rejection::FourEyes { role: "requester" });
    }
    if deployment
        .approvals()
        .iter()
        .any(|approval| approval.approver.is_same_as(actor))
    {
        return Ok(None);
    }
    match deployment.state() {
        State::Registered => Ok(Some(Event::Approved {
            plan_digest,
            comment,
        })),
        State::Approved => Err(wrong_state("approve", deployment, "activate it")),
        _ => Err(wrong_state(
            "approve",
            deployment,
            "register a new deployment",
        )),
    }
}

fn activate(deployment: &Deployment, observed: TrafficTable) -> Result<Option<Event>, Rejection> {
    match deployment.state() {
        State::Registered | State::Approved => {}
        State::Activating => {
            let desired = requested(deployment);
            if observed.generation() < desired.generation() || observed == *desired {
                return Ok(None);
            }
            return Err(not_in_force(&observed, desired));
        }
        State::Active => return check_in_force(deployment, &observed).map(|()| None),
        State::RollingBack | State::RolledBack => {
            return Err(wrong_state(
                "activate",
                deployment,
                "register a new deployment",
            ));
        }
    }
    if !deployment.has_required_approvals() {
        return Err(Rejection::ApprovalsMissing {
            required: deployment.environment().required_approvals(),
            given: deployment.approvals().len(),
        });
    }
    let arm = TrafficArm {
        name: STABLE_ARM.to_owned(),
        model: deployment.change().model.clone(),
        manifest_digest: deployment.change().manifest_digest,
        weight_basis_points: WHOLE_BASIS_POINTS,
    };
    let salt = match observed.salt() {
        "" => deployment.plan_digest().to_string(),
        salt => salt.to_owned(),
    };
    let desired = table_after(observed.generation(), salt, vec![arm])?;
    Ok(Some(Event::ActivationRequested {
        desired,
        previous: observed,
    }))
}

fn confirm_activated(
    deployment: &Deployment,
    observed: &TrafficTable,
) -> Result<Option<Event>, Rejection> {
    match deployment.state() {
        State::Activating => {
            check_in_force(deployment, observed)?;
            Ok(Some(Event::Activated {
                observed_generation: observed.generation(),
            }))
        }
        State::Active => check_in_force(deployment, observed).map(|()| None),
        State::Registered | State::Approved => Err(wrong_state(
            "confirm the activation",
            deployment,
            "activate it first",
        )),
        State::RollingBack | State::RolledBack => Err(wrong_state(
            "confirm the activation",
            deployment,
            "register a new deployment",
        )),
    }
}

fn roll_back(
    deployment: &Deployment,
    reason: Reason,
    observed: &TrafficTable,
) -> Result<Option<Event>, Rejection> {
    match deployment.state() {
        State::Activating | State::Active => {}
        State::RollingBack => {
            let desired = requested(deployment);
            if observed.generation() < desired.generation() || observed == desired {
                return Ok(None);
            }
            // Another change overtook the rollback; it is asked for again so that it cannot stick.
        }
        State::RolledBack => return Ok(None),
        State::Registered | State::Approved => {
            let advice = "it has taken no traffic, so there is nothing to undo";
            return Err(wrong_state("roll back", deployment, advice));
        }
    }
    let previous = deployment
        .previous_traffic()
        .expect("an activation records the previous traffic");
    // Above what was asked for, too: an activation still under way then loses against the rollback.
    let base = observed
        .generation()
        .max(requested(deployment).generation());
    let desired = table_after(base, previous.salt().to_owned(), previous.arms().to_vec())?;
    let leaves_no_traffic = desired.is_empty();
    Ok(Some(Event::RollbackRequested {
        reason,
        desired,
        leaves_no_traffic,
    }))
}

fn confirm_rolled_back(
    deployment: &Deployment,
    observed: &TrafficTable,
) -> Result<Option<Event>, Rejection> {
    match deployment.state() {
        State::RollingBack => {
            check_in_force(deployment, observed)?;
            Ok(Some(Event::RolledBack {
                observed_generation: observed.generation(),
            }))
        }
        State::RolledBack => check_in_force(deployment, observed).map(|()| None),
        _ => Err(wrong_state(
            "confirm the rollback",
            deployment,
            "roll it back first",
        )),
    }
}

/// The table one generation after `generation`.
fn table_after(
    generation: u64,
    salt: String,
    arms: Vec<TrafficArm>,
) -> Result<TrafficTable, Rejection> {
    // Salt and arms come from checked values, so only the generation can be refused.
    TrafficTable::new(generation + 1, salt, arms).map_err(|_| Rejection::GenerationsExhausted)
}

fn check_in_force(deployment: &Deployment, observed: &TrafficTable) -> Result<(), Rejection> {
    let desired = requested(deployment);
    if observed == desired {
        Ok(())
    } else {
        Err(not_in_force(observed, desired))
    }
}

fn not_in_force(observed: &TrafficTable, desired: &TrafficTable) -> Rejection {
    let (observed, desired) = (observed.generation(), desired.generation());
    if observed < desired {
        Rejection::NotInForce { observed, desired }
    } else {
        Rejection::TrafficMoved { observed, desired }
    }
}

fn requested(deployment: &Deployment) -> &TrafficTable {
    deployment
        .last_requested_traffic()
        .expect("an activation records the desired traffic")
}

fn wrong_state(command: &'static str, deployment: &Deployment, advice: &'static str) -> Rejection {
    Rejection::WrongState {
        command,
        state: deployment.state(),
        advice,
    }
}
