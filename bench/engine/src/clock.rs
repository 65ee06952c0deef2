//! CPU time, which other people's work on the machine distorts far less than wall time.

use rustix::time::{ClockId, clock_gettime};

/// CPU time that this thread and the whole process have used, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuTime {
    thread: f64,
    process: f64,
}

impl CpuTime {
    /// What has been used so far.
    pub(crate) fn now() -> Self {
        Self {
            thread: microseconds(ClockId::ThreadCPUTime),
            process: microseconds(ClockId::ProcessCPUTime),
        }
    }

    /// Microseconds of this thread since then.
    pub(crate) fn thread_since(self, start: Self) -> f64 {
        self.thread - start.thread
    }

    /// Microseconds of all other threads of this process since then.
    pub(crate) fn others_since(self, start: Self) -> f64 {
        (self.process - start.process - self.thread_since(start)).max(0.0)
    }
}

fn microseconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
