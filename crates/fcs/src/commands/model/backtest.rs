//! `fcs model backtest`: past applications decided again with another package.

use anyhow::anyhow;
use fcs_core::{ModelVersion, Probability};
use fcs_decision::decision::{DecisionContext, ModelOutput, decide, decide_incomplete};
use fcs_decision::features::Reading;
use fcs_decision::record::{DecisionRecord, RECORD_FORMAT};
use model_server::app::package::{self, LoadedModel};
use model_server::registry::Registry;

use super::{Keys, package_error};
use crate::cli::{Global, PastArguments};
use crate::commands::policy::compare::{Comparison, Demographics};
use crate::commands::policy::report;
use crate::records;

/// Loads the package as a server does, decides every past application with it, and compares.
pub(super) async fn run(
    global: &Global,
    registry: &Registry,
    model: &ModelVersion,
    keys: &Keys,
    past: &PastArguments,
) -> anyhow::Result<()> {
    let loaded = package::load(registry, model, &keys.trust, keys.now).await;
    let loaded = loaded.map_err(package_error)?;
    let demographics = Demographics::read(past.demographics.as_deref())?;
    let mut comparison = Comparison::new(demographics);
    records::past(global, past, |before| match again(&loaded, &before) {
        Ok(after) => comparison.add(&before, &after),
        Err(error) => comparison.skip(&format!("{error:#}")),
    })
    .await?;
    report::print_comparison(global, &comparison)
}

fn again(loaded: &LoadedModel, before: &DecisionRecord) -> anyhow::Result<DecisionRecord> {
    let manifest = &loaded.manifest;
    let context = DecisionContext {
        record_format: RECORD_FORMAT,
        ..before.context()
    };
    let reading = manifest.read(&before.inputs(), &context.application);
    let reading = reading.map_err(|violations| {
        let first = violations.into_iter().next();
        anyhow!(
            "the features do not fit: {}",
            first.map_or("", |violation| violation.reason)
        )
    })?;
    let row = match reading {
        Reading::Complete(row) => row,
        Reading::Incomplete(row) => return Ok(decide_incomplete(manifest, &row, &context)?),
    };
    let margin = loaded.engine.margin(row.values());
    let output = ModelOutput {
        margin,
        probability: Probability::try_from(manifest.model.link.probability(margin))?,
        base_margin: loaded.attributor.base_margin(),
        contributions: loaded.attributor.contributions(row.values()),
    };
    Ok(decide(manifest, &row, &output, &context)?)
}
