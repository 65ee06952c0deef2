use fcs_core::UnixMicros;

use super::event::{Event, PauseCause, Recorded};
use super::state::{Pause, Phase, Rollout};
use crate::deployment::{Approval, FoldError};
use crate::statistics::Verdict;

/// Adds one event to a rollout. It never panics: an event that cannot follow is an error.
pub fn apply(state: Option<Rollout>, recorded: &Recorded) -> Result<Rollout, FoldError> {
    let last = state.as_ref().map_or(0, |rollout| rollout.sequence);
    if recorded.sequence != last.saturating_add(1) {
        return Err(FoldError::SequenceGap {
            expected: last.saturating_add(1),
            found: recorded.sequence,
        });
    }
    let impossible = FoldError::Impossible {
        sequence: recorded.sequence,
        kind: recorded.event.kind(),
        state: state.as_ref().map_or("unproposed", |it| it.phase.as_str()),
    };
    let next = match state {
        None => Rollout::proposed(recorded),
        Some(rollout) => rollout.advanced(recorded),
    };
    next.ok_or(impossible)
}

impl Rollout {
    fn proposed(recorded: &Recorded) -> Option<Self> {
        let Event::Proposed { plan, plan_digest } = &recorded.event else {
            return None;
        };
        Some(Self {
            steps: plan.strategy.program().ok()?,
            plan: plan.as_ref().clone(),
            plan_digest: *plan_digest,
            requested_by: recorded.actor.clone(),
            approvals: Vec::new(),
            phase: Phase::Proposed,
            since: recorded.at,
            pause: None,
            has_broken_glass: false,
            step: 0,
            generation: 0,
            baked_micros: 0,
            baked_until: recorded.at,
            bake_needed_micros: 0,
            extensions: 0,
            errors: 0,
            accepts_population: false,
            rollback_failures: 0,
            is_past_return: false,
            sequence: recorded.sequence,
            updated_at: recorded.at,
        })
    }

    /// `None` if the event cannot follow.
    fn advanced(mut self, recorded: &Recorded) -> Option<Self> {
        let (event, at) = (&recorded.event, recorded.at);
        self.note(recorded);
        let next = self.next_phase(event)?;
        if next != self.phase || matches!(event, Event::Resumed { .. }) {
            self.since = at;
            self.baked_until = at;
        }
        self.phase = next;
        self.count(event, at);
        self.sequence = recorded.sequence;
        self.updated_at = at;
        Some(self)
    }

    /// Who acted, where that matters.
    fn note(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::Approved { comment, .. } => self.approvals.push(Approval {
                approver: recorded.actor.clone(),
                at: recorded.at,
                comment: comment.clone(),
            }),
            Event::GlassBroken { .. } => self.has_broken_glass = true,
            _ => {}
        }
    }

    /// A pause lets pass only what ends it, judges, or leads back; the point of no return lets nothing back; a
    /// generation is confirmed by its own number.
    fn is_allowed(&self, event: &Event) -> bool {
        match event {
            Event::Resumed { .. } => self.pause.is_some(),
            Event::RollbackStarted { generation, .. } => {
                !self.is_past_return && *generation > self.generation
            }
            Event::StepStarted { step, generation } => {
                self.pause.is_none() && *step == self.step && *generation > self.generation
            }
            Event::ShiftConfirmed { generation } => {
                self.pause.is_none() && *generation == self.generation
            }
            Event::RollbackShifted { generation } => *generation == self.generation,
            Event::Judged { .. } | Event::GlassBroken { .. } | Event::Paused { .. } => true,
            _ => self.pause.is_none(),
        }
    }

    /// The table of transitions.
    fn next_phase(&self, event: &Event) -> Option<Phase> {
        if !self.is_allowed(event) {
            return None;
        }
        let phase = self.phase;
        let approved = || {
            if self.has_required_approvals() {
                Phase::Queued
            } else {
                Phase::AwaitingApproval
            }
        };
        Some(match (phase, event) {
            (Phase::Proposed, Event::Submitted)
            | (Phase::AwaitingApproval, Event::Approved { .. }) => approved(),
            (Phase::AwaitingApproval, Event::Rejected { .. }) => Phase::Rejected,
            (Phase::AwaitingApproval, Event::Expired) => Phase::Expired,
            (Phase::AwaitingApproval, Event::GlassBroken { .. }) => Phase::Queued,
            (_, Event::Cancelled { .. }) if phase.is_early() => Phase::Cancelled,
            (_, Event::Superseded) if phase.is_early() => Phase::Superseded,
            (Phase::Queued, Event::Started { .. }) => Phase::Preparing,
            (Phase::Preparing, Event::CandidateReady) => Phase::Verifying,
            (Phase::Verifying, Event::Verified) => self.before_step(0),
            (Phase::Gated, Event::GateOpened { .. } | Event::GlassBroken { .. })
            | (Phase::Waiting, Event::GlassBroken { .. }) => Phase::Waiting,
            (Phase::Waiting, Event::StepStarted { .. }) => Phase::Shifting,
            (Phase::Shifting, Event::ShiftConfirmed { .. })
            | (Phase::Judging, Event::BakeExtended { .. }) => Phase::Baking,
            (Phase::Baking, Event::BakeCompleted) => Phase::Judging,
            (Phase::Judging, Event::StepPassed { .. }) if self.is_last_step() => Phase::Finalizing,
            (Phase::Judging, Event::StepPassed { .. }) => self.before_step(self.step + 1),
            (Phase::Finalizing, Event::Succeeded) => Phase::Succeeded,
            (_, Event::RollbackStarted { .. }) if phase.is_forward() || phase.is_reverse() => {
                Phase::RollingBack
            }
            (Phase::RollingBack, Event::RollbackShifted { .. }) => Phase::Settling,
            (Phase::Settling, Event::BaselineReady) => Phase::Confirming,
            (_, Event::RollbackStuck) if phase.is_reverse() => Phase::RollbackStuck,
            (Phase::Confirming | Phase::RollbackStuck, Event::RolledBack { .. }) => {
                Phase::RolledBack
            }
            _ if self.keeps_phase(event) => phase,
            _ => return None,
        })
    }

    /// What adds to a phase without ending it.
    fn keeps_phase(&self, event: &Event) -> bool {
        match event {
            Event::BakeAdvanced { .. } => {
                matches!(self.phase, Phase::Baking | Phase::Finalizing)
            }
            Event::RollbackFailed => self.phase.is_reverse(),
            Event::GlassBroken { .. } => self.phase.is_forward() || self.phase == Phase::Queued,
            Event::Judged { .. } | Event::Paused { .. } | Event::Resumed { .. } => {
                self.phase.is_forward()
            }
            _ => false,
        }
    }

    fn before_step(&self, step: usize) -> Phase {
        let has_gate = self.steps.get(step).is_some_and(|step| step.gate);
        if has_gate && !self.has_broken_glass {
            Phase::Gated
        } else {
            Phase::Waiting
        }
    }

    /// What an event adds up to, beside the phase.
    fn count(&mut self, event: &Event, at: UnixMicros) {
        match event {
            Event::StepStarted { step, generation } => {
                (self.step, self.generation) = (*step, *generation);
                (self.extensions, self.errors) = (0, 0);
                self.begin_bake(self.steps.get(*step).map_or(0, |step| step.bake_micros));
            }
            Event::ShiftConfirmed { .. } => {
                let point = self.plan.point_of_no_return;
                self.is_past_return |= point.is_some_and(|point| self.step >= point);
            }
            Event::BakeAdvanced { by_micros } => {
                self.baked_micros = self.baked_micros.saturating_add(*by_micros);
                self.baked_until = at;
                self.errors = match by_micros {
                    0 => self.errors.saturating_add(1),
                    _ => 0,
                };
            }
            Event::BakeExtended { by_micros } => {
                self.extensions = self.extensions.saturating_add(1);
                self.bake_needed_micros = self.bake_needed_micros.saturating_add(*by_micros);
            }
            Event::Judged { verdict, .. } => {
                let is_unknown = matches!(verdict, Verdict::NoData { .. });
                self.errors = if is_unknown {
                    self.errors.saturating_add(1)
                } else {
                    0
                };
            }
            Event::StepPassed { .. } if self.phase == Phase::Finalizing => {
                self.begin_bake(self.plan.limits.final_bake_micros);
            }
            Event::StepPassed { .. } => self.step += 1,
            Event::Paused { cause } => {
                let (cause, since) = (*cause, at);
                self.pause = Some(Pause { cause, since });
            }
            Event::Resumed { .. } => {
                let cause = self.pause.map(|pause| pause.cause);
                self.accepts_population |= cause == Some(PauseCause::Population);
                (self.pause, self.errors) = (None, 0);
            }
            Event::RollbackStarted { generation, .. } => {
                (self.pause, self.generation) = (None, *generation);
                self.rollback_failures = 0;
            }
            Event::RollbackFailed => {
                self.rollback_failures = self.rollback_failures.saturating_add(1);
            }
            _ => {}
        }
    }

    fn begin_bake(&mut self, needed_micros: u64) {
        (self.baked_micros, self.bake_needed_micros) = (0, needed_micros);
    }
}
