use fcs_core::{ApiError, Digest, ErrorCode};

use super::state::Phase;
use super::strategy::InvalidStrategy;

/// A command that the machine refuses. It changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no rollout to act on.
    #[error("the rollout is not proposed; propose it first")]
    NotProposed,
    /// The identifier belongs to another plan.
    #[error("the rollout is proposed with another plan; use a new rollout")]
    AlreadyProposed,
    /// The strategy leads nowhere.
    #[error("the strategy cannot be carried out: {0}")]
    Strategy(#[source] InvalidStrategy),
    /// The rollout is not where the command starts from.
    #[error("cannot {command} while the rollout is {phase}; {advice}")]
    WrongPhase {
        /// What was asked, as a verb.
        command: &'static str,
        /// Where the rollout stands.
        phase: Phase,
        /// What to do instead.
        advice: &'static str,
    },
    /// The approver saw another plan.
    #[error("the approval is for another plan; review the plan with digest {expected}")]
    PlanMismatch {
        /// Digest of the proposed plan.
        expected: Digest,
    },
    /// Somebody would check their own work.
    #[error("the {role} of a change cannot do this; ask another person")]
    FourEyes {
        /// "author", "committer" or "requester".
        role: &'static str,
    },
    /// What serves is not what the plan replaces.
    #[error("the plan replaces {expected}, but {observed} serves; propose a new rollout")]
    BaselineMismatch {
        /// Digest of the plan's baseline.
        expected: Digest,
        /// Digest of what serves.
        observed: Digest,
    },
    /// A freeze, or no window.
    #[error("no window is open now; wait, or break the glass in an emergency")]
    WindowClosed,
    /// There is no way back.
    #[error("the point of no return is passed; fix it forward")]
    PastReturn,
}

impl Refusal {
    /// The kind of error, for transports.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotProposed => ErrorCode::NotFound,
            Self::AlreadyProposed => ErrorCode::AlreadyExists,
            Self::Strategy(_) => ErrorCode::InvalidArgument,
            Self::FourEyes { .. } => ErrorCode::PermissionDenied,
            Self::WrongPhase { .. }
            | Self::PlanMismatch { .. }
            | Self::BaselineMismatch { .. }
            | Self::WindowClosed
            | Self::PastReturn => ErrorCode::FailedPrecondition,
        }
    }

    /// The stable reason, finer than the code.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotProposed => "ROLLOUT_NOT_FOUND",
            Self::AlreadyProposed => "ROLLOUT_ALREADY_PROPOSED",
            Self::Strategy(_) => "STRATEGY_INVALID",
            Self::WrongPhase { .. } => "WRONG_ROLLOUT_PHASE",
            Self::PlanMismatch { .. } => "PLAN_DIGEST_MISMATCH",
            Self::FourEyes { .. } => "FOUR_EYES_REQUIRED",
            Self::BaselineMismatch { .. } => "BASELINE_MISMATCH",
            Self::WindowClosed => "WINDOW_CLOSED",
            Self::PastReturn => "POINT_OF_NO_RETURN",
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.reason(), refusal.to_string())
    }
}
