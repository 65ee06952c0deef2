//! What the gateway does, over ports: the store, the model server, the cache, the clock and randomness.

pub mod catalog;
pub mod command;
pub mod control;
pub mod decisions;
pub mod feed;
pub mod flight;
pub mod keys;
pub mod port;
pub mod queue;
pub mod score;
pub mod traffic;

use std::sync::Arc;

use fcs_core::{ApiError, Clock, ErrorCode};
use fcs_service::Random;
use fcs_service::cache::Cache;

use crate::metrics::Metrics;
use crate::store::{DecisionStore, StoreError};

/// The use cases with what they need.
pub struct App {
    /// The decision log.
    pub store: Arc<dyn DecisionStore>,
    /// Verified manifests and the model server.
    pub catalog: Arc<catalog::Catalog>,
    /// The traffic table in force.
    pub traffic: Arc<control::TrafficControl>,
    /// The way to the writer task.
    pub queue: queue::Queue,
    /// Keys of requests in flight.
    pub flights: flight::Flights,
    /// Decisions by id; may lose them.
    pub cache: Cache,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// The metrics.
    pub metrics: Metrics,
}

/// The error of a request that needed the store when it did not answer.
fn store_unavailable(error: StoreError) -> ApiError {
    let error = format!("{:#}", anyhow::Error::new(error));
    tracing::error!(error, "the store did not answer");
    let message = "the decision log does not answer; retry with the same key";
    ApiError::new(ErrorCode::Unavailable, "STORE_UNAVAILABLE", message).retry_after(1)
}
