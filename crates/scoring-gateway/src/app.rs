//! What the gateway does, over ports: the store, the model server, the clock and randomness.

pub mod batch;
pub mod catalog;
pub mod command;
pub mod control;
pub mod decisions;
pub mod erasure;
pub mod explain;
pub mod feed;
pub mod flight;
pub mod keys;
pub mod notice;
pub mod page_token;
pub mod port;
pub mod queue;
pub mod review;
pub mod score;
pub mod shadow;
pub mod traffic;

use std::sync::Arc;

use fcs_core::{ApiError, Clock, ErrorCode};
use fcs_service::Random;
use fcs_service::admission::Admission;

use crate::metrics::Metrics;
use crate::settings::NoticeSettings;
use crate::store::{CaseStore, DecisionStore, ErasureStore, StoreError};

/// The use cases with what they need.
pub struct App {
    /// How much is worked on at a time.
    pub admission: Admission,
    /// The decision log.
    pub store: Arc<dyn DecisionStore>,
    /// Reviews and deliveries of notices.
    pub cases: Arc<dyn CaseStore>,
    /// Verified manifests and the model server.
    pub catalog: Arc<catalog::Catalog>,
    /// The traffic table in force.
    pub traffic: Arc<control::TrafficControl>,
    /// The way to the writer task.
    pub queue: queue::Queue,
    /// Keys of requests in flight.
    pub flights: flight::Flights,
    /// Erasures of applications.
    pub erasures: Arc<dyn ErasureStore>,
    /// Who gives notice of adverse action.
    pub notices: NoticeSettings,
    /// The key of page tokens.
    pub page_tokens: page_token::PageTokens,
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
