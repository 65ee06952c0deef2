//! `fcs rollout`.

mod plan;
mod text;
mod watch;

use anyhow::Context as _;
use fcs_proto::deployment::v1 as wire;
use tonic::{Response, Status};

use crate::cli::{ByPerson, Format, Global, ProposeArguments, RolloutCommand, WithReason};
use crate::client::Clients;
use crate::commands::deployment::change_of;
use crate::exit::CliError;
use crate::output::print;

/// Runs one of the commands.
pub(crate) async fn run(global: &Global, command: &RolloutCommand) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let rollout = match command {
        RolloutCommand::List => return list(&mut clients, global.output).await,
        RolloutCommand::Watch { id, timeout } => {
            return watch::run(&mut clients, global.output, id, *timeout).await;
        }
        RolloutCommand::Get { id } => get(&mut clients, id).await?,
        RolloutCommand::Propose(arguments) => propose(global, &mut clients, arguments).await?,
        acting => act(&mut clients, acting).await?,
    };
    print(global.output, &text::document(&rollout), |_| {
        text::text(&rollout)
    })
}

async fn propose(
    global: &Global,
    clients: &mut Clients,
    arguments: &ProposeArguments,
) -> anyhow::Result<wire::Rollout> {
    let plan = match &arguments.plan {
        Some(path) => plan::read(path)?,
        None => plan::PlanParts::default(),
    };
    let request = wire::ProposeRolloutRequest {
        actor: arguments.change.actor.clone(),
        environment: arguments.change.environment.clone(),
        change: Some(change_of(global, &arguments.change)?),
        committers: arguments.committers.clone(),
        strategy: plan.strategy,
        analysis: plan.analysis,
        limits: plan.limits,
        point_of_no_return: plan.point_of_no_return,
    };
    let answer = clients.rollouts.propose_rollout(request).await;
    sent(answer, |it| it.rollout)
}

/// What a person does about a rollout.
async fn act(clients: &mut Clients, command: &RolloutCommand) -> anyhow::Result<wire::Rollout> {
    let rollouts = &mut clients.rollouts;
    match command {
        RolloutCommand::Approve { rollout, comment } => {
            let plan_digest = get(clients, &rollout.id).await?.plan_digest;
            let request = wire::ApproveRolloutRequest {
                actor: rollout.actor.clone(),
                rollout_id: rollout.id.clone(),
                plan_digest,
                comment: comment.clone(),
            };
            sent(clients.rollouts.approve_rollout(request).await, |it| {
                it.rollout
            })
        }
        RolloutCommand::Promote { rollout, comment } => {
            let request = wire::PromoteRolloutRequest {
                actor: rollout.actor.clone(),
                rollout_id: rollout.id.clone(),
                comment: comment.clone(),
            };
            sent(rollouts.promote_rollout(request).await, |it| it.rollout)
        }
        RolloutCommand::Start(ByPerson { id, actor }) => {
            let (actor, rollout_id) = (actor.clone(), id.clone());
            let request = wire::StartRolloutRequest { actor, rollout_id };
            sent(rollouts.start_rollout(request).await, |it| it.rollout)
        }
        RolloutCommand::Pause(ByPerson { id, actor }) => {
            let (actor, rollout_id) = (actor.clone(), id.clone());
            let request = wire::PauseRolloutRequest { actor, rollout_id };
            sent(rollouts.pause_rollout(request).await, |it| it.rollout)
        }
        other => act_with_reason(clients, other).await,
    }
}

async fn act_with_reason(
    clients: &mut Clients,
    command: &RolloutCommand,
) -> anyhow::Result<wire::Rollout> {
    let rollouts = &mut clients.rollouts;
    let said = |it: &WithReason| {
        let ByPerson { id, actor } = &it.rollout;
        (actor.clone(), id.clone(), it.reason.clone())
    };
    match command {
        RolloutCommand::Reject(it) => {
            let (actor, rollout_id, reason) = said(it);
            let request = wire::RejectRolloutRequest {
                actor,
                rollout_id,
                reason,
            };
            sent(rollouts.reject_rollout(request).await, |it| it.rollout)
        }
        RolloutCommand::Resume(it) => {
            let (actor, rollout_id, reason) = said(it);
            let request = wire::ResumeRolloutRequest {
                actor,
                rollout_id,
                reason,
            };
            sent(rollouts.resume_rollout(request).await, |it| it.rollout)
        }
        RolloutCommand::Abort(it) => {
            let (actor, rollout_id, reason) = said(it);
            let request = wire::AbortRolloutRequest {
                actor,
                rollout_id,
                reason,
            };
            sent(rollouts.abort_rollout(request).await, |it| it.rollout)
        }
        RolloutCommand::Rollback(it) => {
            let (actor, rollout_id, reason) = said(it);
            let request = wire::RollBackRolloutRequest {
                actor,
                rollout_id,
                reason,
            };
            sent(rollouts.roll_back_rollout(request).await, |it| it.rollout)
        }
        _ => anyhow::bail!("this command changes no rollout"),
    }
}

async fn get(clients: &mut Clients, id: &str) -> anyhow::Result<wire::Rollout> {
    let request = wire::GetRolloutRequest {
        rollout_id: id.to_owned(),
    };
    sent(clients.rollouts.get_rollout(request).await, |it| it.rollout)
}

async fn list(clients: &mut Clients, format: Format) -> anyhow::Result<()> {
    let request = wire::ListRolloutsRequest { page_size: 1_000 };
    let answer = clients.rollouts.list_rollouts(request).await;
    let rollouts = answer.map_err(CliError::from)?.into_inner().rollouts;
    let documents: Vec<_> = rollouts.iter().map(text::summary).collect();
    print(format, &documents, |_| text::overview(&rollouts))
}

/// The rollout of an answer.
fn sent<T>(
    answer: Result<Response<T>, Status>,
    rollout: impl FnOnce(T) -> Option<wire::Rollout>,
) -> anyhow::Result<wire::Rollout> {
    let answer = answer.map_err(CliError::from)?.into_inner();
    rollout(answer).context("the service sent no rollout")
}
