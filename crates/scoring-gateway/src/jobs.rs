//! The background work of the gateway.

pub mod heartbeat;
pub mod reconcile;
pub mod shadow;
pub mod writer;
