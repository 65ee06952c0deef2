//! The transparency log beside a bare insert into the same PostgreSQL.

use std::fs;

use anyhow::Context;
use clap::Args;

use super::Output;
use crate::command::{cargo, new, run, workspace_root};
use crate::packages;

#[derive(Args)]
pub(crate) struct Options {
    /// Writes fewer events, and less often.
    #[arg(long)]
    quick: bool,
    /// How to print the results.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Our binary, and then the run.
pub(super) fn log(options: &Options) -> anyhow::Result<()> {
    let home = workspace_root().join("target/bench-log");
    fs::create_dir_all(&home).with_context(|| format!("create {}", home.display()))?;
    let build = home.join("build");
    run(cargo()
        .args(["build", "--release", "--manifest-path"])
        .arg(workspace_root().join("bench/log/Cargo.toml"))
        .env("CARGO_TARGET_DIR", &build))?;
    let mut measure = new(build.join("release/log-bench"));
    measure.env("FCS_TEST_POSTGRES_PROGRAMS", packages::postgres_folder()?);
    if options.quick {
        measure.args(["--events", "20000", "--repetitions", "1"]);
    }
    if matches!(options.output, Output::Json) {
        measure.args(["--output", "json"]);
    }
    run(&mut measure)
}
