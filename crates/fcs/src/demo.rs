//! `fcs demo`: the whole way of a decision on real applications, from an empty folder to verified proofs.

pub(crate) mod data;
mod drive;
mod load;
pub(crate) mod render;
pub(crate) mod summary;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use fcs_core::ModelVersion;
use fcs_decision::record::DecisionRecord;
use fcs_proto::scoring::v1::Decision;

use crate::cli::{DemoArguments, Format, Global, Ports};
use crate::client::Clients;
use crate::commands::deployment::read_manifest;
use crate::commands::explain;
use crate::commands::up::until_stopped;
use crate::embedded::{Place, System, check_models_dir, default_ports_are_free};
use crate::endpoints::Endpoints;
use crate::exit::CliError;
use crate::output::print;

use drive::{Drive, Report};

/// Starts a system, sends everything, shows the summary, and goes on running or ends.
pub(crate) async fn run(global: &Global, arguments: &DemoArguments) -> anyhow::Result<()> {
    let start = Instant::now();
    check_models_dir(&global.models_dir)?;
    let model = newest_version(global, &arguments.model)?;
    let manifest = read_manifest(global, &model)?;
    let drive = |endpoints: &Endpoints| {
        anyhow::Ok(Drive {
            clients: Clients::at(endpoints, global)?,
            data: global.models_dir.join(model.name()).join("data"),
            concurrency: arguments.concurrency,
            manifest,
            start,
        })
    };
    if arguments.attach {
        let report = drive(&Endpoints::resolve(global))?.run().await?;
        show(global.output, &report)?;
        return report.verdict();
    }
    let system = System::start(&place(global, arguments)).await?;
    eprintln!("system ready after {:.2} s", start.elapsed().as_secs_f64());
    let report = tokio::select! {
        report = drive(&system.endpoints)?.run() => report?,
        stopped = until_stopped() => {
            stopped?;
            eprintln!("stopping");
            return system.stop().await;
        }
    };
    show(global.output, &report)?;
    if !arguments.exit {
        eprintln!(
            "\nThe system is running. Stop with Ctrl-C.\n{}",
            system.describe()
        );
        eprintln!("Try `fcs decision list`, `fcs bias report`, `fcs audit verify`.");
        until_stopped().await?;
        eprintln!("stopping");
    }
    system.stop().await?;
    report.verdict()
}

fn show(format: Format, report: &Report) -> anyhow::Result<()> {
    print(format, &report.summary, |summary| {
        let examples =
            [&report.denied, &report.approved].map(|example| explained(example.as_ref()));
        format!("{}\n{}", examples.join("\n"), render::render(summary))
    })
}

/// Each model's demo has a folder of its own, so that its log holds its decisions alone.
fn place(global: &Global, arguments: &DemoArguments) -> Place {
    let fallback = || {
        if default_ports_are_free() {
            return Ports::Default;
        }
        eprintln!("the default ports are taken: using free ones");
        Ports::Free
    };
    Place {
        data_dir: global.data_dir.join(format!("demo-{}", arguments.model)),
        note_dir: global.data_dir.clone(),
        models_dir: global.models_dir.clone(),
        ports: arguments.ports.unwrap_or_else(fallback),
    }
}

/// The newest version of a model among the packages.
pub(crate) fn newest_version(global: &Global, name: &str) -> anyhow::Result<ModelVersion> {
    let folder: PathBuf = global.models_dir.join(name);
    let unknown = || {
        CliError::NotFound(format!(
            "{} holds no versions of a model {name:?}",
            global.models_dir.display()
        ))
    };
    let mut versions: Vec<(Option<u64>, String)> = std::fs::read_dir(&folder)
        .map_err(|_| unknown())?
        .filter_map(|entry| {
            entry
                .ok()
                .filter(|it| it.path().join("model.toml").is_file())
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .map(|version| (version.parse().ok(), version))
        .collect();
    versions.sort();
    let (_, newest) = versions.pop().ok_or_else(unknown)?;
    ModelVersion::new(name, &newest).context("the folder names a model version")
}

fn explained(example: Option<&(Decision, DecisionRecord)>) -> String {
    example.map_or_else(String::new, |(decision, record)| {
        explain::text(decision, record)
    })
}
