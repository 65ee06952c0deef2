//! Measuring contenders in turns: answers in a second, times, and what an answer costs the servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use fcs_proto::inference::ModelInferRequest;
use fcs_testkit::load::{Answers, Load, Pace, run};
use serde::Serialize;

use crate::grpc;
use crate::processes::cost;
use crate::rows::Rows;

/// Makes a request from the number of its measurement and its own.
type Request = dyn Fn(u64, u64) -> Vec<u8> + Send + Sync;

/// What a contender is sent.
#[derive(Clone)]
pub(crate) enum Requests {
    /// Over HTTP/1.1.
    Http(Arc<Request>),
    /// `ModelInfer` of the Open Inference Protocol, in turn.
    Grpc(Arc<[ModelInferRequest]>),
}

/// Requests over HTTP that are made from rows.
pub(crate) fn http(
    rows: &Arc<Rows>,
    request: impl Fn(&Rows, u64, u64) -> Vec<u8> + Send + Sync + 'static,
) -> Requests {
    let rows = Arc::clone(rows);
    Requests::Http(Arc::new(move |measurement, number| {
        request(&rows, measurement, number)
    }))
}

/// Who is measured.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// Those that an answer costs, without the ones that they started.
    pub(crate) processes: Vec<u32>,
    pub(crate) requests: Requests,
}

/// How much is measured.
pub(crate) struct Plan {
    /// Connections at a time.
    pub(crate) connections: Vec<u32>,
    /// How often; the medians count.
    pub(crate) repetitions: u64,
    /// Of one measurement.
    pub(crate) length: Duration,
}

/// One contender at one concurrency; medians over the repetitions.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) contender: &'static str,
    pub(crate) connections: u32,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// CPU of all its processes for one answer.
    pub(crate) cpu_us: f64,
    pub(crate) memory_mib: f64,
}

/// Contenders take turns within each repetition. Lines come by connections, then in the order of the contenders.
pub(crate) async fn measure_all(
    plan: &Plan,
    contenders: &[&Contender],
) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut measurement = 0;
    for &connections in &plan.connections {
        let mut measured: Vec<Vec<Line>> = contenders.iter().map(|_| Vec::new()).collect();
        for repetition in 0..=plan.repetitions {
            for (contender, lines) in contenders.iter().zip(&mut measured) {
                measurement += 1;
                let load = Load {
                    to: contender.address,
                    connections,
                    pace: Pace::Closed,
                    length: plan.length,
                };
                let line = measure(contender, load, measurement).await?;
                // The first time warms up.
                if repetition > 0 {
                    lines.push(line);
                }
            }
        }
        lines.extend(measured.iter().map(|lines| middle(lines)));
    }
    Ok(lines)
}

async fn measure(contender: &Contender, load: Load, measurement: u64) -> anyhow::Result<Line> {
    let before = cost(&contender.processes);
    let answers = send(contender, load, measurement).await?;
    let after = cost(&contender.processes);
    let (count, name) = (answers.count(200), contender.name);
    ensure!(
        count > 0 && answers.times.len() == 1 && answers.lost == 0,
        "{name} answered {:?}, and lost {}",
        answers.times.keys(),
        answers.lost
    );
    let ms = |of_thousand| answers.quantile(200, of_thousand).as_secs_f64() * 1e3;
    Ok(Line {
        contender: name,
        connections: load.connections,
        per_second: answers.per_second(200),
        p50_ms: ms(500),
        p99_ms: ms(990),
        cpu_us: (after.cpu_s - before.cpu_s) / count as f64 * 1e6,
        memory_mib: after.memory_bytes as f64 / f64::from(1 << 20),
    })
}

async fn send(contender: &Contender, load: Load, measurement: u64) -> anyhow::Result<Answers> {
    match contender.requests.clone() {
        Requests::Http(request) => Ok(run(load, move |number| request(measurement, number)).await),
        Requests::Grpc(requests) => grpc::run(load, requests).await,
    }
}

fn middle(lines: &[Line]) -> Line {
    let of = |field: fn(&Line) -> f64| median(lines.iter().map(field).collect());
    Line {
        per_second: of(|line| line.per_second),
        p50_ms: of(|line| line.p50_ms),
        p99_ms: of(|line| line.p99_ms),
        cpu_us: of(|line| line.cpu_us),
        memory_mib: of(|line| line.memory_mib),
        ..lines[0].clone()
    }
}

/// The median; of an even number the lower one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN)
}
