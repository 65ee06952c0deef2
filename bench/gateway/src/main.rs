//! Decisions per second beside servers of the same model and beside the bare commit of the same rows; what happens
//! under ten times the load that the gateway can carry; and the model server alone beside the same servers.

mod answer;
mod grpc;
mod limit;
mod measure;
mod ours;
mod overload;
mod peers;
mod processes;
mod report;
mod rows;
mod serving;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use serde::Serialize;

use crate::measure::{Plan, measure_all, median};
use crate::ours::Ours;
use crate::peers::{Peers, Places};
use crate::report::Report;
use crate::rows::Rows;

/// The name of our line.
pub(crate) const OURS: &str = "fcs, durable, with reasons";

#[derive(Parser)]
struct Options {
    /// Folder of the release builds of scoring-gateway and model-server.
    #[arg(long)]
    programs: PathBuf,
    /// Python with FastAPI.
    #[arg(long)]
    python: PathBuf,
    /// Python with MLServer, which needs an older FastAPI.
    #[arg(long)]
    mlserver: PathBuf,
    /// Folder of peer.py.
    #[arg(long)]
    scripts: PathBuf,
    /// Connections at a time.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    connections: Vec<u32>,
    /// How often each is measured; the medians count.
    #[arg(long, default_value_t = 5)]
    repetitions: u64,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Measures overload instead: so many seconds of ten times the load that the gateway can carry.
    #[arg(long)]
    overload: Option<u64>,
    /// Measures the model server alone instead.
    #[arg(long)]
    serving: bool,
    /// Prints one JSON document.
    #[arg(long)]
    json: bool,
}

#[expect(
    clippy::disallowed_macros,
    reason = "a benchmark is no service of the product"
)]
#[tokio::main(worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let rows = Arc::new(Rows::read()?);
    if let Some(seconds) = options.overload {
        let ours = Ours::start(&options.programs, folder.path()).await?;
        return overload::measure(&ours, &rows, Duration::from_secs(seconds), options.json).await;
    }
    let places = Places {
        fastapi: &options.python,
        mlserver: &options.mlserver,
        scripts: &options.scripts,
    };
    let peers = Peers::start(&places, folder.path(), &rows)?;
    let plan = Plan {
        connections: options.connections,
        repetitions: options.repetitions,
        length: Duration::from_secs(options.seconds),
    };
    let programs = (options.programs.as_path(), folder.path());
    if options.serving {
        let report = serving::measure(&plan, &rows, programs, &peers).await?;
        return print(options.json, &report, serving::Report::tables);
    }
    let report = decisions(&plan, &rows, programs, &peers).await?;
    print(options.json, &report, Report::text)
}

fn print<T: Serialize>(json: bool, report: &T, text: fn(&T) -> String) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        print!("{}", text(report));
    }
    Ok(())
}

/// Whole decisions beside the peers, and the limit.
async fn decisions(
    plan: &Plan,
    rows: &Arc<Rows>,
    (programs, folder): (&Path, &Path),
    peers: &Peers,
) -> anyhow::Result<Report> {
    let ours = Ours::start(programs, folder).await?;
    let contenders = [
        ours.contender(OURS, rows),
        peers.fastapi("FastAPI + LightGBM, bare", "/score", rows),
        peers.mlserver_http("MLServer + LightGBM, bare", rows),
        peers.fastapi("FastAPI + LightGBM, contributions", "/explain", rows),
    ];
    let lines = measure_all(plan, &contenders.each_ref()).await?;
    let mut limits = Vec::new();
    for _ in 0..plan.repetitions {
        limits.push(limit::group_commit(&ours.postgres.url(), Duration::from_secs(1)).await?);
    }
    Ok(Report {
        lines,
        group_commit_per_second: median(limits),
    })
}
