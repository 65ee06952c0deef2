//! Durable appends to the transparency log, with proofs checked meanwhile, beside a bare insert of the same bytes into
//! the same PostgreSQL; and the verification of everything that was published.

mod append;
mod verify;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use comfy_table::Table;
use fcs_testkit::postgres_server::PostgresServer;
use serde::Serialize;

/// How many durable events a second the log must take.
const APPEND_TARGET: f64 = 5_000.0;
/// How many entries a second one processor must verify.
const VERIFY_TARGET: f64 = 100_000.0;

#[derive(Parser)]
struct Arguments {
    /// Events of a repetition.
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// Repetitions, each on a new server.
    #[arg(long, default_value_t = 5)]
    repetitions: usize,
    /// How to print the results.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// What came of one contender.
#[derive(Serialize)]
struct Line {
    what: &'static str,
    target: Option<f64>,
    per_second: Vec<f64>,
    median: f64,
    /// Proofs that were checked meanwhile, over all repetitions.
    proofs: u64,
}

impl Line {
    fn new(what: &'static str, target: Option<f64>) -> Self {
        Self {
            what,
            target,
            per_second: Vec::new(),
            median: 0.0,
            proofs: 0,
        }
    }

    fn add(&mut self, per_second: f64) {
        self.per_second.push(per_second);
        let mut sorted = self.per_second.clone();
        sorted.sort_by(f64::total_cmp);
        self.median = sorted[sorted.len() / 2];
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut bare_one = Line::new("bare insert, one row per commit", None);
    let mut bare_many = Line::new("bare insert, 256 rows per commit", None);
    let mut decisions = Line::new("decisions, one entry per 256", Some(APPEND_TARGET));
    let mut entries = Line::new("deployment events, an entry each, 64 per commit", Some(APPEND_TARGET));
    let mut verified = Line::new("entries verified, one processor", Some(VERIFY_TARGET));
    for _ in 0..arguments.repetitions {
        let server = PostgresServer::start(&[]);
        let events = arguments.events;
        bare_one.add(runtime.block_on(append::bare(&server.url(), events / 20, 1))?);
        bare_many.add(runtime.block_on(append::bare(&server.url(), events, 256))?);
        let loaded = runtime.block_on(append::decisions(&server.url(), events))?;
        decisions.add(loaded.per_second);
        decisions.proofs += loaded.proofs;
        drop(server);
        let server = PostgresServer::start(&[]);
        let loaded = runtime.block_on(append::entries(&server.url(), events))?;
        entries.add(loaded.per_second);
        entries.proofs += loaded.proofs;
        let published = loaded.folder.context("the log was published")?;
        verified.add(verify::folder(published.path(), events)?);
    }
    let lines = [bare_one, bare_many, decisions, entries, verified];
    print(&lines, arguments.output)
}

fn print(lines: &[Line], output: Output) -> anyhow::Result<()> {
    match output {
        Output::Json => println!("{}", serde_json::to_string_pretty(lines)?),
        Output::Table => {
            let mut table = Table::new();
            table.set_header(["what", "median per second", "target", "proofs checked"]);
            for line in lines {
                let target = line
                    .target
                    .map_or_else(String::new, |target| format!("{target:.0}"));
                let median = format!("{:.0}", line.median);
                table.add_row([line.what, &median, &target, &line.proofs.to_string()]);
            }
            println!("{table}");
        }
    }
    Ok(())
}
