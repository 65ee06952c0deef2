//! What people ask for.

use fcs_core::Digest;

use super::{Draft, wrong_phase};
use crate::rollout::event::{Event, PassGrounds, PauseCause};
use crate::rollout::refusal::Refusal;
use crate::rollout::state::Phase;
use crate::text::{Comment, Reason};

pub(super) fn submit(draft: &mut Draft<'_>, observed: Digest) -> Result<(), Refusal> {
    let expected = draft.state().plan.baseline.manifest_digest;
    match draft.state().phase {
        Phase::Proposed if observed != expected => {
            Err(Refusal::BaselineMismatch { expected, observed })
        }
        Phase::Proposed => {
            draft.push(Event::Submitted);
            Ok(())
        }
        Phase::AwaitingApproval | Phase::Queued => Ok(()),
        _ => Err(wrong_phase(draft, "submit", "propose a new rollout")),
    }
}

pub(super) fn approve(
    draft: &mut Draft<'_>,
    plan_digest: Digest,
    comment: Comment,
) -> Result<(), Refusal> {
    let expected = draft.state().plan_digest;
    if plan_digest != expected {
        return Err(Refusal::PlanMismatch { expected });
    }
    is_another_person(draft)?;
    let actor = draft.actor();
    let approvals = &draft.state().approvals;
    let has_approved = approvals.iter().any(|it| it.approver.is_same_as(actor));
    match draft.state().phase {
        _ if has_approved => Ok(()),
        Phase::AwaitingApproval => {
            draft.push(Event::Approved {
                plan_digest,
                comment,
            });
            Ok(())
        }
        Phase::Proposed => Err(wrong_phase(draft, "approve", "submit it first")),
        _ => Err(wrong_phase(draft, "approve", "no approval is missing")),
    }
}

/// Neither author, committer nor requester.
fn is_another_person(draft: &Draft<'_>) -> Result<(), Refusal> {
    let (actor, state) = (draft.actor(), draft.state());
    if actor.is_same_as(&state.plan.change.author) {
        return Err(Refusal::FourEyes { role: "author" });
    }
    let committers = &state.plan.committers;
    if committers.iter().any(|it| actor.is_same_as(it)) {
        return Err(Refusal::FourEyes { role: "committer" });
    }
    if actor.is_same_as(&state.requested_by) {
        return Err(Refusal::FourEyes { role: "requester" });
    }
    Ok(())
}

pub(super) fn reject(draft: &mut Draft<'_>, reason: Reason) -> Result<(), Refusal> {
    match draft.state().phase {
        Phase::AwaitingApproval => draft.push(Event::Rejected { reason }),
        Phase::Rejected => {}
        _ => return Err(wrong_phase(draft, "reject", "cancel it or roll it back")),
    }
    Ok(())
}

pub(super) fn cancel(draft: &mut Draft<'_>, reason: Reason) -> Result<(), Refusal> {
    match draft.state().phase {
        phase if phase.is_early() => draft.push(Event::Cancelled { reason }),
        Phase::Cancelled => {}
        phase if phase.is_forward() => return Err(wrong_phase(draft, "cancel", "roll it back")),
        _ => return Err(wrong_phase(draft, "cancel", "there is nothing to cancel")),
    }
    Ok(())
}

pub(super) fn supersede(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    match draft.state().phase {
        phase if phase.is_early() => draft.push(Event::Superseded),
        Phase::Superseded => {}
        _ => return Err(wrong_phase(draft, "supersede", "roll it back first")),
    }
    Ok(())
}

pub(super) fn break_glass(
    draft: &mut Draft<'_>,
    reason: Reason,
    incident: Reason,
) -> Result<(), Refusal> {
    if draft.state().has_broken_glass {
        return Ok(());
    }
    match draft.state().phase {
        Phase::AwaitingApproval | Phase::Queued => {}
        phase if phase.is_forward() => {}
        Phase::Proposed => return Err(wrong_phase(draft, "break the glass", "submit it first")),
        _ => return Err(wrong_phase(draft, "break the glass", "nothing holds it up")),
    }
    draft.push(Event::GlassBroken { reason, incident });
    Ok(())
}

pub(super) fn open_gate(draft: &mut Draft<'_>, comment: Comment) -> Result<(), Refusal> {
    is_another_person(draft)?;
    let is_paused = draft.state().pause.is_some();
    match draft.state().phase {
        Phase::Gated if is_paused => Err(wrong_phase(draft, "open the gate", "resume it first")),
        Phase::Gated => {
            draft.push(Event::GateOpened { comment });
            Ok(())
        }
        _ => Err(wrong_phase(
            draft,
            "open a gate",
            "wait until it stands before one",
        )),
    }
}

pub(super) fn pause(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    if !draft.state().phase.is_forward() {
        return Err(wrong_phase(draft, "pause", "it does not go forward"));
    }
    if draft.state().pause.is_none() {
        let cause = PauseCause::Manual;
        draft.push(Event::Paused { cause });
    }
    Ok(())
}

pub(super) fn resume(draft: &mut Draft<'_>, reason: Reason) -> Result<(), Refusal> {
    let Some(pause) = draft.state().pause else {
        return Ok(());
    };
    let is_override = pause.cause == PauseCause::Inconclusive;
    if is_override {
        is_another_person(draft)?;
    }
    let resumed = reason.clone();
    draft.push(Event::Resumed { reason: resumed });
    if is_override && draft.state().phase == Phase::Judging {
        let grounds = PassGrounds::Override { reason };
        draft.push(Event::StepPassed { grounds });
    }
    Ok(())
}
