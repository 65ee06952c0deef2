use fcs_core::Digest;

use super::plan::Plan;
use crate::statistics::Verdict;
use crate::text::{Comment, Name, Reason};

/// What somebody wants, or what was observed. Observations may come as often as one likes.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Freeze a plan.
    Propose {
        /// The plan.
        plan: Box<Plan>,
    },
    /// Ask for approvals.
    Submit {
        /// Digest of what serves now.
        observed_baseline: Digest,
    },
    /// Approve the plan.
    Approve {
        /// Digest of the plan that was reviewed.
        plan_digest: Digest,
        /// What was checked.
        comment: Comment,
    },
    /// Refuse the plan.
    Reject {
        /// Why.
        reason: Reason,
    },
    /// Withdraw it before it has traffic.
    Cancel {
        /// Why.
        reason: Reason,
    },
    /// Make room for another one before it has traffic.
    Supersede,
    /// Skip approvals, windows and gates in an emergency.
    BreakGlass {
        /// Why it cannot wait.
        reason: Reason,
        /// Identifier of the incident.
        incident: Reason,
    },
    /// The lock of service and environment is held for it.
    Start {
        /// Rises with every holder of the lock.
        epoch: u64,
    },
    /// Enough instances of the candidate are ready.
    ReportReady,
    /// The smoke test is over: the candidate answered its golden rows where it will serve.
    ReportSmoke {
        /// Whether it passed.
        passed: bool,
    },
    /// Open the gate before the next step.
    OpenGate {
        /// What was checked.
        comment: Comment,
    },
    /// Every gateway serves this generation.
    ConfirmShift {
        /// The generation.
        generation: u64,
    },
    /// Time went by.
    Tick {
        /// Whether the metrics of that time are there.
        has_data: bool,
    },
    /// The candidate was judged.
    Judge {
        /// The verdict.
        verdict: Verdict,
        /// The metric that it rests on, if it is one's.
        metric: Option<Name>,
    },
    /// A guard tripped: a threshold, memory, a bias alarm.
    TripGuard {
        /// Which, and what it saw.
        reason: Reason,
    },
    /// Both arms are worse than they should be: [`crate::statistics::GuardAction::Hold`].
    ReportSharedIncident,
    /// Neither arm is worse than it should be any more.
    ReportIncidentOver,
    /// Both versions drift or are found biased, so it is what they are given:
    /// [`crate::statistics::GuardAction::Pause`].
    ReportPopulation,
    /// Stand still.
    Pause,
    /// Go on. After an inconclusive step this passes it, and the reason is on record as an override.
    Resume {
        /// Why it may go on.
        reason: Reason,
    },
    /// Give everything back to the baseline.
    RollBack {
        /// Why.
        reason: Reason,
    },
    /// Enough instances of the baseline are ready.
    ReportBaselineReady,
    /// The baseline was looked at.
    ReportBaseline {
        /// Digest of what serves everything.
        digest: Digest,
    },
    /// An attempt of the way back failed.
    ReportRollbackFailed,
    /// Try a rollback again that is stuck.
    RetryRollback,
    /// Somebody repaired by hand what a stuck rollback left.
    AcknowledgeRepair {
        /// Digest of what serves everything.
        digest: Digest,
    },
}
