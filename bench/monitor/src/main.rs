//! What a monitor of group fairness costs: events a second, memory, and the time of a report beside the libraries of
//! practice on the same rows.

mod applicant;
mod clock;
mod counting;
mod durable;
mod memory;
mod peers;
mod print;
mod random;
mod report;
mod state;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::peers::Peer;
use crate::print::Results;

#[derive(Parser)]
struct Options {
    /// Python with fairlearn and aif360.
    #[arg(long)]
    python: PathBuf,
    /// Python with Evidently, which needs an older pandas.
    #[arg(long)]
    evidently: PathBuf,
    /// Folder of peer.py.
    #[arg(long)]
    scripts: PathBuf,
    /// Folder for the rows.
    #[arg(long)]
    data: PathBuf,
    /// Events that are counted.
    #[arg(long, default_value_t = 10_000_000)]
    events: usize,
    /// Decisions that are written to each store.
    #[arg(long, default_value_t = 200_000)]
    decisions: u64,
    /// Measures only what is written.
    #[arg(long)]
    only_durable: bool,
    /// Decisions that are reported.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// How often each is measured; the medians count.
    #[arg(long, default_value_t = 5)]
    repetitions: usize,
    /// How often the peers are measured, which take minutes.
    #[arg(long, default_value_t = 3)]
    peer_repetitions: usize,
    /// How to print the results.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// The lines of others, and what each is called in `peer.py`.
const PEERS: [(&str, &str); 5] = [
    ("fairlearn, MetricFrame of four metrics, rows", "fairlearn"),
    (
        "fairlearn, MetricFrame of three metrics, weighted counts",
        "fairlearn_counts",
    ),
    (
        "fairlearn, MetricFrame of selection rates alone, rows",
        "fairlearn_bare",
    ),
    ("aif360, ClassificationMetric, rows", "aif360"),
    ("Evidently, recall and FPR of each group's rows", EVIDENTLY),
];
const EVIDENTLY: &str = "evidently";

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    std::fs::create_dir_all(&options.data)?;
    if options.only_durable {
        let lines = durable::run(options.decisions, options.repetitions, &options.data)?;
        println!("{}", print::durable_table(&lines));
        return Ok(());
    }
    // First, while no memory was used and freed.
    let memory = memory::run()?;
    let counting = counting::run(options.events, options.repetitions)?;
    let start = |(name, contender)| {
        let python = match contender {
            EVIDENTLY => &options.evidently,
            _ => &options.python,
        };
        Peer::start(name, contender, python, &options.scripts)
    };
    let mut peers = PEERS
        .into_iter()
        .map(start)
        .collect::<anyhow::Result<Vec<Peer>>>()?;
    let durable = durable::run(options.decisions, options.repetitions, &options.data)?;
    let report = report::run(
        options.rows,
        (options.repetitions, options.peer_repetitions),
        &options.data,
        &mut peers,
    )?;
    let results = Results {
        counting,
        durable,
        memory,
        rows: options.rows,
        report,
    };
    match options.output {
        Output::Table => println!("{}", results.text()),
        Output::Json => println!("{}", serde_json::to_string_pretty(&results)?),
    }
    Ok(())
}
