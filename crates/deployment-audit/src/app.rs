//! What the service does, over ports. Knows neither axum, tonic nor sqlx.

pub mod deployments;
pub mod error;
pub mod history;
pub mod intake;
pub mod log;
pub mod ports;
pub mod progress;
pub mod proofs;
pub mod reconcile;
pub mod writer;
