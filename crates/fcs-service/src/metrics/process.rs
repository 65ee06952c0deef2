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

/// Registers `build_info{service,version,commit}` (always 1), `process_resident_memory_bytes` and
/// `process_memory_limit_bytes`.
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
        registry.register_collector(Box::new(Memory));
    });
}

/// What the process has of the memory, and how much it may have. Where the kernel does not say, there is no series.
#[derive(Debug)]
struct Memory;

impl Collector for Memory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let resident = (
            "process_resident_memory_bytes",
            "Memory of the process that is in RAM",
            kernel_bytes("/proc/self/status", "VmRSS:"),
        );
        let limit = (
            "process_memory_limit_bytes",
            "Memory that the process may have: the limit of its control group, or else all of the machine's",
            limit_bytes(),
        );
        for (name, help, bytes) in [resident, limit] {
            if let Some(bytes) = bytes {
                let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(bytes).encode(metric)?;
            }
        }
        Ok(())
    }
}

/// The limit of the control group (version 2 or 1), if it is below what the machine has.
fn limit_bytes() -> Option<u64> {
    let machine = kernel_bytes("/proc/meminfo", "MemTotal:")?;
    let files = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let limit = |file: &&str| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let group = files.iter().find_map(limit);
    Some(group.map_or(machine, |group| group.min(machine)))
}

/// Reads a line of kibibytes from a file of the kernel; `None` where there is no `/proc`.
fn kernel_bytes(file: &str, label: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(label))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1_024)
}
