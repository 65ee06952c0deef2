mod draft;
mod forward;
mod people;
mod reverse;

use fcs_core::UnixMicros;

use self::draft::Draft;
use super::command::Command;
use super::event::{Event, Recorded};
use super::refusal::Refusal;
use super::state::{Phase, Rollout};
use crate::text::Principal;

/// When a command comes, and what holds at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub at: UnixMicros,
    /// Whether candidates may get more traffic now: [`super::is_open`].
    pub is_open: bool,
}

/// Decides a command: the events to record, none when its effect is there already, or why not.
///
/// Observations that say nothing new in the present phase are taken without an effect, so they may be repeated,
/// come late or come twice. A clock that went backwards is held at the time of the last event.
pub fn decide(
    state: Option<&Rollout>,
    command: Command,
    actor: &Principal,
    moment: Moment,
) -> Result<Vec<Recorded>, Refusal> {
    let Some(rollout) = state else {
        let Command::Propose { plan } = command else {
            return Err(Refusal::NotProposed);
        };
        plan.strategy.program().map_err(Refusal::Strategy)?;
        let plan_digest = plan.digest();
        let event = Event::Proposed { plan, plan_digest };
        return Ok(vec![Recorded {
            sequence: 1,
            at: moment.at,
            actor: actor.clone(),
            event,
        }]);
    };
    let mut draft = Draft::new(rollout, actor, moment);
    match command {
        Command::Propose { plan } => {
            let is_same = *plan == rollout.plan && actor.is_same_as(&rollout.requested_by);
            return if is_same {
                Ok(Vec::new())
            } else {
                Err(Refusal::AlreadyProposed)
            };
        }
        Command::Submit { observed_baseline } => people::submit(&mut draft, observed_baseline)?,
        Command::Approve {
            plan_digest,
            comment,
        } => people::approve(&mut draft, plan_digest, comment)?,
        Command::Reject { reason } => people::reject(&mut draft, reason)?,
        Command::Cancel { reason } => people::cancel(&mut draft, reason)?,
        Command::Supersede => people::supersede(&mut draft)?,
        Command::BreakGlass { reason, incident } => {
            people::break_glass(&mut draft, reason, incident)?;
        }
        Command::OpenGate { comment } => people::open_gate(&mut draft, comment)?,
        Command::Pause => people::pause(&mut draft)?,
        Command::Resume { reason } => people::resume(&mut draft, reason)?,
        Command::Start { epoch } => forward::start(&mut draft, epoch)?,
        Command::ReportReady => {
            forward::observe(&mut draft, Phase::Preparing, Event::CandidateReady);
        }
        Command::ReportSmoke { passed } => forward::smoke(&mut draft, passed),
        Command::ConfirmShift { generation } => confirm_shift(&mut draft, generation),
        Command::Tick { has_data } => forward::tick(&mut draft, has_data),
        Command::Judge { verdict, metric } => forward::judge(&mut draft, verdict, metric),
        Command::TripGuard { reason } => reverse::trip(&mut draft, reason),
        Command::ReportSharedIncident => forward::shared_incident(&mut draft),
        Command::ReportIncidentOver => forward::incident_over(&mut draft),
        Command::ReportPopulation => forward::population(&mut draft),
        Command::RollBack { reason } => reverse::roll_back(&mut draft, reason)?,
        Command::ReportBaselineReady => {
            forward::observe(&mut draft, Phase::Settling, Event::BaselineReady);
        }
        Command::ReportBaseline { digest } => {
            reverse::baseline(&mut draft, digest);
        }
        Command::ReportRollbackFailed => reverse::failed(&mut draft),
        Command::RetryRollback => reverse::retry(&mut draft)?,
        Command::AcknowledgeRepair { digest } => reverse::acknowledge(&mut draft, digest)?,
    }
    forward::begin_step_if_open(&mut draft);
    Ok(draft.into_events())
}

/// Of the generation that was asked for last; an older one says nothing.
fn confirm_shift(draft: &mut Draft<'_>, generation: u64) {
    if generation != draft.state().generation {
        return;
    }
    forward::observe(draft, Phase::Shifting, Event::ShiftConfirmed { generation });
    forward::observe(
        draft,
        Phase::RollingBack,
        Event::RollbackShifted { generation },
    );
}

fn wrong_phase(draft: &Draft<'_>, command: &'static str, advice: &'static str) -> Refusal {
    Refusal::WrongPhase {
        command,
        phase: draft.state().phase,
        advice,
    }
}
