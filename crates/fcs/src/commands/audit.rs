//! `fcs audit`.

mod export;
mod monitor;
mod prove;
mod verify;
mod witness;

use std::time::Duration;

use fcs_proto::deployment::v1::{GetCheckpointRequest, Leaf, ListLeavesRequest};
use fcs_service::settings::{Sources, load};
use fcs_service::{OsRandom, Service as _, SettingsProblems};
use serde_json::json;

use crate::cli::{AuditCommand, Format, Global};
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::{print, table};

const FOLLOW_PAUSE: Duration = Duration::from_secs(1);

/// Runs one of the commands.
pub(crate) async fn run(global: &Global, command: &AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::Verify(arguments) => verify::run(global, arguments).await,
        AuditCommand::Prove { id, event, to } => {
            prove::run(global, id, *event, to.as_deref()).await
        }
        AuditCommand::Export { out, trust } => export::run(global, out, trust).await,
        AuditCommand::Monitor(arguments) => monitor::run(global, arguments).await,
        AuditCommand::Witness(command) => witness::run(global, command).await,
        AuditCommand::Recover => recover(global.output).await,
        AuditCommand::Tail { lines, follow } => {
            let mut clients = Clients::of(global)?;
            tail(&mut clients, global.output, *lines, *follow).await
        }
    }
}

/// Puts back with the settings that deployment-audit itself would start with.
async fn recover(format: Format) -> anyhow::Result<()> {
    let settings = load::<deployment_audit::DeploymentAudit>(&Sources::from_process()).map_err(
        |SettingsProblems(problems)| {
            let name = deployment_audit::DeploymentAudit::NAME;
            CliError::Settings(format!("bad settings of {name}: {}", problems.join("; ")))
        },
    )?;
    let recovered = deployment_audit::recover(&settings, &OsRandom).await?;
    let value = json!({"leaves_before": recovered.had, "leaves": recovered.has});
    print(format, &value, |_| {
        format!(
            "put back {} entries: the database holds the {} that were published. Start deployment-audit, \
             which checks them and signs again.",
            recovered.has - recovered.had,
            recovered.has
        )
    })
}

async fn tail(
    clients: &mut Clients,
    format: Format,
    lines: u32,
    follow: bool,
) -> anyhow::Result<()> {
    let checkpoint = clients
        .audit
        .get_checkpoint(GetCheckpointRequest {})
        .await
        .map_err(CliError::from)?;
    let mut after = checkpoint.into_inner().size.saturating_sub(lines.into());
    loop {
        let request = ListLeavesRequest {
            after_count: after,
            page_size: 1_000,
        };
        let response = clients
            .audit
            .list_leaves(request)
            .await
            .map_err(CliError::from)?;
        let leaves = response.into_inner().leaves;
        after += leaves.len() as u64;
        if !leaves.is_empty() || !follow {
            show(format, &leaves)?;
        }
        if !follow {
            return Ok(());
        }
        tokio::time::sleep(FOLLOW_PAUSE).await;
    }
}

fn show(format: Format, leaves: &[Leaf]) -> anyhow::Result<()> {
    let value = |leaf: &Leaf| -> anyhow::Result<serde_json::Value> {
        let data: serde_json::Value = serde_json::from_slice(&leaf.data)?;
        Ok(serde_json::json!({"index": leaf.index, "leaf": data}))
    };
    let values = leaves
        .iter()
        .map(value)
        .collect::<anyhow::Result<Vec<_>>>()?;
    print(format, &values, |values| {
        let row =
            |value: &serde_json::Value| vec![value["index"].to_string(), value["leaf"].to_string()];
        table(&["#index", "leaf"], values.iter().map(row))
    })
}
