//! Counts and times of one model version since it was first loaded. A reload keeps them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fcs_core::UnixMicros;

/// How often something happened, and how long it took in all.
#[derive(Default)]
pub struct Tally {
    count: AtomicU64,
    nanos: AtomicU64,
}

impl Tally {
    fn add(&self, taken: Duration) {
        let nanos = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Occurrences, and nanoseconds in all.
    pub fn read(&self) -> (u64, u64) {
        (
            self.count.load(Ordering::Relaxed),
            self.nanos.load(Ordering::Relaxed),
        )
    }
}

/// How long the parts of a request took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// Waiting for a turn.
    pub queue: Duration,
    /// From tensors to rows.
    pub input: Duration,
    /// Scoring and attributing.
    pub compute: Duration,
    /// From scores to tensors.
    pub output: Duration,
}

/// Counts and times of one model version.
#[derive(Default)]
pub struct Statistics {
    rows: AtomicU64,
    last_ms: AtomicU64,
    /// Requests that were answered, from arrival to answer.
    pub success: Tally,
    /// Requests that failed.
    pub fail: Tally,
    /// Waiting for a turn.
    pub queue: Tally,
    /// From tensors to rows.
    pub input: Tally,
    /// Scoring and attributing.
    pub compute: Tally,
    /// From scores to tensors.
    pub output: Tally,
}

impl Statistics {
    /// Counts a request that was answered.
    pub fn record_success(&self, rows: usize, times: Times, now: UnixMicros) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        let now_ms = u64::try_from(now.0 / 1_000).unwrap_or(0);
        self.last_ms.fetch_max(now_ms, Ordering::Relaxed);
        self.queue.add(times.queue);
        self.input.add(times.input);
        self.compute.add(times.compute);
        self.output.add(times.output);
        self.success
            .add(times.queue + times.input + times.compute + times.output);
    }

    /// Counts a request that failed after so long.
    pub fn record_failure(&self, taken: Duration) {
        self.fail.add(taken);
    }

    /// Rows that were scored.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// When the last request was answered, in milliseconds since the epoch; 0 before the first.
    pub fn last_ms(&self) -> u64 {
        self.last_ms.load(Ordering::Relaxed)
    }
}
