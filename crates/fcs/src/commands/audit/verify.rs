//! `fcs audit verify`: the running log, a published one, or a proof.

use std::path::Path;

use anyhow::Context as _;
use fcs_proto::scoring::v1::Decision;
use fcs_service::OsRandom;
use fcs_tlog::policy::Accepted;
use fcs_tlog::{Frontier, LogProof};
use serde::Serialize;
use serde_json::json;

use crate::cli::{Global, TrustArguments, VerifyArguments};
use crate::client::Clients;
use crate::commands::decision::find;
use crate::entries::Lines;
use crate::output::print;
use crate::sample::sample_decisions;
use crate::tiles::{TileSource, check_hashes, follow};
use crate::trust::{self, chain, failed};
use crate::verify::{VerifiedLog, prove_decision, verify_log, verify_proof};

/// Decisions whose proofs are checked when none is named.
const SAMPLE_SIZE: usize = 20;

/// Runs the command.
pub(super) async fn run(global: &Global, arguments: &VerifyArguments) -> anyhow::Result<()> {
    if let Some(path) = &arguments.proof {
        return proof(global, path, arguments.entry.as_deref(), &arguments.trust);
    }
    match &arguments.tiles {
        Some(place) => published(global, place, arguments).await,
        None => running(global, arguments).await,
    }
}

#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    log: VerifiedLog,
    decisions_proved: usize,
}

async fn running(global: &Global, arguments: &VerifyArguments) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let policy = trust::policy(&arguments.trust)?;
    let log = verify_log(&mut clients, policy.as_ref()).await?;
    let decisions = if let Some(id) = &arguments.decision {
        vec![find(&mut clients, id).await?]
    } else {
        let decisions = sample_decisions(&mut clients, SAMPLE_SIZE, &OsRandom).await?;
        // The newest decisions enter the log with the next batch.
        let covered = |decision: &Decision| decision.log_index <= log.last_decision_index;
        decisions.into_iter().filter(covered).collect()
    };
    let named = trust::of_key(&log.verifier_key)?;
    for decision in &decisions {
        let proof = prove_decision(&mut clients, decision).await?;
        verify_proof(&proof, None, policy.as_ref().unwrap_or(&named))?;
    }
    let verified = Verified {
        log,
        decisions_proved: decisions.len(),
    };
    print(global.output, &verified, |verified| {
        let log = &verified.log;
        format!(
            "verified: {} leaves cover {} decisions; signature, root and {} inclusion proofs hold{}\n\
             verifier key {}\n\n{}",
            log.size,
            log.last_decision_index,
            verified.decisions_proved,
            cosigned(&log.cosigned_by),
            log.verifier_key,
            log.checkpoint,
        )
    })
}

async fn published(
    global: &Global,
    place: &str,
    arguments: &VerifyArguments,
) -> anyhow::Result<()> {
    let policy = trust::required(&arguments.trust)?;
    let source = TileSource::open(place, global)?;
    let note = source.checkpoint().await?;
    let Accepted {
        checkpoint,
        cosigners,
    } = policy
        .accept(&note)
        .map_err(|error| failed(&chain(error)))?;
    let head = checkpoint.head;
    let (mut lines, mut leaves) = (Lines::default(), Vec::new());
    follow(&source, &mut Frontier::new(), &head, |entry, leaf| {
        leaves.push(leaf);
        if arguments.any_entries {
            Ok(())
        } else {
            lines.take(entry)
        }
    })
    .await?;
    let tiles = check_hashes(&source, leaves).await?;
    let names: Vec<String> = cosigners
        .into_iter()
        .map(|cosigner| cosigner.name)
        .collect();
    let value = json!({
        "origin": checkpoint.origin.to_string(),
        "size": head.size,
        "root": head.root,
        "hash_tiles": tiles,
        "last_decision_index": lines.last_decision_index,
        "cosigned_by": names,
    });
    print(global.output, &value, |_| {
        format!(
            "verified: {} entries and {tiles} hash tiles of {} give the root of the signed checkpoint{}",
            head.size,
            checkpoint.origin,
            cosigned(&names),
        )
    })
}

fn proof(
    global: &Global,
    path: &Path,
    entry: Option<&Path>,
    trust: &TrustArguments,
) -> anyhow::Result<()> {
    let read =
        |path: &Path| std::fs::read(path).with_context(|| format!("read {}", path.display()));
    let policy = trust::required(trust)?;
    let proof = LogProof::parse(&read(path)?).map_err(|error| failed(&error.to_string()))?;
    let entry = entry.map(read).transpose()?;
    let proved = verify_proof(&proof, entry.as_deref(), &policy)?;
    let names: Vec<String> = proved
        .accepted
        .cosigners
        .iter()
        .map(|cosigner| cosigner.name.clone())
        .collect();
    let checkpoint = &proved.accepted.checkpoint;
    let value = json!({
        "verified": true,
        "what": proved.what,
        "entry_index": proof.index,
        "origin": checkpoint.origin.to_string(),
        "size": checkpoint.head.size,
        "cosigned_by": names,
    });
    print(global.output, &value, |_| {
        format!(
            "verified: entry {} of {} proves {}{}\n\n{}",
            proof.index,
            checkpoint.origin,
            proved.what,
            cosigned(&names),
            proof.checkpoint
        )
    })
}

fn cosigned(names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!("; cosigned by {}", names.join(", "))
    }
}
