//! No source file over 500 lines. Clippy's `too_many_lines` watches functions.

use std::fs;

use anyhow::{Context, bail};

use crate::command;

const LINES_MAX: usize = 500;

/// Fails on a Rust file over the limit; generated bindings are exempt.
pub(crate) fn check() -> anyhow::Result<()> {
    let tracked = command::output(command::new("git").args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "*.rs",
    ]))?;
    let mut long = Vec::new();
    let mut count = 0;
    for path in tracked.lines().filter(|path| !path.contains("/generated/")) {
        let file = command::workspace_root().join(path);
        if !file.exists() {
            continue; // deleted in the working tree
        }
        let lines = fs::read_to_string(&file)
            .with_context(|| format!("read {path}"))?
            .lines()
            .count();
        count += 1;
        if lines > LINES_MAX {
            long.push(format!("{path}: {lines} lines"));
        }
    }
    if !long.is_empty() {
        bail!("files over {LINES_MAX} lines:\n  {}", long.join("\n  "));
    }
    println!("sizes: {count} files, none over {LINES_MAX} lines");
    Ok(())
}
