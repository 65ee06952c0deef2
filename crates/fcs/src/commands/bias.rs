//! `fcs bias`.

mod compute;
mod decisions;
mod drift;
mod examine;
mod file;
mod panels;
mod policy;
mod proxied;
mod proxied_text;
mod proxy;
mod rebuild;
mod sheet;
mod spelling;
mod text;
mod watching;

use std::collections::HashMap;

use fcs_proto::monitoring::v1::{GetGroupReportRequest, GetGroupReportResponse};
use serde::Serialize;

use crate::cli::{BiasCommand, BiasPolicyCommand, Global};
use crate::client::Clients;
use crate::demo::render::{attribute_table, calibration};
use crate::demo::summary::{self, Attribute, CalibrationSummary};
use crate::exit::CliError;
use crate::output::print;

#[derive(Serialize)]
struct Report {
    last_index: u64,
    decisions: u64,
    fairness: Vec<Attribute>,
    /// From probabilities of groups, never mixed with what is known by value.
    proxies: Vec<panels::Panel>,
    calibration: CalibrationSummary,
}

/// Runs one of the commands.
pub(crate) async fn run(global: &Global, command: &BiasCommand) -> anyhow::Result<()> {
    match command {
        BiasCommand::Report { model, references } => {
            report(global, model.as_deref(), references).await
        }
        BiasCommand::Compute(arguments) => compute::run(global.output, arguments),
        BiasCommand::Proxy(arguments) => proxy::run(global.output, arguments),
        BiasCommand::Verdicts {
            model,
            fail_on_breach,
        } => watching::verdicts(global, model.as_deref(), *fail_on_breach).await,
        BiasCommand::Drift(arguments) => drift::run(global, arguments).await,
        BiasCommand::Examine(arguments) => examine::run(global, arguments).await,
        BiasCommand::Rebuild { apply } => rebuild::run(global, *apply).await,
        BiasCommand::Sheet(arguments) => sheet::write(global, arguments).await,
        BiasCommand::Verify { file, key } => sheet::verify(global, file, key),
        BiasCommand::Watch {
            model,
            after,
            no_follow,
        } => watching::watch(global, model.as_deref(), *after, *no_follow).await,
        BiasCommand::Explain(watched) => watching::explain(global, watched).await,
        BiasCommand::Acknowledge { watched, note } => {
            watching::acknowledge(global, watched, note).await
        }
        BiasCommand::Mute {
            watched,
            reason,
            duration,
        } => watching::mute(global, watched, reason, *duration).await,
        BiasCommand::Unmute(watched) => watching::unmute(global, watched).await,
        BiasCommand::Policy(BiasPolicyCommand::Check { file }) => policy::check(global, file),
        BiasCommand::Policy(BiasPolicyCommand::Show) => policy::show(global).await,
    }
}

async fn report(global: &Global, model: Option<&str>, references: &[String]) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let request = GetGroupReportRequest {
        model: model.unwrap_or_default().to_owned(),
        reference_groups: parse_references(references)?,
    };
    let report = clients
        .monitoring
        .get_group_report(request)
        .await
        .map_err(CliError::from)?;
    print(global.output, &convert(&report.into_inner()), text)
}

fn parse_references(references: &[String]) -> Result<HashMap<String, String>, CliError> {
    let pair = |text: &String| {
        let (attribute, group) = text
            .split_once('=')
            .ok_or_else(|| CliError::Usage(format!("--reference {text}: write ATTRIBUTE=GROUP")))?;
        Ok((attribute.to_owned(), group.to_owned()))
    };
    references.iter().map(pair).collect()
}

fn convert(report: &GetGroupReportResponse) -> Report {
    Report {
        last_index: report.last_index,
        decisions: report.decisions,
        fairness: summary::fairness(report),
        proxies: panels::convert(report),
        calibration: summary::calibration(report),
    }
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{} decisions up to index {}\n",
        report.decisions, report.last_index
    );
    for attribute in &report.fairness {
        text.push('\n');
        text.push_str(&attribute_table(attribute));
    }
    text.push_str(&panels::text(&report.proxies));
    if report.calibration.labelled > 0 {
        text.push('\n');
        text.push_str(&calibration(&report.calibration));
    }
    text.push_str(
        "\nThe verdicts use fixed-sample intervals against the floor: right for one look, not for watching.\n",
    );
    text
}
