//! `fcs audit prove`.

use std::path::Path;

use anyhow::Context as _;
use fcs_proto::deployment::v1::{GetCheckpointRequest, GetDeploymentRequest, GetRolloutRequest};
use fcs_tlog::LogProof;

use crate::cli::Global;
use crate::client::Clients;
use crate::commands::decision::find;
use crate::exit::CliError;
use crate::output::line;
use crate::trust::of_key;
use crate::verify::{prove_decision, prove_event, verify_proof};

/// Runs the command.
pub(super) async fn run(
    global: &Global,
    id: &str,
    event: Option<u64>,
    to: Option<&Path>,
) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let proof = prove(&mut clients, id, event).await?;
    let named = clients
        .audit
        .get_checkpoint(GetCheckpointRequest {})
        .await
        .map_err(CliError::from)?
        .into_inner()
        .verifier_key;
    verify_proof(&proof, None, &of_key(&named)?)?;
    let text = proof.to_string();
    let Some(path) = to else {
        return line(text.trim_end());
    };
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    eprintln!("verified and written to {}", path.display());
    Ok(())
}

async fn prove(clients: &mut Clients, id: &str, event: Option<u64>) -> anyhow::Result<LogProof> {
    let events: Vec<(u64, u64)> = if id.starts_with("dep_") {
        let deployment_id = id.to_owned();
        let request = GetDeploymentRequest { deployment_id };
        let answer = clients.deployment.get_deployment(request).await;
        let found = answer.map_err(CliError::from)?.into_inner().deployment;
        let found = found.context("the service sent no deployment")?;
        let place =
            |event: &fcs_proto::deployment::v1::DeploymentEvent| (event.sequence, event.leaf_index);
        found.events.iter().map(place).collect()
    } else if id.starts_with("rol_") {
        let rollout_id = id.to_owned();
        let request = GetRolloutRequest { rollout_id };
        let answer = clients.rollouts.get_rollout(request).await;
        let found = answer.map_err(CliError::from)?.into_inner().rollout;
        let found = found.context("the service sent no rollout")?;
        let place =
            |event: &fcs_proto::deployment::v1::RolloutEvent| (event.sequence, event.leaf_index);
        found.events.iter().map(place).collect()
    } else {
        if event.is_some() {
            let message = "--event is for deployments and rollouts";
            return Err(CliError::Usage(message.to_owned()).into());
        }
        let decision = find(clients, id).await?;
        return prove_decision(clients, &decision).await;
    };
    let chosen = match event {
        None => events.last(),
        Some(sequence) => events.iter().find(|(found, _)| *found == sequence),
    };
    let Some((_, leaf_index)) = chosen else {
        return Err(CliError::NotFound(format!("{id} has no such event")).into());
    };
    prove_event(clients, *leaf_index).await
}
