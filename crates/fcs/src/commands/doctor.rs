//! `fcs doctor`: each check says what is wrong and what to do.

use std::path::Path;
use std::time::Duration;

use fcs_core::Clock as _;
use fcs_proto::monitoring::v1::GetStatusRequest;
use fcs_proto::scoring::v1::{GetTrafficRequest, ListDecisionsRequest};
use fcs_service::SystemClock;
use model_server::app::models::describe;
use model_server::app::package;
use serde::Serialize;
use tokio::time::timeout;

use crate::cli::Global;
use crate::client::Clients;
use crate::commands::model::{open_registry, read_trust};
use crate::embedded::default_ports_are_free;
use crate::endpoints::Endpoints;
use crate::exit::CliError;
use crate::output::{print, table};
use crate::verify::verify_log;

const ANSWER_LIMIT: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Finding {
    check: &'static str,
    good: bool,
    found: String,
    /// What to do; empty when all is well.
    fix: String,
}

/// Runs every check.
pub(crate) async fn run(global: &Global) -> anyhow::Result<()> {
    let mut findings = vec![packages(global).await, data_dir(&global.data_dir)];
    findings.extend(services(global).await?);
    print(global.output, &findings, |findings| {
        let rows = findings.iter().map(|finding| {
            let mark = if finding.good { "✓" } else { "✗" };
            vec![
                mark.into(),
                finding.check.into(),
                finding.found.clone(),
                finding.fix.clone(),
            ]
        });
        table(&["", "check", "found", "what to do"], rows)
    })?;
    let bad = findings.iter().filter(|finding| !finding.good).count();
    if bad == 0 {
        return Ok(());
    }
    Err(CliError::Verification(format!("{bad} of {} checks failed", findings.len())).into())
}

fn good(check: &'static str, found: impl Into<String>) -> Finding {
    Finding {
        check,
        good: true,
        found: found.into(),
        fix: String::new(),
    }
}

fn bad(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding {
        check,
        good: false,
        found: found.into(),
        fix: fix.into(),
    }
}

async fn packages(global: &Global) -> Finding {
    const CHECK: &str = "model packages";
    let trust = match read_trust(global, None) {
        Ok(trust) => trust,
        Err(error) => {
            return bad(
                CHECK,
                error.to_string(),
                "name the folder with --models-dir",
            );
        }
    };
    let listed = match open_registry(global, None) {
        Ok(registry) => match registry.list().await {
            Ok(models) => Ok((registry, models)),
            Err(error) => Err(describe(&error)),
        },
        Err(error) => Err(error.to_string()),
    };
    let (registry, models) = match listed {
        Ok(listed) => listed,
        Err(error) => return bad(CHECK, error, "make the folder readable"),
    };
    let now = SystemClock.now();
    for model in &models {
        if let Err(error) = package::load(&registry, model, &trust, now).await {
            let fix = "restore the package from its source; an altered one is never loaded";
            return bad(CHECK, format!("{model}: {}", describe(&error)), fix);
        }
    }
    good(CHECK, format!("{} packages verified", models.len()))
}

fn data_dir(folder: &Path) -> Finding {
    const CHECK: &str = "data folder";
    let probe = folder.join(".doctor");
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&probe, b"x"));
    let removed = written.and_then(|()| std::fs::remove_file(&probe));
    match removed {
        Ok(()) => good(CHECK, format!("{} can be written", folder.display())),
        Err(error) => bad(
            CHECK,
            format!("{}: {error}", folder.display()),
            "name a folder that you own with FCS_DATA_DIR",
        ),
    }
}

async fn services(global: &Global) -> anyhow::Result<Vec<Finding>> {
    let endpoints = Endpoints::resolve(global);
    let mut clients = Clients::of(global)?;
    let request = ListDecisionsRequest {
        after_index: 0,
        page_size: 1,
        ..ListDecisionsRequest::default()
    };
    let highest = match timeout(ANSWER_LIMIT, clients.scoring.list_decisions(request)).await {
        Ok(Ok(response)) => response.into_inner().highest_index,
        _ => return Ok(vec![not_running(&endpoints)]),
    };
    let mut findings = vec![good(
        "scoring-gateway",
        format!("{highest} decisions at {}", endpoints.gateway),
    )];
    findings.push(traffic(&mut clients).await);
    findings.push(monitor(&mut clients, highest).await);
    findings.push(
        match timeout(ANSWER_LIMIT, verify_log(&mut clients, None)).await {
            Ok(Ok(log)) => good(
                "transparency log",
                format!("checkpoint of {} leaves verified", log.size),
            ),
            Ok(Err(error)) => bad(
                "transparency log",
                error.to_string(),
                "keep the database as it is and compare with the last checkpoint that you hold",
            ),
            Err(_) => bad(
                "transparency log",
                "no answer",
                "look at deployment-audit's log",
            ),
        },
    );
    Ok(findings)
}

fn not_running(endpoints: &Endpoints) -> Finding {
    let ports = if default_ports_are_free() {
        ""
    } else {
        "; the default ports are taken: use `fcs up --ports free`"
    };
    bad(
        "services",
        format!("nothing answers at {}", endpoints.gateway),
        format!(
            "start the embedded system with `fcs up`, or name the services with --gateway, --bias-monitor and --deployment-audit{ports}"
        ),
    )
}

async fn traffic(clients: &mut Clients) -> Finding {
    const CHECK: &str = "traffic";
    let fix = "register, approve and activate a model with `fcs deployment`";
    match timeout(
        ANSWER_LIMIT,
        clients.traffic.get_traffic(GetTrafficRequest::default()),
    )
    .await
    {
        Ok(Ok(response)) => {
            let arms = response.into_inner().table.unwrap_or_default().arms;
            let names = arms.iter().filter_map(|arm| {
                Some(format!(
                    "{}/{}",
                    arm.model.as_ref()?.name,
                    arm.model.as_ref()?.version
                ))
            });
            let names: Vec<_> = names.collect();
            if names.is_empty() {
                bad(CHECK, "no model takes traffic", fix)
            } else {
                good(CHECK, names.join(", "))
            }
        }
        Ok(Err(status)) => bad(CHECK, status.message(), "look at the gateway's log"),
        Err(_) => bad(CHECK, "no answer", "look at the gateway's log"),
    }
}

async fn monitor(clients: &mut Clients, highest: u64) -> Finding {
    const CHECK: &str = "bias-monitor";
    match timeout(
        ANSWER_LIMIT,
        clients.monitoring.get_status(GetStatusRequest {}),
    )
    .await
    {
        Ok(Ok(response)) => {
            let last = response.into_inner().last_index;
            let found = format!("read {last} of {highest} decisions");
            // One page of the feed may be on its way.
            if last + 1_000 >= highest {
                good(CHECK, found)
            } else {
                bad(CHECK, found, "look at the monitor's log")
            }
        }
        Ok(Err(status)) => bad(CHECK, status.message(), "look at the monitor's log"),
        Err(_) => bad(CHECK, "no answer", "start the monitor"),
    }
}
