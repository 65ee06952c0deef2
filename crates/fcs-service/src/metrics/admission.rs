//! The catalogue of admission metrics.
//!
//! * `requests_admitted`: requests that have a place now
//! * `requests_shed_total{class,why}`: requests that were told to come back

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::MetricsHandle;
use crate::admission::Class;

/// Why a request was told to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Shed {
    /// It found a full line when it came.
    FullLine,
    /// Newer requests took its place in the line.
    PushedOut,
    /// No place became free in time.
    Waited,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShedLabels {
    class: Class,
    why: Shed,
}

/// The metrics of a service's places. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct AdmissionMetrics {
    admitted: Gauge,
    shed: Family<ShedLabels, Counter>,
}

impl AdmissionMetrics {
    /// Registers the metrics; every counter exists from the start.
    pub(crate) fn register(metrics: &MetricsHandle) -> Self {
        let this = Self::default();
        for class in Class::ALL {
            for why in [Shed::FullLine, Shed::PushedOut, Shed::Waited] {
                drop(this.shed.get_or_create(&ShedLabels { class, why }));
            }
        }
        metrics.register(|registry| {
            let help = "Requests that have a place now";
            registry.register("requests_admitted", help, this.admitted.clone());
            let help = "Requests that were told to come back, because there was too much to do";
            registry.register("requests_shed", help, this.shed.clone());
        });
        this
    }

    pub(crate) fn taken(&self) {
        self.admitted.inc();
    }

    pub(crate) fn freed(&self) {
        self.admitted.dec();
    }

    pub(crate) fn shed(&self, class: Class, why: Shed) {
        self.shed.get_or_create(&ShedLabels { class, why }).inc();
    }
}
