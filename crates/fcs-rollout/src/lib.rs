//! Deployments as an event-sourced machine: who changed what, who approved it, what takes traffic.
//!
//! For: deciding what a command may do to a deployment and folding its events into its state; the same step by step
//! in [`rollout`]; and judging a candidate in [`statistics`].
//! Not for: applying traffic, storing events, reading clocks. A reconciler makes
//! [`Deployment::desired_traffic`] true and reports what it observes.
//!
//! Invariants (checked over whole histories by [`invariants`]): sequences have no gap; nothing takes
//! traffic without its approvals; an approver is neither author nor requester; traffic generations
//! only rise; a rollback restores exactly the arms that were recorded before the activation.
//!
//! Desired traffic is always absolute, never "the table before", so applying it twice is harmless.

mod change;
mod command;
mod decide;
mod deployment;
mod event;
pub mod invariants;
pub mod leaf;
mod rejection;
pub mod rollout;
pub mod statistics;
mod text;
mod traffic;

pub use change::{Change, Environment, UnknownEnvironment, plan_digest};
pub use command::Command;
pub use decide::decide;
pub use deployment::{Approval, Deployment, DeploymentState, FoldError, apply};
pub use event::{Event, RecordedEvent};
pub use rejection::Rejection;
pub use text::{Comment, Description, GitCommit, Principal, Reason};
pub use traffic::{
    InvalidTraffic, MAX_ARMS, MAX_GENERATION, STABLE_ARM, TrafficArm, TrafficTable,
    WHOLE_BASIS_POINTS,
};
