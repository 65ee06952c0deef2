//! What the service does, over ports. Knows neither axum, tonic nor sqlx.

pub mod controller;
pub mod deployments;
pub mod error;
pub mod history;
pub mod intake;
pub mod log;
mod looking;
pub mod ports;
pub mod progress;
pub mod proofs;
pub mod publication;
pub mod reconcile;
pub mod recorder;
pub mod rollouts;
pub mod witnessing;
pub mod writer;

mod fields;
