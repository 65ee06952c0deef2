//! `fcs audit`.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use fcs_proto::deployment::v1::{GetCheckpointRequest, Leaf, ListLeavesRequest};
use fcs_proto::scoring::v1::Decision;
use fcs_service::OsRandom;
use serde::Serialize;

use crate::cli::{AuditCommand, Format, Global};
use crate::client::Clients;
use crate::commands::decision::find;
use crate::exit::CliError;
use crate::output::{print, table};
use crate::sample::sample_decisions;
use crate::verify::{Bundle, VerifiedLog, fetch_bundle, verify_bundle, verify_log};

/// Decisions whose proofs `audit verify` checks when none is named.
const SAMPLE_SIZE: usize = 20;
const FOLLOW_PAUSE: Duration = Duration::from_secs(1);

/// Runs one of the commands.
pub(crate) async fn run(global: &Global, command: &AuditCommand) -> anyhow::Result<()> {
    if let AuditCommand::Verify {
        bundle: Some(path),
        key,
        ..
    } = command
    {
        return verify_file(global.output, path, key.as_deref());
    }
    let mut clients = Clients::of(global)?;
    match command {
        AuditCommand::Verify { decision, key, .. } => {
            verify(
                &mut clients,
                global.output,
                decision.as_deref(),
                key.as_deref(),
            )
            .await
        }
        AuditCommand::Prove { id, to } => prove(&mut clients, id, to.as_deref()).await,
        AuditCommand::Tail { lines, follow } => {
            tail(&mut clients, global.output, *lines, *follow).await
        }
    }
}

#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    log: VerifiedLog,
    decisions_proved: usize,
}

async fn verify(
    clients: &mut Clients,
    format: Format,
    decision: Option<&str>,
    key: Option<&str>,
) -> anyhow::Result<()> {
    let log = verify_log(clients, key).await?;
    let decisions = if let Some(id) = decision {
        vec![find(clients, id).await?]
    } else {
        let decisions = sample_decisions(clients, SAMPLE_SIZE, &OsRandom).await?;
        // The newest decisions enter the log with the next batch.
        let covered = |decision: &Decision| decision.log_index <= log.last_decision_index;
        decisions.into_iter().filter(covered).collect()
    };
    for decision in &decisions {
        verify_bundle(&fetch_bundle(clients, decision).await?, key)?;
    }
    let verified = Verified {
        log,
        decisions_proved: decisions.len(),
    };
    print(format, &verified, |verified| {
        let log = &verified.log;
        format!(
            "verified: {} leaves cover {} decisions; signature, root and {} inclusion proofs hold\n\
             verifier key {}\n\n{}",
            log.size,
            log.last_decision_index,
            verified.decisions_proved,
            log.verifier_key,
            log.checkpoint,
        )
    })
}

fn verify_file(format: Format, path: &Path, key: Option<&str>) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let bundle: Bundle = serde_json::from_slice(&bytes).context("read the bundle")?;
    verify_bundle(&bundle, key)?;
    print(
        format,
        &serde_json::json!({"verified": true, "log_index": bundle.log_index}),
        |_| {
            format!(
                "verified: decision {} is in the log of this checkpoint\n\n{}",
                bundle.log_index, bundle.checkpoint
            )
        },
    )
}

async fn prove(clients: &mut Clients, id: &str, to: Option<&Path>) -> anyhow::Result<()> {
    let decision = find(clients, id).await?;
    let bundle = fetch_bundle(clients, &decision).await?;
    verify_bundle(&bundle, None)?;
    let Some(path) = to else {
        return print(Format::Json, &bundle, |_| String::new());
    };
    std::fs::write(path, serde_json::to_vec_pretty(&bundle)?)
        .with_context(|| format!("write {}", path.display()))?;
    eprintln!("verified and written to {}", path.display());
    Ok(())
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
