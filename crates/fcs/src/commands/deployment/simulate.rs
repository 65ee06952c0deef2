//! `fcs deployment simulate`: what counts amount to, or what a plan does to candidates.

mod judged;
mod played;

use std::path::Path;

use fcs_rollout::statistics::Counts;
use fcs_rollout::statistics::simulate::Plan;

use crate::cli::{Format, SimulateArguments};
use crate::exit::CliError;

/// The shape of the documents; fields may be added, but none changes its meaning under the same number.
const FORMAT: u32 = 1;

/// Runs the command.
pub(super) fn run(output: Format, arguments: &SimulateArguments) -> anyhow::Result<()> {
    let plan = match arguments.plan.first() {
        Some(file) => read_plan(file)?,
        None => Plan::default(),
    };
    match counts(arguments)? {
        Some(counts) => judged::run(output, arguments, &plan, counts),
        None => played::run(output, &arguments.scenario, plan),
    }
}

/// The counts of the file and of the arguments together; `None` if there are neither.
fn counts(arguments: &SimulateArguments) -> Result<Option<Counts>, CliError> {
    let mut counts = match &arguments.counts {
        Some(file) => read_counts(file)?,
        None if arguments.cells.is_empty() => return Ok(None),
        None => Counts::default(),
    };
    for (weight, arms) in &arguments.cells {
        counts.add(*weight, *arms);
    }
    Ok(Some(counts))
}

fn read_counts(file: &Path) -> Result<Counts, CliError> {
    serde_json::from_str(&read(file)?).map_err(|error| unusable(file, &error))
}

fn read_plan(file: &Path) -> Result<Plan, CliError> {
    let text = read(file)?;
    if file
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        return serde_json::from_str(&text).map_err(|error| unusable(file, &error));
    }
    toml::from_str(&text).map_err(|error| unusable(file, &error))
}

fn read(file: &Path) -> Result<String, CliError> {
    let text = std::fs::read_to_string(file);
    text.map_err(|error| CliError::NotFound(format!("read {}: {error}", file.display())))
}

fn unusable(file: &Path, error: &dyn std::fmt::Display) -> CliError {
    CliError::Usage(format!("{}: {error}", file.display()))
}
