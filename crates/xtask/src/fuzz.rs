//! Fuzzing: bytes that nobody thought of, for every reader of bytes from outside.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use crate::command::{self, cargo};
use crate::packages;

const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// Readers of models are the largest and get the whole time; each other reader gets this part of it.
const SMALL_READER_PART: u32 = 6;

/// What to run, and for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds for each reader of models; every other reader gets a sixth.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only the targets with this in their name.
    #[arg(long, default_value = "")]
    target: String,
    /// `address` also watches the memory of foreign code; our own has next to no `unsafe`.
    #[arg(long, default_value = "none", value_parser = ["none", "address"])]
    sanitizer: String,
}

/// Runs one target after the other and stops at the first finding.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let program = cargo_fuzz()?;
    packages::cpp_compiler()?;
    for target in targets()? {
        if target.contains(&options.target) {
            fuzz(&program, &target, options)?;
        }
    }
    Ok(())
}

fn fuzz(program: &PathBuf, target: &str, options: &Options) -> anyhow::Result<()> {
    let seconds = if target.starts_with("model_") {
        options.seconds
    } else {
        options.seconds.div_ceil(SMALL_READER_PART)
    };
    println!("fuzz: {target} for {seconds} s");
    let corpus = command::workspace_root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("create {}", corpus.display()))?;
    let finding = || {
        format!(
            "fuzz {target}: the input is in fuzz/artifacts/{target}. Mend the reader, and keep the input as \
             fuzz/corpus-seeds/{target}/found-NAME"
        )
    };
    command::run(
        command::new(program)
            .args(["fuzz", "run", "--sanitizer", &options.sanitizer, target])
            .arg(&corpus)
            .arg(format!("fuzz/corpus-seeds/{target}"))
            .args(["--", "-rss_limit_mb=256", "-timeout=10", "-verbosity=0"])
            .args([
                "-print_final_stats=1",
                &format!("-max_total_time={seconds}"),
            ])
            // The coverage counters that guide the fuzzer are an unstable option of a stable compiler.
            .env("RUSTC_BOOTSTRAP", "1")
            // The sanitizer keeps freed memory for a while, 256 MiB of it unless told otherwise.
            .env("ASAN_OPTIONS", "quarantine_size_mb=16"),
    )
    .with_context(finding)
}

/// Names of the targets: one program each.
fn targets() -> anyhow::Result<Vec<String>> {
    let folder = command::workspace_root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

/// The program on the path, or one in the target folder, where it is installed when it is missing.
fn cargo_fuzz() -> anyhow::Result<PathBuf> {
    let on_path = PathBuf::from("cargo-fuzz");
    if command::exists(&on_path) {
        return Ok(on_path);
    }
    let tools = command::workspace_root().join("target/tools");
    let installed = tools.join("bin/cargo-fuzz");
    if !installed.exists() {
        command::run(
            cargo()
                .args(["install", "cargo-fuzz", "--locked", "--version"])
                .arg(CARGO_FUZZ_VERSION)
                .arg("--root")
                .arg(&tools),
        )?;
    }
    Ok(installed)
}
