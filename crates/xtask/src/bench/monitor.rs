//! Counting and reports of group fairness beside fairlearn, aif360 and Evidently.

use std::fs;

use anyhow::Context;
use clap::Args;

use super::{Output, install_peers};
use crate::command::{cargo, new, run, workspace_root};
use crate::packages;

#[derive(Args)]
pub(crate) struct Options {
    /// Measures fewer events, and the peers once.
    #[arg(long)]
    quick: bool,
    /// Measures only what is written to the stores.
    #[arg(long)]
    durable: bool,
    /// How to print the results.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Peers, our binary, and then the run.
pub(super) fn monitor(options: &Options) -> anyhow::Result<()> {
    let scripts = workspace_root().join("bench/monitor");
    let home = workspace_root().join("target/bench-monitor");
    fs::create_dir_all(&home).with_context(|| format!("create {}", home.display()))?;
    let python = install_peers(&scripts.join("requirements.txt"), &home.join("venv"))?;
    let pins = scripts.join("requirements-evidently.txt");
    let evidently = install_peers(&pins, &home.join("venv-evidently"))?;
    let build = home.join("build");
    run(cargo()
        .args(["build", "--release", "--manifest-path"])
        .arg(scripts.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &build))?;
    let mut measure = new(build.join("release/monitor-bench"));
    measure
        .arg("--python")
        .arg(&python)
        .arg("--evidently")
        .arg(&evidently)
        .arg("--scripts")
        .arg(&scripts)
        .arg("--data")
        .arg(home.join("data"))
        .env("FCS_TEST_POSTGRES_PROGRAMS", packages::postgres_folder()?);
    if options.quick {
        measure.args(["--events", "3000000", "--repetitions", "3"]);
        measure.args(["--peer-repetitions", "1"]);
    }
    if options.durable {
        measure.arg("--only-durable");
    }
    if matches!(options.output, Output::Json) {
        measure.args(["--output", "json"]);
    }
    run(&mut measure)
}
