//! The background work of the gateway.

pub mod eraser;
pub mod heartbeat;
pub mod reconcile;
pub mod sealer;
pub mod shadow;
pub mod writer;
