use std::fmt;

use fcs_core::{Digest, UnixMicros};
use serde::{Deserialize, Serialize};

use super::event::{PauseCause, Recorded};
use super::fold::apply;
use super::plan::Plan;
use super::strategy::Step;
use crate::deployment::{Approval, FoldError};
use crate::text::Principal;
use crate::traffic::WHOLE_BASIS_POINTS;

/// Where a rollout stands. A pause lies over it and does not change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Frozen, not yet submitted.
    Proposed,
    /// Submitted; approvals are missing.
    AwaitingApproval,
    /// Waits for the lock of service and environment, and for an open window.
    Queued,
    /// The candidate is getting ready, without traffic.
    Preparing,
    /// The candidate is ready and tested by hand, without traffic.
    Verifying,
    /// A person must open the gate before the next step.
    Gated,
    /// The next step begins as soon as a window is open.
    Waiting,
    /// Traffic was asked for and is not yet confirmed.
    Shifting,
    /// The step is watched.
    Baking,
    /// The step was watched for long enough, and is judged.
    Judging,
    /// The candidate has everything, and the baseline is still warm.
    Finalizing,
    /// The candidate is the new baseline. The end.
    Succeeded,
    /// Everything was asked back, and is not yet confirmed.
    RollingBack,
    /// The baseline has everything, and must be seen ready.
    Settling,
    /// The baseline is ready, and must be seen serving and healthy.
    Confirming,
    /// The way back failed too often. Not the end: people must act.
    RollbackStuck,
    /// The baseline serves everything. The end.
    RolledBack,
    /// Refused. The end.
    Rejected,
    /// Not approved in time. The end.
    Expired,
    /// Withdrawn before it had traffic. The end.
    Cancelled,
    /// Replaced before it had traffic. The end.
    Superseded,
}

impl Phase {
    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Queued => "queued",
            Self::Preparing => "preparing",
            Self::Verifying => "verifying",
            Self::Gated => "gated",
            Self::Waiting => "waiting",
            Self::Shifting => "shifting",
            Self::Baking => "baking",
            Self::Judging => "judging",
            Self::Finalizing => "finalizing",
            Self::Succeeded => "succeeded",
            Self::RollingBack => "rolling_back",
            Self::Settling => "settling",
            Self::Confirming => "confirming",
            Self::RollbackStuck => "rollback_stuck",
            Self::RolledBack => "rolled_back",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
        }
    }

    /// Whether nothing can happen any more.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::RolledBack
                | Self::Rejected
                | Self::Expired
                | Self::Cancelled
                | Self::Superseded
        )
    }

    /// Whether it holds the lock and goes forward.
    pub const fn is_forward(self) -> bool {
        matches!(
            self,
            Self::Preparing
                | Self::Verifying
                | Self::Gated
                | Self::Waiting
                | Self::Shifting
                | Self::Baking
                | Self::Judging
                | Self::Finalizing
        )
    }

    /// Whether it is on the way back.
    pub const fn is_reverse(self) -> bool {
        matches!(
            self,
            Self::RollingBack | Self::Settling | Self::Confirming | Self::RollbackStuck
        )
    }

    /// Whether nothing was started yet.
    pub const fn is_early(self) -> bool {
        matches!(self, Self::Proposed | Self::AwaitingApproval | Self::Queued)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Why.
    pub cause: PauseCause,
    /// Since when.
    pub since: UnixMicros,
}

/// What should be true of the world, absolute, so that making it true twice is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Desired {
    /// Share of the requests that the candidate answers, in basis points; the rest is the baseline's.
    pub weight_basis_points: u32,
    /// Share of the requests that it gets copies of, in basis points.
    pub mirror_basis_points: u32,
    /// Generation of the traffic.
    pub generation: u64,
    /// Whether it is the way back: the arms from before the rollout, whatever else is in force.
    pub is_reverse: bool,
    /// Whether the candidate must run.
    pub candidate_runs: bool,
    /// Whether the baseline must run, at full size.
    pub baseline_runs: bool,
}

/// A rollout. Only [`apply`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    pub(super) plan: Plan,
    pub(super) plan_digest: Digest,
    pub(super) steps: Vec<Step>,
    pub(super) requested_by: Principal,
    pub(super) approvals: Vec<Approval>,
    pub(super) phase: Phase,
    /// When the phase began, or went on after a pause.
    pub(super) since: UnixMicros,
    pub(super) pause: Option<Pause>,
    pub(super) has_broken_glass: bool,
    pub(super) step: usize,
    pub(super) generation: u64,
    pub(super) baked_micros: u64,
    pub(super) baked_until: UnixMicros,
    pub(super) bake_needed_micros: u64,
    pub(super) extensions: u32,
    pub(super) errors: u32,
    /// Whether a person let it go on although both versions drift or are found biased.
    pub(super) accepts_population: bool,
    pub(super) rollback_failures: u32,
    pub(super) is_past_return: bool,
    pub(super) sequence: u64,
    pub(super) updated_at: UnixMicros,
}

impl Rollout {
    /// Folds a whole history; `None` when it is empty.
    pub fn fold<'a>(
        events: impl IntoIterator<Item = &'a Recorded>,
    ) -> Result<Option<Self>, FoldError> {
        let add = |state, event| apply(state, event).map(Some);
        events.into_iter().try_fold(None, add)
    }

    /// The frozen plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What approvals bind to.
    pub fn plan_digest(&self) -> Digest {
        self.plan_digest
    }

    /// Who proposed it.
    pub fn requested_by(&self) -> &Principal {
        &self.requested_by
    }

    /// Whether approvals, windows and gates are skipped.
    pub fn has_broken_glass(&self) -> bool {
        self.has_broken_glass
    }

    /// Failed attempts of the present way back.
    pub fn rollback_failures(&self) -> u32 {
        self.rollback_failures
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The pause, if it stands still.
    pub fn pause(&self) -> Option<Pause> {
        self.pause
    }

    /// Position of the step, from 0.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Approvals in order.
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    /// Sequence of the last event.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Time of the last event.
    pub fn updated_at(&self) -> UnixMicros {
        self.updated_at
    }

    /// How long the step was watched, of how long it must be, in microseconds.
    pub fn baked_micros(&self) -> (u64, u64) {
        (self.baked_micros, self.bake_needed_micros)
    }

    /// Whether the environment's approvals are there.
    pub fn has_required_approvals(&self) -> bool {
        self.approvals.len() >= self.plan.environment.required_approvals()
    }

    /// What should be true of the world now. It follows from the state alone, so asking again, or after a crash, asks
    /// for the same.
    pub fn desired(&self) -> Desired {
        let step = match self.phase {
            Phase::Shifting | Phase::Baking | Phase::Judging => self.steps.get(self.step),
            // Between steps: what the last one asked for.
            Phase::Gated | Phase::Waiting => {
                self.step.checked_sub(1).and_then(|it| self.steps.get(it))
            }
            _ => None,
        };
        let is_through = matches!(self.phase, Phase::Finalizing | Phase::Succeeded);
        let weight = step.map_or(0, |step| step.weight_basis_points);
        Desired {
            weight_basis_points: if is_through {
                WHOLE_BASIS_POINTS
            } else {
                weight
            },
            mirror_basis_points: step.map_or(0, |step| step.mirror_basis_points),
            generation: self.generation,
            is_reverse: self.phase.is_reverse() || self.phase == Phase::RolledBack,
            candidate_runs: self.phase.is_forward()
                || self.phase == Phase::Succeeded
                || self.phase == Phase::RollingBack
                || self.phase == Phase::RollbackStuck,
            baseline_runs: self.phase != Phase::Succeeded,
        }
    }

    pub(super) fn is_last_step(&self) -> bool {
        self.step + 1 >= self.steps.len()
    }
}
