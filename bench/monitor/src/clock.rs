//! CPU time of this thread, so that other work on the machine does not count.

use std::fs;

use anyhow::Context;

/// Work is repeated until it took so long: the kernel's account of a running thread may lag by a tick.
const SECONDS_MIN: f64 = 0.4;

/// CPU seconds of this thread so far.
fn seconds() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")
        .context("read /proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().context("schedstat has numbers")?;
    Ok(nanoseconds.parse::<u64>()? as f64 / 1e9)
}

/// What some work made, and the CPU seconds that it takes.
pub(crate) fn time<T>(mut work: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<(T, f64)> {
    let start = seconds()?;
    let mut times = 0.0;
    loop {
        let made = work()?;
        times += 1.0;
        let spent = seconds()? - start;
        if spent >= SECONDS_MIN {
            return Ok((made, spent / times));
        }
    }
}
