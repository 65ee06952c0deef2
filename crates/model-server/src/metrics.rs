//! The catalogue of the model server's metrics.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use fcs_service::metrics::MetricsHandle;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// Handles of the metrics; cloning shares them.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// Rows scored.
    pub(crate) rows: Counter,
    /// Seconds of computing per request, 31 µs to about 1 s.
    pub(crate) compute_seconds: Histogram,
    /// Models in memory.
    pub(crate) models_loaded: Gauge,
    /// Packages refused.
    pub(crate) models_refused: Counter,
    /// Greatest distance between base plus contributions and the margin since the start.
    pub(crate) additivity_error_max: Gauge<f64, AtomicU64>,
}

impl Metrics {
    /// Registers every metric.
    pub(crate) fn register(handle: &MetricsHandle) -> Arc<Self> {
        let metrics = Self {
            rows: Counter::default(),
            compute_seconds: Histogram::new(exponential_buckets(31.25e-6, 2.0, 16)),
            models_loaded: Gauge::default(),
            models_refused: Counter::default(),
            additivity_error_max: Gauge::default(),
        };
        handle.register(|registry| {
            registry.register("fcs_model_rows", "Rows scored", metrics.rows.clone());
            registry.register(
                "fcs_model_compute_seconds",
                "Computing time of a score request",
                metrics.compute_seconds.clone(),
            );
            registry.register(
                "fcs_models_loaded",
                "Models in memory",
                metrics.models_loaded.clone(),
            );
            registry.register(
                "fcs_models_refused",
                "Packages refused",
                metrics.models_refused.clone(),
            );
            registry.register(
                "fcs_model_additivity_error_max",
                "Greatest distance between base plus contributions and the margin, in margin units",
                metrics.additivity_error_max.clone(),
            );
        });
        Arc::new(metrics)
    }
}
