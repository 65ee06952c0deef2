//! `fcs load`: a model's applications again and again, while something is done to the system.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use fcs_core::ErrorCode;
use fcs_proto::deployment::v1::GetCheckpointRequest;
use fcs_proto::monitoring::v1::GetStatusRequest;
use fcs_proto::scoring::v1::ScoreRequest;
use fcs_service::grpc::{Deadline, again_unless_begun, api_error, request};
use fcs_service::{OsRandom, Random as _};
use futures::{StreamExt as _, stream};
use serde::Serialize;
use tonic::Status;

use crate::cli::{Global, LoadArguments};
use crate::client::Clients;
use crate::commands::deployment::read_manifest;
use crate::commands::up::until_stopped;
use crate::demo::data::{self, Application};
use crate::demo::newest_version;
use crate::demo::summary::Latency;
use crate::endpoints::Endpoints;
use crate::exit::CliError;
use crate::output::{print, table};
use crate::progress;

const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Attempts of a decision; each has the same key, so it is decided once.
const ATTEMPTS_MAX: u32 = 5;
/// The other services are asked once in so many decisions.
const DECISIONS_PER_READ: usize = 20;

/// What came of it.
#[derive(Serialize)]
struct Report {
    decisions: u64,
    reads: u64,
    /// Attempts that failed and were made again, by service and reason.
    retried: BTreeMap<String, u64>,
    /// Requests that failed, by service and reason.
    failed: BTreeMap<String, u64>,
    per_second: f64,
    latency_ms: Latency,
}

#[derive(Default)]
struct Counts {
    decisions: u64,
    reads: u64,
    retried: BTreeMap<String, u64>,
    failed: BTreeMap<String, u64>,
    latencies_ms: Vec<f64>,
}

/// Everything that a request needs; cloning shares it.
#[derive(Clone)]
struct Sender {
    connections: Arc<[Clients]>,
    applications: Arc<[Application]>,
    run: Arc<str>,
    counts: Arc<Mutex<Counts>>,
}

/// Sends so many requests, or until SIGTERM or SIGINT, and fails when one of them failed.
pub(crate) async fn run(global: &Global, arguments: &LoadArguments) -> anyhow::Result<()> {
    let model = newest_version(global, &arguments.model)?;
    let manifest = read_manifest(global, &model)?;
    let folder = global.models_dir.join(model.name()).join("data");
    let applications = data::applications(&folder, &manifest)?;
    ensure!(
        !applications.is_empty(),
        "{} holds no applications",
        folder.display()
    );
    let endpoints = Endpoints::resolve(global);
    let connections = (0..arguments.connections).map(|_| Clients::at(&endpoints, global));
    let mut run = [0; 8];
    OsRandom.fill(&mut run);
    let sender = Sender {
        connections: connections.collect::<anyhow::Result<_>>()?,
        applications: applications.into(),
        run: hex::encode(run).into(),
        counts: Arc::default(),
    };
    let bar = progress::bar("requests", arguments.requests as u64);
    let start = Instant::now();
    // Stopped early, it ends what was begun and tells what came of it.
    stream::iter(0..arguments.requests)
        .take_until(Box::pin(until_stopped()))
        .for_each_concurrent(usize::from(arguments.concurrency), |number| {
            let (sender, bar) = (sender.clone(), bar.clone());
            async move {
                sender.send(number).await;
                bar.inc(1);
            }
        })
        .await;
    bar.finish_and_clear();
    let report = sender.report(start.elapsed());
    print(global.output, &report, text)?;
    let failed: u64 = report.failed.values().sum();
    if failed > 0 {
        return Err(CliError::Verification(format!("{failed} requests failed")).into());
    }
    Ok(())
}

impl Sender {
    /// Decides one application, and asks the other services now and then.
    async fn send(&self, number: usize) {
        let sent = Instant::now();
        let outcome = self.decide(number).await;
        let took_ms = sent.elapsed().as_secs_f64() * 1e3;
        self.count(|counts| match outcome {
            Ok(()) => {
                counts.decisions += 1;
                counts.latencies_ms.push(took_ms);
            }
            Err(status) => note(&mut counts.failed, "scoring-gateway", &status),
        });
        if number.is_multiple_of(DECISIONS_PER_READ) {
            let clients = self.clients(number);
            let status = again_unless_begun(|| {
                let mut monitoring = clients.monitoring.clone();
                async move {
                    let call = request(GetStatusRequest {}, Deadline::after(CALL_LIMIT));
                    monitoring.get_status(call).await.map(drop)
                }
            });
            self.read("bias-monitor", status.await);
            let checkpoint = again_unless_begun(|| {
                let mut audit = clients.audit.clone();
                async move {
                    let call = request(GetCheckpointRequest {}, Deadline::after(CALL_LIMIT));
                    audit.get_checkpoint(call).await.map(drop)
                }
            });
            self.read("deployment-audit", checkpoint.await);
        }
    }

    async fn decide(&self, number: usize) -> Result<(), Status> {
        let id = format!("load-{}-{number}", self.run);
        let place = number % self.applications.len();
        let message = ScoreRequest {
            idempotency_key: id.clone(),
            application_id: id,
            features: self.applications[place].features.clone(),
            ..ScoreRequest::default()
        };
        let mut attempt = 1;
        loop {
            let outcome = again_unless_begun(|| {
                let mut scoring = self.clients(number).scoring.clone();
                let call = request(message.clone(), Deadline::after(CALL_LIMIT));
                async move { scoring.score(call).await.map(drop) }
            });
            match outcome.await {
                Err(status) if attempt < ATTEMPTS_MAX && may_pass(&status) => {
                    self.count(|counts| note(&mut counts.retried, "scoring-gateway", &status));
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn read(&self, service: &str, outcome: Result<(), Status>) {
        self.count(|counts| match outcome {
            Ok(()) => counts.reads += 1,
            Err(status) => note(&mut counts.failed, service, &status),
        });
    }

    fn clients(&self, number: usize) -> &Clients {
        &self.connections[number % self.connections.len()]
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn report(&self, took: Duration) -> Report {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = std::mem::take(&mut *counts);
        Report {
            decisions: counts.decisions,
            reads: counts.reads,
            retried: counts.retried,
            failed: counts.failed,
            per_second: counts.decisions as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE),
            latency_ms: Latency::of(counts.latencies_ms),
        }
    }
}

/// A connection that broke, or a server that is full or about to end.
fn may_pass(status: &Status) -> bool {
    matches!(
        api_error(status).code,
        ErrorCode::Unavailable
            | ErrorCode::Aborted
            | ErrorCode::ResourceExhausted
            | ErrorCode::Internal
    )
}

fn note(counts: &mut BTreeMap<String, u64>, service: &str, status: &Status) {
    let error = api_error(status);
    *counts
        .entry(format!("{service}: {}", error.reason))
        .or_default() += 1;
}

fn text(report: &Report) -> String {
    let mut rows = vec![
        vec!["decisions".into(), report.decisions.to_string()],
        vec!["reads of other services".into(), report.reads.to_string()],
        vec![
            "decisions a second".into(),
            format!("{:.0}", report.per_second),
        ],
        vec!["p50, p99, longest (ms)".into(), {
            let Latency { p50, p99, max, .. } = &report.latency_ms;
            format!("{p50:.1}, {p99:.1}, {max:.1}")
        }],
    ];
    for (kind, counts) in [("retried", &report.retried), ("failed", &report.failed)] {
        rows.extend(
            counts
                .iter()
                .map(|(reason, count)| vec![format!("{kind} ({reason})"), count.to_string()]),
        );
    }
    table(&["", "#"], rows)
}
