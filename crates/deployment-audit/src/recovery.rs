//! Putting back what an older backup of the database lacks, from the published tiles.
//!
//! Each missing entry is read from the tiles, checked against the published checkpoint, and appended with the rows that
//! belong to it: a deployment's or a rollout's event is told by its entry, and the digests of a batch are asked of the
//! gateway's decision log, which must give the batch's root. Afterwards the log is the published one, leaf by leaf.

use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use fcs_core::Digest;
use fcs_rollout::leaf::{Leaf, read};
use fcs_tlog::note::VerifierKey;
use fcs_tlog::tile::{TileKind, parse_entries};
use fcs_tlog::{BatchLeaf, Checkpoint, Frontier, Tile, TreeHead, leaf_hash};
use futures::StreamExt as _;

use crate::app::history::{History, rows};
use crate::app::ports::{DecisionStream, Feed};
use crate::app::recorder::{RolloutHistory, row};
use crate::store::rollouts::RolloutStore;
use crate::store::{NewBatch, Store};
use crate::tile_folder::TileFolder;

/// Leaves that are read in one step.
const PAGE: u32 = 500;

/// What is needed to put entries back.
pub struct Recovery {
    /// The database that is behind.
    pub store: Arc<dyn Store>,
    /// The rollouts in it.
    pub rollouts: Arc<dyn RolloutStore>,
    /// The gateway's decision log.
    pub feed: Arc<dyn Feed>,
    /// The published log.
    pub folder: TileFolder,
    /// The key that its checkpoint must be signed with.
    pub key: VerifierKey,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Leaves that the database had.
    pub had: u64,
    /// Leaves that it has, all under the published checkpoint.
    pub has: u64,
}

impl Recovery {
    /// Puts back what is missing. Nothing else may write to the database meanwhile.
    ///
    /// # Errors
    /// When the folder is not the log of this key, when the database holds something else than the log's beginning, or
    /// when an entry cannot be told again; what was put back until then stays, and the next run goes on from there.
    pub async fn run(&self) -> anyhow::Result<Recovered> {
        let note = self.folder.checkpoint()?;
        let note = note.context("there is no checkpoint in the folder")?;
        let head = Checkpoint::open(&note, &self.key)
            .context("read the published checkpoint")?
            .head;
        let entries = self.published(&head)?;
        let had = self.common(&entries).await?;
        self.store.seal(false).await?;
        let done = self.append(&entries, had).await;
        // Whatever happened, only the service may open the log, after it has checked everything.
        self.store.seal(true).await?;
        done?;
        Ok(Recovered {
            had,
            has: head.size,
        })
    }

    /// Every published entry, which together give the checkpoint's root.
    fn published(&self, head: &TreeHead) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut entries = Vec::new();
        let mut frontier = Frontier::new();
        let bundles = Tile::between(0, head.size);
        for tile in bundles
            .iter()
            .filter(|tile| tile.kind() == TileKind::Entries)
        {
            let bytes = self.folder.tile(tile)?;
            let bytes = bytes.with_context(|| format!("{tile} is missing"))?;
            for entry in parse_entries(&bytes).with_context(|| tile.to_string())? {
                frontier.push(leaf_hash(entry));
                entries.push(entry.to_vec());
            }
        }
        ensure!(
            frontier.head() == *head,
            "the published entries do not give the root of the published checkpoint"
        );
        Ok(entries)
    }

    /// Number of stored leaves, all of which must be published ones.
    async fn common(&self, entries: &[Vec<u8>]) -> anyhow::Result<u64> {
        let mut size = 0;
        loop {
            let leaves = self.store.leaves(size, PAGE).await?;
            for leaf in &leaves {
                let published = usize::try_from(leaf.index)
                    .ok()
                    .and_then(|index| entries.get(index));
                ensure!(
                    leaf.index == size && published == Some(&leaf.data),
                    "leaf {size} of the database is not the published one: what was recorded after the backup was put \
                     back must be taken out first, or the log goes on under a new origin"
                );
                size += 1;
            }
            if leaves.len() < PAGE as usize {
                return Ok(size);
            }
        }
    }

    async fn append(&self, entries: &[Vec<u8>], had: u64) -> anyhow::Result<()> {
        let mut decisions = None;
        for (entry, index) in entries.iter().zip(0..).skip(usize::try_from(had)?) {
            self.append_one(entry, &mut decisions)
                .await
                .with_context(|| format!("put back entry {index}"))?;
            ensure!(
                self.store.log_size().await? == index + 1,
                "somebody else writes to the database; stop deployment-audit first"
            );
        }
        Ok(())
    }

    async fn append_one(
        &self,
        entry: &[u8],
        decisions: &mut Option<Decisions>,
    ) -> anyhow::Result<()> {
        if let Ok(leaf) = BatchLeaf::parse(entry) {
            let digests = self.digests(&leaf, decisions).await?;
            let batch = NewBatch {
                first_index: leaf.first_index(),
                digests,
                leaf: entry.to_vec(),
            };
            self.store.append_batch(&batch).await?;
            return Ok(());
        }
        match read(entry).context("the entry is of no kind that this service writes")? {
            Leaf::Deployment { id, recorded } => {
                let stored = self.store.deployment(&id.to_string()).await?;
                let history = stored.as_ref().map(History::read).transpose()?;
                let deployment = history.map(|history| history.deployment);
                let (events, _) = rows(&id, deployment, &[recorded])?;
                self.store.append_events(&events).await?;
            }
            Leaf::Rollout {
                id,
                previous,
                recorded,
            } => {
                let stored = self.rollouts.rollout(&id.to_string()).await?;
                let history = stored.as_ref().map(RolloutHistory::read).transpose()?;
                let rollout = history.map(|history| history.rollout);
                let next = fcs_rollout::rollout::apply(rollout, &recorded)?;
                let leaf = recorded.leaf_bytes(&id, previous);
                let digest = fcs_rollout::rollout::leaf_digest(&leaf);
                let event = row(&id, &recorded, &next, (leaf, digest));
                self.rollouts.append_rollout(&[event], None).await?;
            }
        }
        Ok(())
    }

    /// The record digests of a batch, from the gateway.
    async fn digests(
        &self,
        leaf: &BatchLeaf,
        decisions: &mut Option<Decisions>,
    ) -> anyhow::Result<Vec<Digest>> {
        let first = leaf.first_index();
        let mut taken = match decisions.take() {
            Some(decisions) if decisions.next_index == first => decisions,
            _ => Decisions {
                stream: self.feed.subscribe(first - 1).await?,
                next_index: first,
                waiting: Vec::new(),
            },
        };
        let count = usize::try_from(leaf.head().size)?;
        while taken.waiting.len() < count {
            let run = taken.stream.next().await.context("the feed ended")??;
            for decision in run {
                let expected = taken.next_index + taken.waiting.len() as u64;
                ensure!(
                    decision.log_index == expected,
                    "the feed left out a decision"
                );
                taken.waiting.push(decision.record_digest);
            }
        }
        let rest = taken.waiting.split_off(count);
        let digests = std::mem::replace(&mut taken.waiting, rest);
        taken.next_index += leaf.head().size;
        *decisions = Some(taken);
        if BatchLeaf::new(first, &digests)? != *leaf {
            bail!("the gateway's decisions from {first} on are not those that were published");
        }
        Ok(digests)
    }
}

/// The decision feed, and what of it is not used yet.
struct Decisions {
    stream: DecisionStream,
    /// Index of the first decision that waits, or of the next one.
    next_index: u64,
    waiting: Vec<Digest>,
}
