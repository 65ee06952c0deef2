//! What moves a rollout forward, or makes it stand still.

use super::{Draft, reverse, wrong_phase};
use crate::rollout::event::{Event, PassGrounds, PauseCause, RollbackCause};
use crate::rollout::plan::OnInconclusive;
use crate::rollout::refusal::Refusal;
use crate::rollout::state::Phase;
use crate::statistics::{Absence, Verdict};
use crate::text::Name;

/// Takes an observation where it says something new.
pub(super) fn observe(draft: &mut Draft<'_>, phase: Phase, event: Event) {
    if draft.state().phase == phase && draft.state().pause.is_none() {
        draft.push(event);
    }
}

pub(super) fn start(draft: &mut Draft<'_>, epoch: u64) -> Result<(), Refusal> {
    match draft.state().phase {
        Phase::Queued if !draft.is_open() => Err(Refusal::WindowClosed),
        Phase::Queued => {
            draft.push(Event::Started { epoch });
            Ok(())
        }
        phase if phase.is_forward() => Ok(()),
        _ => Err(wrong_phase(
            draft,
            "start",
            "have it approved, or propose a new rollout",
        )),
    }
}

pub(super) fn smoke(draft: &mut Draft<'_>, passed: bool) {
    if passed {
        observe(draft, Phase::Verifying, Event::Verified);
    } else if draft.state().phase == Phase::Verifying {
        reverse::begin(draft, RollbackCause::SmokeFailed);
    }
}

/// The next step begins by itself as soon as it may.
pub(super) fn begin_step_if_open(draft: &mut Draft<'_>) {
    let state = draft.state();
    if state.phase == Phase::Waiting && state.pause.is_none() && draft.is_open() {
        let (step, generation) = (state.step, state.generation + 1);
        draft.push(Event::StepStarted { step, generation });
    }
}

fn pause(draft: &mut Draft<'_>, cause: PauseCause) {
    if draft.state().pause.is_none() {
        draft.push(Event::Paused { cause });
    }
}

/// Time passes: deadlines, and what counts as watched. An expired deadline never passes anything.
pub(super) fn tick(draft: &mut Draft<'_>, has_data: bool) {
    let state = draft.state();
    let (limits, in_phase) = (state.plan.limits, draft.micros_since(state.since));
    if let Some(pause) = state.pause {
        let (longest, cause) = match pause.cause {
            PauseCause::SharedIncident => {
                (limits.shared_incident_micros, RollbackCause::SharedIncident)
            }
            _ => (limits.pause_micros, RollbackCause::PauseTimeout),
        };
        let is_too_long = draft.micros_since(pause.since) > longest;
        if is_too_long && state.desired().weight_basis_points > 0 && !state.is_past_return {
            reverse::begin(draft, cause);
        }
        return;
    }
    match state.phase {
        Phase::AwaitingApproval if in_phase > limits.approval_micros => draft.push(Event::Expired),
        Phase::Preparing if in_phase > limits.progress_micros => {
            reverse::begin(draft, RollbackCause::PrepareTimeout);
        }
        Phase::Verifying if in_phase > limits.verify_micros => {
            pause(draft, PauseCause::AnalysisError);
        }
        Phase::Shifting if in_phase > limits.shift_micros => {
            pause(draft, PauseCause::TargetUnreachable);
        }
        Phase::Gated if in_phase > limits.gate_micros => pause(draft, PauseCause::Gate),
        Phase::Baking | Phase::Finalizing => bake(draft, has_data),
        _ => {}
    }
}

/// Only time with data counts, and of a gap between two looks only so much.
fn bake(draft: &mut Draft<'_>, has_data: bool) {
    let state = draft.state();
    let passed = draft.micros_since(state.baked_until);
    let counted = passed.min(state.plan.limits.tick_gap_micros);
    let by_micros = if has_data { counted } else { 0 };
    // A look with data at the time of the last one says nothing new; one without data is counted.
    if by_micros > 0 || !has_data {
        draft.push(Event::BakeAdvanced { by_micros });
    }
    if draft.state().errors > draft.state().plan.limits.errors_max {
        return pause(draft, PauseCause::AnalysisError);
    }
    let (baked, needed) = draft.state().baked_micros();
    if baked < needed {
        return;
    }
    match draft.state().phase {
        Phase::Baking => draft.push(Event::BakeCompleted),
        _ if has_data => draft.push(Event::Succeeded),
        _ => {}
    }
}

/// Not the candidate's fault, so it stands still; only where it has traffic is there anything to wait for.
pub(super) fn shared_incident(draft: &mut Draft<'_>) {
    let state = draft.state();
    if state.phase.is_forward() && state.desired().weight_basis_points > 0 {
        pause(draft, PauseCause::SharedIncident);
    }
}

/// It goes on by itself: nobody has to be called for what is over.
pub(super) fn incident_over(draft: &mut Draft<'_>) {
    let cause = draft.state().pause.map(|pause| pause.cause);
    if cause == Some(PauseCause::SharedIncident) {
        let reason = "neither arm exceeds a threshold any more";
        let reason = reason.parse().expect("this is a reason");
        draft.push(Event::Resumed { reason });
    }
}

/// No version helps against it, so a person looks at it. Once somebody has said that it may go on, it does.
pub(super) fn population(draft: &mut Draft<'_>) {
    let state = draft.state();
    let has_traffic = state.phase.is_forward() && state.desired().weight_basis_points > 0;
    if has_traffic && !state.accepts_population {
        pause(draft, PauseCause::Population);
    }
}

/// A breach leads back from wherever the candidate has traffic; everything else says something at the end of a step.
pub(super) fn judge(draft: &mut Draft<'_>, verdict: Verdict, metric: Option<Name>) {
    let phase = draft.state().phase;
    if verdict == Verdict::Breach && phase.is_forward() {
        draft.push(Event::Judged { verdict, metric });
        return reverse::begin(draft, RollbackCause::Breach);
    }
    let reason = Absence::SampleRatioMismatch;
    if verdict == (Verdict::NoData { reason }) && phase.is_forward() {
        return pause(draft, PauseCause::SampleRatioMismatch);
    }
    if phase != Phase::Judging || draft.state().pause.is_some() {
        return;
    }
    draft.push(Event::Judged { verdict, metric });
    match verdict {
        Verdict::Clear => {
            let grounds = PassGrounds::Evidence;
            draft.push(Event::StepPassed { grounds });
        }
        Verdict::Insufficient { .. } => inconclusive(draft),
        Verdict::NoData { .. } if draft.state().errors > draft.state().plan.limits.errors_max => {
            pause(draft, PauseCause::AnalysisError);
        }
        Verdict::NoData { .. } | Verdict::Breach => {}
    }
}

fn inconclusive(draft: &mut Draft<'_>) {
    let state = draft.state();
    let limits = state.plan.limits;
    if state.extensions < limits.extensions_max {
        let bake_micros = state
            .steps
            .get(state.step)
            .map_or(0, |step| step.bake_micros);
        let by_micros = (bake_micros / 2).max(1);
        return draft.push(Event::BakeExtended { by_micros });
    }
    match limits.on_inconclusive {
        OnInconclusive::Pause => pause(draft, PauseCause::Inconclusive),
        OnInconclusive::RollBack => reverse::begin(draft, RollbackCause::Inconclusive),
    }
}
