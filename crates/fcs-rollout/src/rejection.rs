//! Why a command is refused, and what to do instead.

use fcs_core::{ApiError, Digest, ErrorCode};

use crate::deployment::DeploymentState;
use crate::traffic::MAX_GENERATION;

/// A command that the machine refuses. It changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no deployment to act on.
    #[error("the deployment is not registered; register it first")]
    NotRegistered,
    /// The identifier belongs to another change.
    #[error("the deployment is registered with another change; use a new deployment")]
    AlreadyRegistered,
    /// The deployment is not where the command starts from.
    #[error("cannot {command} while the deployment is {state}; {advice}")]
    WrongState {
        /// What was asked, as a verb.
        command: &'static str,
        /// Where the deployment stands.
        state: DeploymentState,
        /// What to do instead.
        advice: &'static str,
    },
    /// The approver saw another plan.
    #[error("the approval is for another plan; review the plan with digest {expected}")]
    PlanMismatch {
        /// Digest of the registered plan.
        expected: Digest,
    },
    /// The approver wrote or requested the change.
    #[error("the {role} of a change cannot approve it; ask another person")]
    FourEyes {
        /// "author" or "requester".
        role: &'static str,
    },
    /// Too few people approved.
    #[error("{given} of {required} approvals given; have it approved first")]
    ApprovalsMissing {
        /// Approvals that the environment requires.
        required: usize,
        /// Approvals that the deployment has.
        given: usize,
    },
    /// The desired traffic has not arrived.
    #[error("generation {observed} is in force, not yet {desired}; apply the desired table first")]
    NotInForce {
        /// Generation in force.
        observed: u64,
        /// Generation that should be in force.
        desired: u64,
    },
    /// Someone else changed the traffic after this deployment asked for its own.
    #[error(
        "someone else changed the traffic: generation {observed} is in force, {desired} was \
         desired; inspect it, then roll back or register a new deployment"
    )]
    TrafficMoved {
        /// Generation in force.
        observed: u64,
        /// Generation that this deployment desired.
        desired: u64,
    },
    /// There is no greater generation.
    #[error("the gateway's generation cannot rise above {MAX_GENERATION}; reset its traffic table")]
    GenerationsExhausted,
}

impl Rejection {
    /// The kind of error, for transports.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotRegistered => ErrorCode::NotFound,
            Self::AlreadyRegistered => ErrorCode::AlreadyExists,
            Self::FourEyes { .. } => ErrorCode::PermissionDenied,
            Self::TrafficMoved { .. } => ErrorCode::Aborted,
            Self::WrongState { .. }
            | Self::PlanMismatch { .. }
            | Self::ApprovalsMissing { .. }
            | Self::NotInForce { .. }
            | Self::GenerationsExhausted => ErrorCode::FailedPrecondition,
        }
    }

    /// The stable reason, finer than the code.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotRegistered => "DEPLOYMENT_NOT_FOUND",
            Self::AlreadyRegistered => "DEPLOYMENT_ALREADY_REGISTERED",
            Self::WrongState { .. } => "WRONG_DEPLOYMENT_STATE",
            Self::PlanMismatch { .. } => "PLAN_DIGEST_MISMATCH",
            Self::FourEyes { .. } => "FOUR_EYES_REQUIRED",
            Self::ApprovalsMissing { .. } => "APPROVALS_MISSING",
            Self::NotInForce { .. } => "TRAFFIC_NOT_IN_FORCE",
            Self::TrafficMoved { .. } => "TRAFFIC_MOVED",
            Self::GenerationsExhausted => "GENERATIONS_EXHAUSTED",
        }
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        Self::new(rejection.code(), rejection.reason(), rejection.to_string())
    }
}
