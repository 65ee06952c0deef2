//! What can be asked of a deployment.

use fcs_core::Digest;

use crate::change::{Change, Environment};
use crate::text::{Comment, Reason};
use crate::traffic::TrafficTable;

/// A request to a deployment. `observed` is the table that the gateway has in force at that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Propose a change.
    Register {
        /// What is deployed.
        change: Change,
        /// Where.
        environment: Environment,
    },
    /// Approve what was registered.
    Approve {
        /// Digest of the plan that the approver saw.
        plan_digest: Digest,
        /// What the approver adds.
        comment: Comment,
    },
    /// Give the model all traffic.
    Activate {
        /// The table in force, which a rollback will restore.
        observed: TrafficTable,
    },
    /// Report that the desired traffic of an activation is in force.
    ConfirmActivated {
        /// The table in force.
        observed: TrafficTable,
    },
    /// Restore the traffic from before the activation.
    RollBack {
        /// Why.
        reason: Reason,
        /// The table in force.
        observed: TrafficTable,
    },
    /// Report that the desired traffic of a rollback is in force.
    ConfirmRolledBack {
        /// The table in force.
        observed: TrafficTable,
    },
}
