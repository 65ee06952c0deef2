//! Events a second on one processor, each in a committed transaction: the monitor's own stores.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use bias_monitor::app::change::Change;
use bias_monitor::app::facts::{
    CreditOutcome, Decision, Demographics, KnownGroup, LoggedDecision, Outcome, OutcomeEvent,
    Source,
};
use bias_monitor::store::{self, MonitorStore};
use fcs_core::{DecisionId, Secret, UnixMicros};
use fcs_fairness::tally;
use fcs_service::database;
use fcs_service::settings::DatabaseSettings;
use fcs_testkit::postgres_server::PostgresServer;
use serde::Serialize;

use crate::applicant::{ATTRIBUTES, Applicant};
use crate::random::Random;

/// Decisions of a transaction, as many as the reader of the feed takes at most.
const BATCH: u64 = bias_monitor::BATCH_MAX as u64;
/// Decisions a second of the stream's own time.
const PER_SECOND: u64 = 500;
/// One application of so many has a known outcome.
const OUTCOME_EVERY: u64 = 6;

/// Features of the model, as many as that of Taiwan's credit cards has.
const FEATURES: usize = 23;

/// What came of one store.
#[derive(Debug, Serialize)]
pub(crate) struct Durable {
    pub(crate) store: &'static str,
    pub(crate) events: &'static str,
    pub(crate) written: u64,
    pub(crate) events_per_second: Vec<f64>,
}

/// What is written.
#[derive(Clone, Copy, PartialEq)]
enum Mix {
    /// The feed alone, of applications without anything known.
    Decisions,
    /// Protected attributes before each decision, and outcomes after some.
    Facts,
    /// The same, and the bins of features and score with each decision.
    FactsAndBins,
}

impl Mix {
    const fn name(self) -> &'static str {
        match self {
            Self::Decisions => "decisions",
            Self::Facts => "decisions, with three attributes each, and outcomes",
            Self::FactsAndBins => "the same, with the bins of 23 features and the score",
        }
    }
}

/// Writes to both stores, with everything on one processor, PostgreSQL as well.
pub(crate) fn run(
    decisions: u64,
    repetitions: usize,
    folder: &Path,
) -> anyhow::Result<Vec<Durable>> {
    pin(&std::process::id().to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut lines = Vec::new();
    for mix in [Mix::Decisions, Mix::Facts, Mix::FactsAndBins] {
        let batches = batches(decisions, mix);
        for name in ["SQLite", "PostgreSQL"] {
            let mut line = Durable {
                store: name,
                events: mix.name(),
                written: batches.iter().map(size).sum(),
                events_per_second: Vec::new(),
            };
            for _ in 0..repetitions {
                let seconds = runtime.block_on(measure(name, &batches, folder))?;
                line.events_per_second.push(line.written as f64 / seconds);
            }
            lines.push(line);
        }
    }
    unpin()?;
    Ok(lines)
}

/// This process and what it starts from now on.
fn pin(process: &str) -> anyhow::Result<()> {
    taskset("0", process)
}

fn unpin() -> anyhow::Result<()> {
    let processors = std::fs::read_to_string("/sys/devices/system/cpu/online")?;
    taskset(processors.trim(), &std::process::id().to_string())
}

fn taskset(processors: &str, process: &str) -> anyhow::Result<()> {
    let arguments = ["--all-tasks", "--cpu-list", "--pid", processors, process];
    let output = Command::new("taskset").args(arguments).output();
    let output = output.context("run taskset of util-linux")?;
    ensure!(output.status.success(), "taskset: {output:?}");
    Ok(())
}

/// Seconds for all batches, into an empty store.
async fn measure(name: &str, batches: &[Change], folder: &Path) -> anyhow::Result<f64> {
    if name == "SQLite" {
        let path = folder.join("durable");
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir_all(&path)?;
        return write(batches, String::from("sqlite:"), &path).await;
    }
    let server = PostgresServer::start(&[]);
    write(batches, server.url(), folder).await
}

async fn write(batches: &[Change], url: String, folder: &Path) -> anyhow::Result<f64> {
    let settings = DatabaseSettings {
        url: Secret::new(url),
        ..DatabaseSettings::default()
    };
    let database = database::open(&settings, folder, "bias_monitor").await?;
    store::migrate(&database).await?;
    let store: Arc<dyn MonitorStore> = store::of(&database);
    let start = Instant::now();
    for batch in batches {
        let receipt = store.write(batch).await?;
        ensure!(receipt.recorded > 0, "a batch was not new");
    }
    let seconds = start.elapsed().as_secs_f64();
    let decided: u64 = batches
        .iter()
        .filter(|it| matches!(it, Change::Decisions(_)))
        .map(size)
        .sum();
    ensure!(
        store.status().await?.decisions == decided,
        "decisions are missing"
    );
    Ok(seconds)
}

fn size(batch: &Change) -> u64 {
    (match batch {
        Change::Decisions(batch) => batch.len(),
        Change::Demographics(batch) => batch.len(),
        Change::Outcomes(batch) => batch.len(),
        Change::GroupProbabilities(batch) => batch.len(),
    }) as u64
}

fn batches(decisions: u64, mix: Mix) -> Vec<Change> {
    let mut random = Random::new(21);
    let mut batches = Vec::new();
    let mut first = 1;
    while first <= decisions {
        let last = (first + BATCH - 1).min(decisions);
        let applicants: Vec<(u64, Applicant)> = (first..=last)
            .map(|number| (number, Applicant::random(&mut random)))
            .collect();
        if mix != Mix::Decisions {
            let known = applicants
                .iter()
                .map(|(number, it)| demographics(*number, it));
            batches.push(Change::Demographics(known.collect()));
        }
        let decided = applicants
            .iter()
            .map(|(number, it)| decision(*number, it, mix, &mut random));
        batches.push(Change::Decisions(decided.collect()));
        if mix != Mix::Decisions {
            let ended = applicants
                .iter()
                .filter(|(number, _)| number % OUTCOME_EVERY == 0);
            batches.push(Change::Outcomes(
                ended.map(|(number, it)| outcome(*number, it)).collect(),
            ));
        }
        first = last + 1;
    }
    batches
}

fn application(number: u64) -> String {
    let mut id = String::from("application-");
    let _ = write!(id, "{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    id
}

fn parsed<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a valid name")
}

fn decision(number: u64, applicant: &Applicant, mix: Mix, random: &mut Random) -> LoggedDecision {
    let at = number / PER_SECOND;
    let mut noise = [0; 10];
    noise[..8].copy_from_slice(&random.next().to_be_bytes());
    LoggedDecision {
        log_index: number,
        decision_id: DecisionId::new(UnixMicros((at * 1_000_000) as i64), &noise),
        decision: Decision {
            application_id: parsed(&application(number)),
            minute: (at / 60) as i64,
            model: parsed("bench/1"),
            arm: ["stable", "candidate"][usize::from(random.below(10) == 0)].to_owned(),
            outcome: match applicant.decision {
                tally::Decision::Approve => Outcome::Approve,
                tally::Decision::Refer => Outcome::Refer,
                tally::Decision::Deny => Outcome::Deny,
            },
            score: applicant.score.millionths() / 1_000,
            probability_ppm: 1_000_000 - applicant.score.millionths(),
            bins: match mix {
                Mix::Decisions | Mix::Facts => Vec::new(),
                Mix::FactsAndBins => bins(applicant, random),
            },
        },
    }
}

/// Each feature in one of ten bins, the score in one of a hundred.
fn bins(applicant: &Applicant, random: &mut Random) -> Vec<u16> {
    let score = (applicant.score.millionths() / 10_000).clamp(0, 99);
    let features = (0..FEATURES).map(|_| random.below(10) as u16 + 1);
    features.chain([score as u16 + 1]).collect()
}

fn demographics(number: u64, applicant: &Applicant) -> Demographics {
    let attributes = ATTRIBUTES
        .iter()
        .zip(applicant.groups)
        .map(|((name, _), group)| {
            let group = KnownGroup {
                group: parsed(&format!("group-{group}")),
                source: Source::SelfReported,
            };
            (parsed(name), group)
        });
    Demographics {
        application_id: parsed(&application(number)),
        attributes: attributes.collect(),
    }
}

fn outcome(number: u64, applicant: &Applicant) -> OutcomeEvent {
    OutcomeEvent {
        event_id: parsed(&format!("event-{number}")),
        application_id: parsed(&application(number)),
        outcome: match applicant.outcome {
            tally::Outcome::Repaid => CreditOutcome::Repaid,
            tally::Outcome::Defaulted => CreditOutcome::Defaulted,
        },
        occurred_at: UnixMicros(number as i64),
    }
}
