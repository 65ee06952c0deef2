//! A file with a plan: TOML, or JSON where the name ends in `.json`.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

use crate::exit::CliError;

/// The parts of a plan as the service reads them, JSON; empty for what the file leaves to the service.
#[derive(Default)]
pub(super) struct PlanParts {
    pub(super) strategy: String,
    pub(super) analysis: String,
    pub(super) limits: String,
    pub(super) point_of_no_return: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    strategy: Option<Value>,
    analysis: Option<Value>,
    limits: Option<Value>,
    point_of_no_return: Option<u32>,
}

/// Reads a plan. What its parts may say is for the service to check.
pub(super) fn read(path: &Path) -> anyhow::Result<PlanParts> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let is_json = path
        .extension()
        .is_some_and(|extension| extension == "json");
    let file: Result<PlanFile, String> = if is_json {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        toml::from_str(&text).map_err(|error| error.to_string())
    };
    let file =
        file.map_err(|error| CliError::Usage(format!("{} is no plan: {error}", path.display())))?;
    let part = |part: Option<Value>| part.map_or_else(String::new, |part| part.to_string());
    Ok(PlanParts {
        strategy: part(file.strategy),
        analysis: part(file.analysis),
        limits: part(file.limits),
        point_of_no_return: file.point_of_no_return,
    })
}
