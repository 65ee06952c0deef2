//! The background work of the gateway.

pub mod reconcile;
pub mod writer;
