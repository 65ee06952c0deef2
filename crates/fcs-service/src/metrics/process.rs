//! Metrics of the process: what it is and what it takes.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};

use super::MetricsHandle;

/// Version of the build.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Git commit of the build, when the build was told.
pub(crate) const COMMIT: &str = match option_env!("FCS_GIT_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    service: &'static str,
    version: &'static str,
    commit: &'static str,
}

/// Registers `build_info{service,version,commit}` (always 1) and `process_resident_memory_bytes`.
pub(crate) fn register(metrics: &MetricsHandle, service: &'static str) {
    let build = Family::<Build, Gauge>::default();
    build
        .get_or_create(&Build {
            service,
            version: VERSION,
            commit: COMMIT,
        })
        .set(1);
    metrics.register(|registry| {
        registry.register("build_info", "The build that runs; always 1", build);
        registry.register_collector(Box::new(ResidentMemory));
    });
}

#[derive(Debug)]
struct ResidentMemory;

impl Collector for ResidentMemory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(bytes) = resident_bytes() else {
            return Ok(());
        };
        let help = "Memory of the process that is in RAM";
        let name = "process_resident_memory_bytes";
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(bytes).encode(metric)
    }
}

/// Reads the resident set from the kernel; `None` where there is no `/proc`.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1_024)
}
