//! `fcs audit export`: the running log as files.

use std::path::Path;

use anyhow::Context as _;
use deployment_audit::tile_folder::TileFolder;
use fcs_proto::deployment::v1::{GetCheckpointRequest, ListLeavesRequest};
use fcs_tlog::tile::{TILE_WIDTH, TileKind, encode_entries, parse_entries};
use fcs_tlog::{MerkleTree, Tile, leaf_hash};
use serde_json::json;

use crate::cli::{Global, TrustArguments};
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::print;
use crate::trust::{self, chain, failed};

/// Leaves that are asked for at once.
const PAGE: u32 = 1_000;

/// Runs the command. What is in the folder already is verified, carried on and never changed.
pub(super) async fn run(global: &Global, out: &Path, trust: &TrustArguments) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let answer = clients
        .audit
        .get_checkpoint(GetCheckpointRequest {})
        .await
        .map_err(CliError::from)?
        .into_inner();
    let policy = match trust::policy(trust)? {
        Some(policy) => policy,
        None => trust::of_key(&answer.verifier_key)?,
    };
    let accept = |note: &[u8]| {
        let accepted = policy.accept(note).map_err(|error| failed(&chain(error)))?;
        anyhow::Ok(accepted.checkpoint.head)
    };
    let head = accept(answer.checkpoint.as_bytes())?;
    let folder = TileFolder::new(out);
    let had = match folder.checkpoint()? {
        None => None,
        Some(note) => Some(accept(&note)?),
    };
    let had_size = had.map_or(0, |head| head.size);
    if had_size > head.size {
        return Err(failed(&format!(
            "the folder holds {had_size} entries and the service signs {}: one of them is not the log",
            head.size
        )));
    }
    let mut entries = kept(&folder, had_size)?;
    fetch(&mut clients, &mut entries, head.size).await?;
    let tree: MerkleTree = entries.iter().map(|entry| leaf_hash(entry)).collect();
    if had.is_some_and(|had| tree.root_at(had.size) != Some(had.root)) || tree.root() != head.root {
        return Err(failed(
            "the entries do not give the roots of the checkpoints",
        ));
    }
    let mut written = 0;
    for tile in Tile::between(had_size, head.size) {
        let bytes = match tile.kind() {
            TileKind::Hashes { .. } => tree.tile(&tile).context("the tree has its tiles")?,
            TileKind::Entries => {
                let start = usize::try_from(tile.start())?;
                let end = start + usize::try_from(tile.width())?;
                encode_entries(entries[start..end].iter().map(Vec::as_slice))?
            }
        };
        folder.put_tiles(&[(tile, bytes)])?;
        written += 1;
    }
    folder.put_checkpoint(&answer.checkpoint)?;
    let value = json!({"size": head.size, "files_written": written});
    print(global.output, &value, |_| {
        format!(
            "{} entries are published in {}; {written} files are new",
            head.size,
            out.display()
        )
    })
}

/// The entries that the folder holds under its checkpoint.
fn kept(folder: &TileFolder, size: u64) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    for index in 0..size.div_ceil(TILE_WIDTH) {
        let width = TILE_WIDTH.min(size - index * TILE_WIDTH);
        let bundle = Tile::new(TileKind::Entries, index, width).context("a bundle of the log")?;
        let bytes = folder.tile(&bundle)?;
        let bytes = bytes.ok_or_else(|| failed(&format!("{bundle} is missing")))?;
        let found = parse_entries(&bytes).map_err(|error| failed(&error.to_string()))?;
        entries.extend(found.into_iter().map(<[u8]>::to_vec));
    }
    Ok(entries)
}

/// Asks the service for the entries behind those that are there.
async fn fetch(clients: &mut Clients, entries: &mut Vec<Vec<u8>>, size: u64) -> anyhow::Result<()> {
    while (entries.len() as u64) < size {
        let after_count = entries.len() as u64;
        let request = ListLeavesRequest {
            after_count,
            page_size: PAGE,
        };
        let answer = clients.audit.list_leaves(request).await;
        let leaves = answer.map_err(CliError::from)?.into_inner().leaves;
        let wanted = leaves.into_iter().take_while(|leaf| leaf.index < size);
        for leaf in wanted {
            if leaf.index != entries.len() as u64 {
                return Err(failed("the service left out a leaf"));
            }
            entries.push(leaf.data);
        }
        if entries.len() as u64 == after_count {
            return Err(failed(
                "the service holds fewer leaves than its checkpoint says",
            ));
        }
    }
    Ok(())
}
