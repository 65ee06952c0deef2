//! `fcs audit witness`.

use std::sync::Arc;

use anyhow::Context as _;
use fcs_service::{Environment, OsRandom, SystemClock, seed_file};
use fcs_tlog::note::{CosigningKey, NoteKeyName};
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli::{Global, WitnessCommand, WitnessIdentity};
use crate::commands::up::until_stopped;
use crate::exit::CliError;
use crate::output::print;
use crate::trust;
use crate::witness::{Witness, routes};

/// Runs one of the commands.
pub(super) async fn run(global: &Global, command: &WitnessCommand) -> anyhow::Result<()> {
    match command {
        WitnessCommand::Key { identity } => {
            let key = key(identity)?.verifier_key().to_string();
            print(global.output, &json!({"verifier_key": key}), |_| {
                key.clone()
            })
        }
        WitnessCommand::Serve {
            listen,
            identity,
            policy,
        } => {
            let logs = trust::read(policy)?;
            let logs: Vec<_> = logs.logs().iter().map(|log| log.key.clone()).collect();
            if logs.is_empty() {
                let text = format!("{} names no log", policy.display());
                return Err(CliError::Usage(text).into());
            }
            let key = key(identity)?;
            let verifier_key = key.verifier_key().to_string();
            let state = Arc::new(Witness::new(
                key,
                logs,
                &identity.state,
                Arc::new(SystemClock),
            ));
            let listener = TcpListener::bind(listen)
                .await
                .with_context(|| format!("listen on {listen}"))?;
            eprintln!(
                "{verifier_key}\nlistening on http://{}",
                listener.local_addr()?
            );
            axum::serve(listener, routes(state))
                .with_graceful_shutdown(async {
                    if let Err(error) = until_stopped().await {
                        eprintln!("error: {error:#}");
                    }
                })
                .await?;
            Ok(())
        }
    }
}

/// The witness's key; a new witness makes one, readable by its owner only.
fn key(identity: &WitnessIdentity) -> anyhow::Result<CosigningKey> {
    let name: NoteKeyName = identity
        .name
        .parse()
        .map_err(|error| CliError::Usage(format!("--name: {error}")))?;
    let path = identity.state.join("witness.key");
    // A witness runs on its own; there is no shared environment whose key could be missing.
    let seed = seed_file::load(&path, "--state", Environment::Development, &OsRandom)?;
    Ok(CosigningKey::from_seed(name, seed.expose()))
}
