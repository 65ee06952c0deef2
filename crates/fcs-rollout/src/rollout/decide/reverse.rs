//! The way back. No pause, gate, window or approval is asked.

use fcs_core::Digest;

use super::{Draft, wrong_phase};
use crate::rollout::event::{Event, PauseCause, RollbackCause};
use crate::rollout::refusal::Refusal;
use crate::rollout::state::Phase;
use crate::text::Reason;

/// Begins the way back; after the point of no return it stands still instead and needs people.
pub(super) fn begin(draft: &mut Draft<'_>, cause: RollbackCause) {
    if !draft.state().is_past_return {
        let generation = draft.state().generation + 1;
        return draft.push(Event::RollbackStarted { cause, generation });
    }
    let forward_only = PauseCause::ForwardFixOnly;
    if draft.state().pause.map(|pause| pause.cause) != Some(forward_only) {
        draft.push(Event::Paused {
            cause: forward_only,
        });
    }
}

pub(super) fn trip(draft: &mut Draft<'_>, reason: Reason) {
    if draft.state().phase.is_forward() {
        begin(draft, RollbackCause::Guard { reason });
    }
}

pub(super) fn roll_back(draft: &mut Draft<'_>, reason: Reason) -> Result<(), Refusal> {
    match draft.state().phase {
        phase if phase.is_forward() && draft.state().is_past_return => Err(Refusal::PastReturn),
        phase if phase.is_forward() => {
            begin(draft, RollbackCause::Requested { reason });
            Ok(())
        }
        Phase::RollbackStuck => Err(wrong_phase(draft, "roll back", "retry the rollback")),
        phase if phase.is_reverse() || phase == Phase::RolledBack => Ok(()),
        phase if phase.is_early() => Err(wrong_phase(draft, "roll back", "cancel it")),
        _ => Err(wrong_phase(draft, "roll back", "propose a new rollout")),
    }
}

/// The baseline must be seen to serve everything. Anything else is a failed attempt.
pub(super) fn baseline(draft: &mut Draft<'_>, digest: Digest) {
    if draft.state().phase != Phase::Confirming {
        return;
    }
    if digest == draft.state().plan.baseline.manifest_digest {
        let baseline_digest = digest;
        draft.push(Event::RolledBack { baseline_digest });
    } else {
        failed(draft);
    }
}

pub(super) fn failed(draft: &mut Draft<'_>) {
    let phase = draft.state().phase;
    if !phase.is_reverse() || phase == Phase::RollbackStuck {
        return;
    }
    draft.push(Event::RollbackFailed);
    let state = draft.state();
    if state.rollback_failures > state.plan.limits.rollback_attempts_max {
        draft.push(Event::RollbackStuck);
    }
}

pub(super) fn retry(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    match draft.state().phase {
        Phase::RollbackStuck => {
            begin(draft, RollbackCause::Retried);
            Ok(())
        }
        phase if phase.is_reverse() => Ok(()),
        _ => Err(wrong_phase(draft, "retry the rollback", "none is stuck")),
    }
}

pub(super) fn acknowledge(draft: &mut Draft<'_>, observed: Digest) -> Result<(), Refusal> {
    let expected = draft.state().plan.baseline.manifest_digest;
    match draft.state().phase {
        Phase::RolledBack => Ok(()),
        Phase::RollbackStuck if observed != expected => {
            Err(Refusal::BaselineMismatch { expected, observed })
        }
        Phase::RollbackStuck => {
            let baseline_digest = observed;
            draft.push(Event::RolledBack { baseline_digest });
            Ok(())
        }
        _ => Err(wrong_phase(
            draft,
            "acknowledge a repair",
            "no rollback is stuck",
        )),
    }
}
