use std::fmt::Write as _;

use fcs_core::{Digest, RolloutId, UnixMicros};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::plan::Plan;
use crate::statistics::Verdict;
use crate::text::{Comment, Name, Principal, Reason};

/// A fact about a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A plan was frozen; the actor is the requester.
    Proposed {
        /// The plan.
        plan: Box<Plan>,
        /// What approvals bind to.
        plan_digest: Digest,
    },
    /// The baseline was seen to be in force.
    Submitted,
    /// A person approved the plan.
    Approved {
        /// Digest of the plan that the approver saw.
        plan_digest: Digest,
        /// What the approver adds.
        comment: Comment,
    },
    /// A person refused the plan.
    Rejected {
        /// Why.
        reason: Reason,
    },
    /// Approvals did not come in time.
    Expired,
    /// It was withdrawn before it had traffic.
    Cancelled {
        /// Why.
        reason: Reason,
    },
    /// Another rollout took its place before it had traffic.
    Superseded,
    /// Approvals, windows and gates are skipped from here on; guards, readiness and records are not.
    GlassBroken {
        /// Why it cannot wait.
        reason: Reason,
        /// Identifier of the incident.
        incident: Reason,
    },
    /// Service and environment are locked for it.
    Started {
        /// Rises with every holder of the lock.
        epoch: u64,
    },
    /// Enough instances of the candidate were seen ready.
    CandidateReady,
    /// The smoke test passed.
    Verified,
    /// A person opened the gate before a step.
    GateOpened {
        /// What was checked.
        comment: Comment,
    },
    /// Traffic was asked for.
    StepStarted {
        /// Position of the step, from 0.
        step: usize,
        /// Generation of the traffic.
        generation: u64,
    },
    /// Every gateway serves the step's traffic.
    ShiftConfirmed {
        /// Generation that they serve.
        generation: u64,
    },
    /// Time went by with data, or without.
    BakeAdvanced {
        /// Microseconds that count.
        by_micros: u64,
    },
    /// The step was watched for long enough.
    BakeCompleted,
    /// The candidate was judged.
    Judged {
        /// The verdict.
        verdict: Verdict,
        /// The metric that it rests on, if it is one's.
        metric: Option<Name>,
    },
    /// It is too early to say, and the step goes on.
    BakeExtended {
        /// Microseconds.
        by_micros: u64,
    },
    /// The step is done.
    StepPassed {
        /// On what grounds.
        grounds: PassGrounds,
    },
    /// Nothing moves until somebody says so, except the way back.
    Paused {
        /// Why.
        cause: PauseCause,
    },
    /// It goes on where it was.
    Resumed {
        /// Why it may.
        reason: Reason,
    },
    /// Everything goes back to the baseline.
    RollbackStarted {
        /// Why.
        cause: RollbackCause,
        /// Generation of the traffic.
        generation: u64,
    },
    /// Every gateway gives everything to the baseline.
    RollbackShifted {
        /// Generation that they serve.
        generation: u64,
    },
    /// Enough instances of the baseline were seen ready.
    BaselineReady,
    /// The way back failed once more.
    RollbackFailed,
    /// It failed too often; people must act.
    RollbackStuck,
    /// The baseline was seen to serve everything, healthy.
    RolledBack {
        /// Digest of what serves.
        baseline_digest: Digest,
    },
    /// The candidate is the new baseline.
    Succeeded,
}

/// On what grounds a step passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum PassGrounds {
    /// The candidate was judged clear.
    Evidence,
    /// A person took it upon themselves.
    Override {
        /// Why.
        reason: Reason,
    },
}

/// Why it stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseCause {
    /// A person asked for it.
    Manual,
    /// Neither good nor bad is shown.
    Inconclusive,
    /// There is nothing to judge by.
    AnalysisError,
    /// Gateways do not confirm.
    TargetUnreachable,
    /// Nobody opened the gate.
    Gate,
    /// Both arms are worse than they should be.
    SharedIncident,
    /// Both versions drift or are found biased: what they are given is another population.
    Population,
    /// Requests do not reach the arms by the weights.
    SampleRatioMismatch,
    /// Something is wrong after the point of no return: forward only.
    ForwardFixOnly,
}

impl PauseCause {
    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Inconclusive => "inconclusive",
            Self::AnalysisError => "analysis_error",
            Self::TargetUnreachable => "target_unreachable",
            Self::Gate => "gate",
            Self::SharedIncident => "shared_incident",
            Self::Population => "population",
            Self::SampleRatioMismatch => "sample_ratio_mismatch",
            Self::ForwardFixOnly => "forward_fix_only",
        }
    }
}

/// Why everything goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum RollbackCause {
    /// A person asked for it.
    Requested {
        /// Why.
        reason: Reason,
    },
    /// A guard tripped, for example too many errors for 5 minutes.
    Guard {
        /// Which, and what it saw.
        reason: Reason,
    },
    /// The candidate was judged worse than tolerated.
    Breach,
    /// The candidate did not become ready in time.
    PrepareTimeout,
    /// The smoke test failed.
    SmokeFailed,
    /// The pause was too long.
    PauseTimeout,
    /// Both arms were worse than they should be for too long.
    SharedIncident,
    /// Neither good nor bad was shown, and the plan says so.
    Inconclusive,
    /// A person tries it again.
    Retried,
}

impl Event {
    /// The stable name of the kind of event.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Proposed { .. } => "proposed",
            Self::Submitted => "submitted",
            Self::Approved { .. } => "approved",
            Self::Rejected { .. } => "rejected",
            Self::Expired => "expired",
            Self::Cancelled { .. } => "cancelled",
            Self::Superseded => "superseded",
            Self::GlassBroken { .. } => "glass_broken",
            Self::Started { .. } => "started",
            Self::CandidateReady => "candidate_ready",
            Self::Verified => "verified",
            Self::GateOpened { .. } => "gate_opened",
            Self::StepStarted { .. } => "step_started",
            Self::ShiftConfirmed { .. } => "shift_confirmed",
            Self::BakeAdvanced { .. } => "bake_advanced",
            Self::BakeCompleted => "bake_completed",
            Self::Judged { .. } => "judged",
            Self::BakeExtended { .. } => "bake_extended",
            Self::StepPassed { .. } => "step_passed",
            Self::Paused { .. } => "paused",
            Self::Resumed { .. } => "resumed",
            Self::RollbackStarted { .. } => "rollback_started",
            Self::RollbackShifted { .. } => "rollback_shifted",
            Self::BaselineReady => "baseline_ready",
            Self::RollbackFailed => "rollback_failed",
            Self::RollbackStuck => "rollback_stuck",
            Self::RolledBack { .. } => "rolled_back",
            Self::Succeeded => "succeeded",
        }
    }
}

/// An event with its place in the rollout's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Position in the history, from 1, without gaps.
    pub sequence: u64,
    /// When it happened; never before the event before it.
    pub at: UnixMicros,
    /// Who made it happen.
    pub actor: Principal,
    /// What happened.
    pub event: Event,
}

/// What stands before the first event of a history.
pub const NO_EVENT: Digest = Digest::from_bytes([0; 32]);

impl Event {
    /// The event as canonical JSON (RFC 8785).
    pub fn to_json(&self) -> String {
        let bytes = fcs_core::to_canonical_vec(self).expect("events have string keys only");
        String::from_utf8(bytes).expect("JSON is UTF-8")
    }

    /// Reads [`Event::to_json`].
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }
}

impl Recorded {
    /// The event's leaf in the transparency log: canonical JSON (RFC 8785), time in RFC 3339. It names the digest of
    /// the event before it ([`NO_EVENT`] for the first), so each event vouches for the whole history.
    pub fn leaf_bytes(&self, rollout_id: &RolloutId, previous: Digest) -> Vec<u8> {
        #[derive(Serialize)]
        struct Leaf<'a> {
            r#type: &'static str,
            rollout_id: &'a RolloutId,
            previous: Digest,
            sequence: u64,
            at: String,
            actor: &'a Principal,
            event: &'a Event,
        }
        let mut at = String::new();
        if write!(at, "{}", self.at).is_err() {
            at = self.at.0.to_string();
        }
        let leaf = Leaf {
            r#type: "rollout-event",
            rollout_id,
            previous,
            sequence: self.sequence,
            at,
            actor: &self.actor,
            event: &self.event,
        };
        fcs_core::to_canonical_vec(&leaf).expect("events have string keys only")
    }
}

/// The digest by which the next event names this one: SHA-256 of its leaf.
pub fn leaf_digest(leaf: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(leaf).into())
}
