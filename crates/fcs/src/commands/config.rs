//! `fcs config`.

use std::fmt::Write;

use bias_monitor::BiasMonitor;
use deployment_audit::DeploymentAudit;
use fcs_service::settings::{Sources, load, shown_json, shown_toml};
use fcs_service::{Service, SettingsProblems};
use model_server::ModelServer;
use scoring_gateway::Gateway;
use serde_json::Value;

use crate::cli::{ConfigCommand, Global};
use crate::exit::CliError;
use crate::output::print;

/// The effective settings of one service, or what is wrong with them.
struct Effective {
    name: &'static str,
    settings: Result<(Value, String), Vec<String>>,
}

/// Runs one of the commands.
pub(crate) fn run(global: &Global, command: &ConfigCommand) -> anyhow::Result<()> {
    let all = [
        effective::<Gateway>(),
        effective::<ModelServer>(),
        effective::<BiasMonitor>(),
        effective::<DeploymentAudit>(),
    ];
    match command {
        ConfigCommand::Check => check(global, &all),
        ConfigCommand::Show { service } => show(global, &all, service.as_deref()),
    }
}

fn effective<S: Service>() -> Effective {
    let settings = match load::<S>(&Sources::from_process()) {
        Ok(settings) => Ok((shown_json::<S>(&settings), shown_toml::<S>(&settings))),
        Err(SettingsProblems(problems)) => Err(problems),
    };
    Effective {
        name: S::NAME,
        settings,
    }
}

fn check(global: &Global, all: &[Effective]) -> anyhow::Result<()> {
    let problems: serde_json::Map<String, Value> = all
        .iter()
        .filter_map(|it| {
            Some((
                it.name.to_owned(),
                it.settings.as_ref().err()?.clone().into(),
            ))
        })
        .collect();
    print(global.output, &problems, |_| all.iter().map(line).collect())?;
    if problems.is_empty() {
        return Ok(());
    }
    Err(CliError::Settings(format!("bad settings of {} services", problems.len())).into())
}

fn line(service: &Effective) -> String {
    match &service.settings {
        Ok(_) => format!("{}: good\n", service.name),
        Err(problems) => format!("{}:\n  - {}\n", service.name, problems.join("\n  - ")),
    }
}

fn show(global: &Global, all: &[Effective], name: Option<&str>) -> anyhow::Result<()> {
    let chosen: Vec<&Effective> = all
        .iter()
        .filter(|it| name.is_none_or(|name| name == it.name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = all.iter().map(|it| it.name).collect();
        return Err(CliError::Usage(format!("--service is one of {}", names.join(", "))).into());
    }
    let mut documents = serde_json::Map::new();
    let mut text = String::new();
    for service in chosen {
        let (json, toml) = service.settings.as_ref().map_err(|problems| {
            CliError::Settings(format!(
                "{}:\n  - {}",
                service.name,
                problems.join("\n  - ")
            ))
        })?;
        documents.insert(service.name.to_owned(), json.clone());
        let _ = writeln!(text, "# {}\n{toml}", service.name);
    }
    print(global.output, &documents, |_| text)
}
