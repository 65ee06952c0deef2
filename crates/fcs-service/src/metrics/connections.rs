//! The catalogue of connection metrics.
//!
//! * `connections_open`
//! * `connections_cut_total{cause}`: connections that the server ended, by what their clients did

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::MetricsHandle;

/// Why a connection was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Cut {
    /// The address has too many connections.
    TooManyOfOneAddress,
    /// The TLS handshake failed.
    Handshake,
    /// The first bytes, the handshake or a request head took too long.
    SlowHead,
    /// The client did not take its answer.
    SlowRead,
    /// No request came.
    Idle,
    /// Too many HTTP/2 frames that carry nothing.
    Flood,
    /// A request that did not arrive, or too many that were given up.
    Abuse,
}

impl Cut {
    const ALL: [Self; 7] = [
        Self::TooManyOfOneAddress,
        Self::Handshake,
        Self::SlowHead,
        Self::SlowRead,
        Self::Idle,
        Self::Flood,
        Self::Abuse,
    ];
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CutLabels {
    cause: Cut,
}

/// The connection metrics of a listener. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionMetrics {
    open: Gauge,
    cut: Family<CutLabels, Counter>,
}

impl ConnectionMetrics {
    /// Registers the metrics; every counter exists from the start.
    pub(crate) fn register(metrics: &MetricsHandle) -> Self {
        let this = Self::default();
        for cause in Cut::ALL {
            drop(this.cut.get_or_create(&CutLabels { cause }));
        }
        metrics.register(|registry| {
            registry.register(
                "connections_open",
                "Connections of the public listener",
                this.open.clone(),
            );
            registry.register(
                "connections_cut",
                "Connections that the server ended, by what their clients did",
                this.cut.clone(),
            );
        });
        this
    }

    pub(crate) fn cut(&self, cause: Cut) {
        self.cut.get_or_create(&CutLabels { cause }).inc();
    }

    /// Counts a connection until the returned value goes.
    pub(crate) fn opened(&self) -> Open {
        self.open.inc();
        Open(self.open.clone())
    }
}

/// An open connection.
pub(crate) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
