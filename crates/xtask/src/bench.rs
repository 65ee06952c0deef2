//! Benchmarks beside peers. What they need is prepared under `target/` and kept there.

mod log;
mod monitor;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use crate::command::{cargo, new, output, run, workspace_root};
use crate::packages;

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Measures the tree engine beside LightGBM, XGBoost, hessboost, lleaves, tl2cgen, ONNX Runtime and shap.
    Engine(Options),
    /// Measures the gateway on PostgreSQL beside FastAPI and MLServer with LightGBM and beside the bare commit of the
    /// same rows.
    Gateway(GatewayOptions),
    /// Measures the model server alone, over HTTP and gRPC, beside FastAPI and MLServer with LightGBM.
    Serving(ServingOptions),
    /// Measures counting and reports of group fairness beside fairlearn, aif360 and Evidently.
    Monitor(monitor::Options),
    /// Measures the transparency log, its durable appends and its verification, beside a bare insert into PostgreSQL.
    Log(log::Options),
}

#[derive(Args)]
pub(crate) struct GatewayOptions {
    /// Measures shorter and less often.
    #[arg(long)]
    quick: bool,
    /// Measures instead what happens under ten times the load that the gateway can carry, for so many seconds.
    #[arg(long, value_name = "SECONDS")]
    overload: Option<u64>,
    /// How to print the results.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct ServingOptions {
    /// Measures shorter and less often.
    #[arg(long)]
    quick: bool,
    /// How to print the results.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct Options {
    /// Models to measure on, by their names in bench/engine/models.py.
    #[arg(long, value_delimiter = ',')]
    shapes: Vec<String>,
    /// Leaves out peers that take minutes to build, the growth series and large populations, and repeats less.
    #[arg(long)]
    quick: bool,
    /// How to print the results.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Table,
    Json,
}

const SHAPES: [&str; 4] = ["300x31", "300x31_num", "xgb_500xd6", "1000x63"];
const GROWTH: [&str; 6] = [
    "trees_100",
    "trees_1000",
    "depth_4",
    "depth_6",
    "depth_8",
    "depth_10",
];

pub(crate) fn run_bench(bench: &Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Engine(options) => engine(options),
        Bench::Gateway(options) => gateway(options),
        Bench::Serving(options) => serving(options),
        Bench::Monitor(options) => monitor::monitor(options),
        Bench::Log(options) => log::log(options),
    }
}

/// Peers, models, peers' own builds of the models, our binary, and then the run.
fn engine(options: &Options) -> anyhow::Result<()> {
    let scripts = workspace_root().join("bench/engine");
    let home = workspace_root().join("target/bench-engine");
    let data = home.join("data");
    fs::create_dir_all(&home).with_context(|| format!("create {}", home.display()))?;
    let python = install_peers(&scripts.join("requirements.txt"), &home.join("venv"))?;
    let shapes = shapes(options);
    let script = |name: &str| {
        let mut command = new("nice");
        // Preparing takes minutes and must not slow down other work on the machine.
        command
            .args(["-n", "19"])
            .arg(&python)
            .arg(scripts.join(name))
            .arg(&data);
        command
    };
    run(script("models.py").args(&shapes))?;
    for shape in &shapes {
        let mut command = script("peers.py");
        command.arg(shape).arg("onnx");
        if !options.quick && !GROWTH.contains(&shape.as_str()) {
            command.args(["lleaves", "tl2cgen"]);
        }
        run(&mut command)?;
    }
    let packages = output(new(&python).args([
        "-c",
        "import lightgbm, pathlib; print(pathlib.Path(lightgbm.__file__).parents[1])",
    ]))?;
    let build = home.join("build");
    let manifest = scripts.join("Cargo.toml");
    run(cargo()
        .args(["build", "--release", "--manifest-path"])
        .arg(&manifest)
        .env("CARGO_TARGET_DIR", &build))?;
    let mut measure = new(build.join("release/engine-bench"));
    measure
        .arg("--data")
        .arg(&data)
        .arg("--packages")
        .arg(packages.trim())
        .arg("--python")
        .arg(&python)
        .arg("--scripts")
        .arg(&scripts)
        .arg("--shapes")
        .arg(shapes.join(","))
        // Peers that use OpenMP start no threads of their own.
        .env("OMP_NUM_THREADS", "1");
    if options.quick {
        measure.arg("--quick");
    }
    if matches!(options.output, Output::Json) {
        measure.args(["--output", "json"]);
    }
    run(&mut measure)
}

fn gateway(options: &GatewayOptions) -> anyhow::Result<()> {
    let ours = ["scoring-gateway", "model-server"];
    let mut measure = services(&ours, options.quick, options.output)?;
    measure.env("FCS_TEST_POSTGRES_PROGRAMS", packages::postgres_folder()?);
    if let Some(seconds) = options.overload {
        measure.args(["--overload", &seconds.to_string()]);
    }
    run(&mut measure)
}

fn serving(options: &ServingOptions) -> anyhow::Result<()> {
    let mut measure = services(&["model-server"], options.quick, options.output)?;
    run(measure.arg("--serving"))
}

/// Peers, our services, and our binary, which is returned ready to run.
fn services(ours: &[&str], quick: bool, output: Output) -> anyhow::Result<Command> {
    let scripts = workspace_root().join("bench/gateway");
    let home = workspace_root().join("target/bench-gateway");
    fs::create_dir_all(&home).with_context(|| format!("create {}", home.display()))?;
    let python = install_peers(&scripts.join("requirements.txt"), &home.join("venv"))?;
    let pins = scripts.join("requirements-mlserver.txt");
    let mlserver = install_peers(&pins, &home.join("venv-mlserver"))?;
    let mut services = cargo();
    services.args(["build", "--release"]);
    for name in ours {
        services.args(["-p", name]);
    }
    run(&mut services)?;
    let build = home.join("build");
    run(cargo()
        .args(["build", "--release", "--manifest-path"])
        .arg(scripts.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &build))?;
    let mut measure = new(build.join("release/gateway-bench"));
    measure
        .arg("--programs")
        .arg(workspace_root().join("target/release"))
        .arg("--python")
        .arg(&python)
        .arg("--mlserver")
        .arg(&mlserver)
        .arg("--scripts")
        .arg(&scripts);
    if quick {
        measure.args(["--repetitions", "2", "--seconds", "2"]);
    }
    if matches!(output, Output::Json) {
        measure.arg("--json");
    }
    Ok(measure)
}

fn shapes(options: &Options) -> Vec<String> {
    if !options.shapes.is_empty() {
        return options.shapes.clone();
    }
    let growth: &[&str] = if options.quick { &[] } else { &GROWTH };
    SHAPES
        .iter()
        .chain(growth)
        .map(ToString::to_string)
        .collect()
}

/// A virtual environment with exactly the pinned peers; made anew when the pins change.
fn install_peers(pins: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let wanted = fs::read_to_string(pins).with_context(|| format!("read {}", pins.display()))?;
    let python = folder.join("bin/python");
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    let base = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    run(new(base).args(["-m", "venv", "--clear"]).arg(folder))?;
    run(new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        // The pins are complete. XGBoost asks for a newer Python than others here work with, but does not need it.
        .args(["--no-deps", "--ignore-requires-python", "--requirement"])
        .arg(pins))?;
    fs::write(&installed, wanted).with_context(|| format!("write {}", installed.display()))?;
    Ok(python)
}
