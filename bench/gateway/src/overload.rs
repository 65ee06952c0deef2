//! Ten times the load that the gateway can carry.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fcs_testkit::load::{Answers, Load, Pace, get, run};
use serde_json::json;
use tokio::time::sleep;

use crate::ours::{Ours, SCORE};
use crate::processes::cost;
use crate::rows::Rows;

const CALM: Duration = Duration::from_secs(5);
const TOO_MUCH: f64 = 10.0;

/// Measures the capacity, then the overload with probes beside it, then the time after it.
pub(crate) async fn measure(
    ours: &Ours,
    rows: &Arc<Rows>,
    length: Duration,
    as_json: bool,
) -> anyhow::Result<()> {
    let load = |connections, pace, length| Load {
        to: ours.address,
        connections,
        pace,
        length,
    };
    drop(send(load(64, Pace::Closed, CALM), rows, 1).await);
    let capacity = send(load(64, Pace::Closed, 2 * CALM), rows, 2).await;
    let can = capacity.per_second(200);
    let calm = load(64, Pace::Open(can / 2.0), CALM);
    let before = send(calm, rows, 3).await;

    let probes = Load {
        connections: 1,
        pace: Pace::Open(20.0),
        ..load(1, Pace::Closed, length)
    };
    let start = Instant::now();
    let flood = load(1_024, Pace::Open(TOO_MUCH * can), length);
    let (under, probed, memory) = tokio::join!(
        send(flood, rows, 4),
        run(probes, |_| get("/health")),
        highest_memory(ours.gateway(), start + length)
    );
    let after = send(calm, rows, 5).await;
    let ms = |answers: &Answers, status, of_thousand| {
        answers.quantile(status, of_thousand).as_secs_f64() * 1e3
    };
    let lines = json!({
        "capacity_per_second": can,
        "asked_per_second": under.times.values().map(Vec::len).sum::<usize>() as f64 / under.took.as_secs_f64(),
        "goodput_per_second": under.per_second(200),
        "goodput_share": under.per_second(200) / can,
        "answers_ms_p50_p99": [ms(&under, 200, 500), ms(&under, 200, 990)],
        "refusals_per_second": under.per_second(503),
        "refusals_ms_p50_p99": [ms(&under, 503, 500), ms(&under, 503, 990)],
        "other_statuses": under.times.keys().filter(|status| ![200, 503].contains(*status)).collect::<Vec<_>>(),
        "lost": under.lost,
        "late": under.late,
        "probes": [probed.count(200), probed.lost],
        "probes_ms_p99_max": [ms(&probed, 200, 990), ms(&probed, 200, 1_000)],
        "gateway_memory_mib": memory as f64 / f64::from(1 << 20),
        "p99_ms_at_half_capacity_before_after": [ms(&before, 200, 990), ms(&after, 200, 990)],
        "refused_after": after.count(503),
    });
    if as_json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
    } else if let Some(lines) = lines.as_object() {
        for (name, value) in lines {
            println!("{name:40} {value}");
        }
    }
    Ok(())
}

/// The most that a process had in memory until then.
async fn highest_memory(process: u32, end: Instant) -> u64 {
    let mut highest = 0;
    while Instant::now() < end {
        highest = highest.max(cost(&[process]).memory_bytes);
        sleep(Duration::from_millis(500)).await;
    }
    highest
}

/// Sends applications of one measurement.
async fn send(load: Load, rows: &Arc<Rows>, measurement: u64) -> Answers {
    let rows = Arc::clone(rows);
    run(load, move |number| {
        rows.application(SCORE, measurement, number)
    })
    .await
}
