//! Metrics: one registry per service, read as OpenMetrics text.

pub(crate) mod admission;
pub(crate) mod connections;
pub(crate) mod process;
pub(crate) mod requests;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::registry::Registry;

/// Content type of the text that [`MetricsHandle::encode`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The registry of a service. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct MetricsHandle(Arc<Mutex<Registry>>);

impl MetricsHandle {
    /// Gives the registry to a closure that registers metrics, and returns what it returns.
    pub fn register<R>(&self, register: impl FnOnce(&mut Registry) -> R) -> R {
        register(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The registry as OpenMetrics text.
    pub fn encode(&self) -> String {
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)
            .expect("writing to a string does not fail");
        text
    }
}
