//! Decisions per second beside FastAPI with LightGBM and beside the bare commit of the same rows; and what happens
//! under ten times the load that the gateway can carry.

mod limit;
mod ours;
mod overload;
mod processes;
mod report;
mod rows;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;
use fcs_testkit::load::{Answers, Load, Pace, post, run};

use crate::ours::{Ours, local};
use crate::processes::{Program, cost};
use crate::report::{Line, Report, median};
use crate::rows::Rows;

/// The name of our line.
pub(crate) const OURS: &str = "fcs, durable, with reasons";
const ROWS: usize = 2_000;

#[derive(Parser)]
struct Options {
    /// Folder of the release builds of scoring-gateway and model-server.
    #[arg(long)]
    programs: PathBuf,
    /// Python with the peers.
    #[arg(long)]
    python: PathBuf,
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
    /// Prints one JSON document.
    #[arg(long)]
    json: bool,
}

/// Who is measured.
struct Contender {
    name: &'static str,
    address: SocketAddr,
    path: &'static str,
    processes: Vec<u32>,
}

#[tokio::main(worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let rows = Rows::read(Path::new("models"), ROWS)?;
    let ours = Ours::start(&options.programs, folder.path()).await?;
    if let Some(seconds) = options.overload {
        return overload::measure(&ours, &rows, Duration::from_secs(seconds), options.json).await;
    }
    let (peer, peer_address) = peer(&options, folder.path())?;
    let beside = |name, path| Contender {
        name,
        address: peer_address,
        path,
        processes: vec![peer.id()],
    };
    let contenders = [
        Contender {
            name: OURS,
            address: ours.address,
            path: "/v1/applications/score",
            processes: ours.processes(),
        },
        beside("FastAPI + LightGBM, bare", "/score"),
        beside("FastAPI + LightGBM, contributions", "/explain"),
    ];
    let mut report = Report {
        lines: measure_all(&options, &contenders, &rows).await?,
        group_commit_per_second: 0.0,
    };
    let mut limits = Vec::new();
    for _ in 0..options.repetitions {
        limits.push(limit::group_commit(&ours.postgres.url(), Duration::from_secs(1)).await?);
    }
    report.group_commit_per_second = median(limits);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report.print();
    }
    Ok(())
}

/// Two workers, one for each core of the smallest machine.
fn peer(options: &Options, folder: &Path) -> anyhow::Result<(Program, SocketAddr)> {
    let address = local();
    let mut command = Command::new(&options.python);
    command
        .args(["-m", "uvicorn", "peer:app", "--workers", "2"])
        .args(["--no-access-log", "--log-level", "warning"])
        .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
        .arg("--app-dir")
        .arg(&options.scripts)
        .env(
            "MODEL",
            std::path::absolute("models/taiwan-default/1/model.txt")?,
        )
        .env("OMP_NUM_THREADS", "1");
    let program = Program::start(command, &folder.join("peer.log"), address)?;
    Ok((program, address))
}

/// Contenders take turns within each repetition.
async fn measure_all(
    options: &Options,
    contenders: &[Contender],
    rows: &Rows,
) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut measurement = 0;
    for &connections in &options.connections {
        let mut measured: Vec<Vec<Line>> = contenders.iter().map(|_| Vec::new()).collect();
        for repetition in 0..=options.repetitions {
            for (contender, lines) in contenders.iter().zip(&mut measured) {
                measurement += 1;
                let length = Duration::from_secs(options.seconds);
                let line = measure(contender, connections, length, (rows, measurement)).await?;
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

async fn measure(
    contender: &Contender,
    connections: u32,
    length: Duration,
    (rows, measurement): (&Rows, u64),
) -> anyhow::Result<Line> {
    let before = cost(&contender.processes);
    let load = Load {
        to: contender.address,
        connections,
        pace: Pace::Closed,
        length,
    };
    let answers = send(load, contender.path, rows, measurement).await;
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
        connections,
        per_second: answers.per_second(200),
        p50_ms: ms(500),
        p99_ms: ms(990),
        cpu_us: (after.cpu_s - before.cpu_s) / count as f64 * 1e6,
        memory_mib: after.memory_bytes as f64 / f64::from(1 << 20),
    })
}

/// Sends rows of one measurement.
pub(crate) async fn send(load: Load, path: &'static str, rows: &Rows, measurement: u64) -> Answers {
    let rows = rows.clone();
    let request = move |number| {
        let key = format!("idempotency-key: k-{measurement}-{number}\r\n");
        post(path, &key, &rows.body(measurement, number))
    };
    run(load, request).await
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
