//! Laws that every history keeps, stated over the events alone where that is possible.
//!
//! They repeat nothing of the machine, so they can catch a defect of it, and a forged or damaged history as well.

use super::event::{Event, PassGrounds, Recorded};
use super::fold::apply;
use super::plan::Plan;
use super::state::{Phase, Rollout};
use crate::deployment::FoldError;
use crate::statistics::Verdict;
use crate::text::Principal;

/// A history that breaks a law; the number is the sequence of the first event that does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenLaw {
    /// A sequence does not rise by one from 1, or an event is older than the one before it.
    #[error("event {0} is out of order")]
    Order(u64),
    /// The plan is not the one that its digest says, or an approval is bound to another one.
    #[error("event {0} is bound to another plan")]
    Plan(u64),
    /// The author, a committer, the requester or an earlier approver approved.
    #[error(
        "event {0} is an approval by the author, a committer, the requester or an earlier approver"
    )]
    FourEyes(u64),
    /// The candidate got traffic without approvals and without broken glass, or before it was seen ready.
    #[error("event {0} gives traffic to a candidate that is not approved or not ready")]
    Unready(u64),
    /// The candidate got traffic after the way back began.
    #[error("event {0} goes forward on the way back")]
    Direction(u64),
    /// A step passed without a clear verdict just before, and nobody took it upon themselves.
    #[error("event {0} passes a step without evidence")]
    Evidence(u64),
    /// A step was not watched for as long as the plan says.
    #[error("event {0} ends a bake that is too short")]
    Bake(u64),
    /// It went on without data for longer than the plan says.
    #[error("event {0} goes on without data")]
    Blind(u64),
    /// It succeeded without every step.
    #[error("event {0} succeeds without having passed every step")]
    Incomplete(u64),
    /// It says that the baseline serves, and something else does.
    #[error("event {0} is rolled back to something else than the baseline")]
    Baseline(u64),
    /// It goes back after the point of no return.
    #[error("event {0} goes back after the point of no return")]
    PastReturn(u64),
    /// A generation does not rise.
    #[error("event {0} breaks the order of generations")]
    Generation(u64),
    /// The weight in force rose without a step.
    #[error("event {0} gives the candidate more without a step")]
    Weight(u64),
    /// The events do not fold.
    #[error("the history does not fold")]
    Fold(#[source] FoldError),
    /// The fold differs after the events were written and read.
    #[error("the history folds to another state after storage")]
    Storage,
}

/// Checks every law.
pub fn check(events: &[Recorded]) -> Result<(), BrokenLaw> {
    order_is_kept(events)?;
    let Some(plan) = plan_of(events) else {
        return Ok(());
    };
    plan_is_bound(plan, events)?;
    approvers_are_other_people(plan, events)?;
    traffic_is_earned(plan, events)?;
    steps_have_evidence(plan, events)?;
    bakes_are_long_enough(plan, events)?;
    nothing_goes_on_blindly(plan, events)?;
    rollback_restores_the_baseline(plan, events)?;
    nothing_returns_past_the_point(plan, events)?;
    generations_rise(events)?;
    weight_rises_by_steps_only(events)?;
    fold_survives_storage(events)
}

/// Whether at most one of the rollouts of one service and environment goes forward or back.
pub fn one_at_a_time<'a>(rollouts: impl IntoIterator<Item = &'a Rollout>) -> bool {
    let is_moving = |it: &&Rollout| it.phase().is_forward() || it.phase().is_reverse();
    rollouts.into_iter().filter(is_moving).count() <= 1
}

fn plan_of(events: &[Recorded]) -> Option<&Plan> {
    events.iter().find_map(|recorded| match &recorded.event {
        Event::Proposed { plan, .. } => Some(&**plan),
        _ => None,
    })
}

/// Sequences are 1, 2, 3 and so on, and no event is older than the one before it.
pub fn order_is_kept(events: &[Recorded]) -> Result<(), BrokenLaw> {
    let mut last = None;
    for (expected, recorded) in (1..).zip(events) {
        let is_later = last.is_none_or(|last| last <= recorded.at);
        let holds = recorded.sequence == expected && is_later;
        ensure(holds, recorded, BrokenLaw::Order)?;
        last = Some(recorded.at);
    }
    Ok(())
}

/// The proposal and every approval carry the digest of the plan.
pub fn plan_is_bound(plan: &Plan, events: &[Recorded]) -> Result<(), BrokenLaw> {
    let expected = plan.digest();
    for recorded in events {
        let holds = match &recorded.event {
            Event::Proposed { plan_digest, .. } | Event::Approved { plan_digest, .. } => {
                *plan_digest == expected
            }
            _ => true,
        };
        ensure(holds, recorded, BrokenLaw::Plan)?;
    }
    Ok(())
}

/// Every approver is another person than the author, the committers, the requester and the earlier approvers.
pub fn approvers_are_other_people(plan: &Plan, events: &[Recorded]) -> Result<(), BrokenLaw> {
    let mut barred: Vec<&Principal> = plan.committers.iter().collect();
    barred.push(&plan.change.author);
    for recorded in events {
        let actor = &recorded.actor;
        match recorded.event {
            Event::Proposed { .. } => barred.push(actor),
            Event::Approved { .. } => {
                let is_barred = barred.iter().any(|person| person.is_same_as(actor));
                ensure(!is_barred, recorded, BrokenLaw::FourEyes)?;
                barred.push(actor);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Traffic needs approvals or broken glass, a candidate that was seen ready and tested, and no way back before.
pub fn traffic_is_earned(plan: &Plan, events: &[Recorded]) -> Result<(), BrokenLaw> {
    let (mut approvals, mut is_ready, mut is_tested) = (0, false, false);
    let (mut has_broken_glass, mut is_back) = (false, false);
    for recorded in events {
        match recorded.event {
            Event::Approved { .. } => approvals += 1,
            Event::GlassBroken { .. } => has_broken_glass = true,
            Event::CandidateReady => is_ready = true,
            Event::Verified => is_tested = true,
            Event::RollbackStarted { .. } => is_back = true,
            Event::StepStarted { .. } => {
                let is_approved = approvals >= plan.environment.required_approvals();
                let is_earned = (is_approved || has_broken_glass) && is_ready && is_tested;
                ensure(is_earned, recorded, BrokenLaw::Unready)?;
                ensure(!is_back, recorded, BrokenLaw::Direction)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// A step passes right after a clear verdict, or by somebody's word; and success needs every step.
pub fn steps_have_evidence(plan: &Plan, events: &[Recorded]) -> Result<(), BrokenLaw> {
    let steps = plan
        .strategy
        .program()
        .map_or(usize::MAX, |steps| steps.len());
    let (mut passed, mut last) = (0, None::<&Event>);
    for recorded in events {
        match &recorded.event {
            Event::StepPassed { grounds } => {
                let has_evidence = matches!(
                    last,
                    Some(Event::Judged {
                        verdict: Verdict::Clear,
                        ..
                    })
                );
                let holds = has_evidence || *grounds != PassGrounds::Evidence;
                ensure(holds, recorded, BrokenLaw::Evidence)?;
                passed += 1;
            }
            Event::Succeeded => ensure(passed >= steps, recorded, BrokenLaw::Incomplete)?,
            _ => {}
        }
        last = Some(&recorded.event);
    }
    Ok(())
}

/// Watched time is never more than the time that went by, and a bake ends only when there is enough of it.
pub fn bakes_are_long_enough(plan: &Plan, events: &[Recorded]) -> Result<(), BrokenLaw> {
    let steps = plan.strategy.program().unwrap_or_default();
    let (mut needed, mut watched, mut before) = (u64::MAX, 0_u64, None);
    for recorded in events {
        match &recorded.event {
            Event::StepStarted { step, .. } => {
                needed = steps.get(*step).map_or(u64::MAX, |step| step.bake_micros);
                watched = 0;
            }
            Event::BakeExtended { by_micros } => needed = needed.saturating_add(*by_micros),
            Event::BakeAdvanced { by_micros } => {
                let passed = before.map_or(0, |before| recorded.at.0.saturating_sub(before));
                let holds = i64::try_from(*by_micros).is_ok_and(|by| by <= passed);
                ensure(holds, recorded, BrokenLaw::Bake)?;
                watched = watched.saturating_add(*by_micros);
            }
            Event::BakeCompleted => ensure(watched >= needed, recorded, BrokenLaw::Bake)?,
            Event::StepPassed { .. } => watched = 0,
            Event::Succeeded => {
                let is_enough = watched >= plan.limits.final_bake_micros;
                ensure(is_enough, recorded, BrokenLaw::Bake)?;
            }
            _ => {}
        }
        let is_watching = matches!(
            recorded.event,
            Event::BakeAdvanced { .. }
                | Event::ShiftConfirmed { .. }
                | Event::BakeExtended { .. }
                | Event::StepPassed { .. }
                | Event::Resumed { .. }
        );
        if is_watching {
            before = Some(recorded.at.0);
        }
    }
    Ok(())
}

/// After so many looks without data, one after another, it stands still.
pub fn nothing_goes_on_blindly(plan: &Plan, events: &[Recorded]) -> Result<(), BrokenLaw> {
    let mut blind = 0_u32;
    for recorded in events {
        let stands_still = matches!(recorded.event, Event::Paused { .. });
        let holds = blind <= plan.limits.errors_max || stands_still;
        ensure(holds, recorded, BrokenLaw::Blind)?;
        blind = match recorded.event {
            Event::BakeAdvanced { by_micros: 0 } => blind.saturating_add(1),
            _ => 0,
        };
    }
    Ok(())
}

/// The end of the way back names the baseline of the plan.
pub fn rollback_restores_the_baseline(plan: &Plan, events: &[Recorded]) -> Result<(), BrokenLaw> {
    for recorded in events {
        if let Event::RolledBack { baseline_digest } = &recorded.event {
            let holds = *baseline_digest == plan.baseline.manifest_digest;
            ensure(holds, recorded, BrokenLaw::Baseline)?;
        }
    }
    Ok(())
}

/// Once the step of the point of no return is in force, no way back begins.
pub fn nothing_returns_past_the_point(plan: &Plan, events: &[Recorded]) -> Result<(), BrokenLaw> {
    let (mut step, mut is_past) = (0, false);
    for recorded in events {
        match &recorded.event {
            Event::StepStarted { step: started, .. } => step = *started,
            Event::ShiftConfirmed { .. } => {
                is_past |= plan.point_of_no_return.is_some_and(|point| step >= point);
            }
            Event::RollbackStarted { .. } => ensure(!is_past, recorded, BrokenLaw::PastReturn)?,
            _ => {}
        }
    }
    Ok(())
}

/// Each generation is above all before it, and a confirmation names the last one.
pub fn generations_rise(events: &[Recorded]) -> Result<(), BrokenLaw> {
    let mut last = 0;
    for recorded in events {
        let holds = match &recorded.event {
            Event::StepStarted { generation, .. } | Event::RollbackStarted { generation, .. } => {
                let before = std::mem::replace(&mut last, *generation);
                last > before
            }
            Event::ShiftConfirmed { generation } | Event::RollbackShifted { generation } => {
                *generation == last
            }
            _ => true,
        };
        ensure(holds, recorded, BrokenLaw::Generation)?;
    }
    Ok(())
}

/// What should be in force gives the candidate more only by the beginning of a step, and nothing on the way back.
pub fn weight_rises_by_steps_only(events: &[Recorded]) -> Result<(), BrokenLaw> {
    let (mut state, mut weight) = (None, 0);
    for recorded in events {
        let next = apply(state, recorded).map_err(BrokenLaw::Fold)?;
        let now = next.desired().weight_basis_points;
        let is_step = matches!(recorded.event, Event::StepStarted { .. });
        let is_back = next.phase().is_reverse() || next.phase() == Phase::RolledBack;
        let holds = (now <= weight || is_step) && (now == 0 || !is_back);
        ensure(holds, recorded, BrokenLaw::Weight)?;
        (state, weight) = (Some(next), now);
    }
    Ok(())
}

/// The events fold, and fold to the same state after they were written as JSON and read again.
pub fn fold_survives_storage(events: &[Recorded]) -> Result<(), BrokenLaw> {
    let folded = Rollout::fold(events).map_err(BrokenLaw::Fold)?;
    let text = serde_json::to_string(events);
    let stored: Option<Vec<Recorded>> = text.and_then(|text| serde_json::from_str(&text)).ok();
    let restored = stored.and_then(|events| Rollout::fold(&events).ok());
    if restored == Some(folded) {
        Ok(())
    } else {
        Err(BrokenLaw::Storage)
    }
}

fn ensure(holds: bool, recorded: &Recorded, broken: fn(u64) -> BrokenLaw) -> Result<(), BrokenLaw> {
    if holds {
        Ok(())
    } else {
        Err(broken(recorded.sequence))
    }
}
