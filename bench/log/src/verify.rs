//! The verification of a published folder, as an outsider makes it.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use deployment_audit::tile_folder::TileFolder;
use fcs_rollout::leaf::{Leaf, read};
use fcs_tlog::note::SigningKey;
use fcs_tlog::tile::{TileKind, parse_entries, parse_hashes};
use fcs_tlog::{Checkpoint, Frontier, Tile, leaf_hash};

/// Reads every file in one thread, checks every entry's form and hash, every leaf hash in the tiles, and the root under
/// the signature; entries a second.
pub(crate) fn folder(folder: &Path, entries: u64) -> anyhow::Result<f64> {
    let folder = TileFolder::new(folder.join("tiles"));
    let key = SigningKey::from_seed("faircredit.example/bench".parse()?, &[7; 32]);
    let start = Instant::now();
    let note = folder.checkpoint()?.context("there is no checkpoint")?;
    let head = Checkpoint::open(&note, key.verifier_key())?.head;
    ensure!(head.size == entries, "the log has {} entries", head.size);
    let mut frontier = Frontier::new();
    for tile in Tile::between(0, head.size) {
        if tile.kind() != TileKind::Entries {
            continue;
        }
        let bytes = folder.tile(&tile)?.context("a bundle is missing")?;
        let below = Tile::new(TileKind::Hashes { level: 0 }, tile.index(), tile.width());
        let hashes = folder.tile(&below.context("a tile")?)?;
        let hashes = parse_hashes(&hashes.context("a tile is missing")?)?;
        for (entry, expected) in parse_entries(&bytes)?.into_iter().zip(hashes) {
            let Leaf::Deployment { recorded, .. } = read(entry)? else {
                anyhow::bail!("the entry is of another kind");
            };
            ensure!(recorded.sequence == 1, "the event is out of its line");
            let leaf = leaf_hash(entry);
            ensure!(leaf == expected, "a tile is not over its entries");
            frontier.push(leaf);
        }
    }
    ensure!(frontier.head() == head, "the entries do not give the root");
    Ok(entries as f64 / start.elapsed().as_secs_f64())
}
