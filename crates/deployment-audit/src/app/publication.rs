//! The log as published files, and what they tell about the database.
//!
//! The folder is the memory outside the database: a database that was put back to an older state has fewer leaves than
//! the checkpoint in it, and one that was rewritten has another root.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};

use fcs_core::Digest;
use fcs_tlog::note::{SignedNote, VerifierKey};
use fcs_tlog::tile::{TileKind, encode_entries};
use fcs_tlog::{Checkpoint, Tile, leaf_hash};

use crate::store::{Store, StoreError};
use crate::tile_folder::TileFolder;

/// Tiles that are read and written in one step.
const STEP_TILES: usize = 64;

/// Publishing failed, or must not go on.
#[derive(Debug, thiserror::Error)]
pub enum PublicationError {
    /// What is published contradicts what is stored.
    #[error("{0}")]
    Contradicted(String),
    /// The store failed.
    #[error("the leaves could not be read")]
    Store(#[from] StoreError),
    /// The folder could not be read or written.
    #[error("the folder of tiles could not be read or written")]
    Failed(#[source] io::Error),
}

/// The folder that a log is published in, if any.
pub struct Publication {
    folder: Option<TileFolder>,
    /// Size of the tree whose tiles are all written.
    written: AtomicU64,
}

impl Publication {
    /// Publishes into a folder, or nowhere.
    pub fn new(folder: Option<TileFolder>) -> Self {
        Self {
            folder,
            written: AtomicU64::new(0),
        }
    }

    /// Compares the published checkpoint with the stored leaves, of which there are `size`.
    pub async fn check(
        &self,
        key: &VerifierKey,
        size: u64,
        root_at: &(dyn Fn(u64) -> Option<Digest> + Sync),
    ) -> Result<(), PublicationError> {
        let Some((folder, note)) = self.published().await? else {
            return Ok(());
        };
        let refused = |text: String| {
            let path = folder.path().display();
            Err(PublicationError::Contradicted(format!(
                "the checkpoint published in {path} {text}"
            )))
        };
        let head = match Checkpoint::open(&note, key) {
            Ok(checkpoint) => checkpoint.head,
            Err(error) => {
                return refused(format!(
                    "does not verify with the log's key and origin ({error}); publish a new log into a folder of its own"
                ));
            }
        };
        if head.size > size {
            return refused(format!(
                "covers {} leaves and the database holds {size}: it is older than what was published; \
                 put the rest back with `fcs audit recover`",
                head.size
            ));
        }
        if root_at(head.size) != Some(head.root) {
            return refused("is over other leaves than those that are stored".to_owned());
        }
        self.written.store(head.size, Ordering::Relaxed);
        Ok(())
    }

    /// The published note over the same text, with its cosignatures.
    pub async fn cosigned(
        &self,
        note: &SignedNote,
    ) -> Result<Option<SignedNote>, PublicationError> {
        let published = self.published().await?;
        Ok(published
            .and_then(|(_, bytes)| SignedNote::parse(&bytes).ok())
            .filter(|published| published.text() == note.text()))
    }

    /// Writes every tile that a tree of `size` leaves has and that is not written yet.
    pub async fn put_tiles(
        &self,
        store: &dyn Store,
        size: u64,
        hashes: &(dyn Fn(&Tile) -> Option<Vec<u8>> + Sync),
    ) -> Result<(), PublicationError> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let tiles = Tile::between(self.written.load(Ordering::Relaxed), size);
        for step in tiles.chunks(STEP_TILES) {
            let mut files = Vec::with_capacity(step.len());
            for tile in step {
                let bytes = match tile.kind() {
                    TileKind::Entries => entries(store, tile, hashes).await?,
                    TileKind::Hashes { .. } => hashes(tile).ok_or_else(|| missing(tile))?,
                };
                files.push((*tile, bytes));
            }
            let folder = folder.clone();
            blocking(move || folder.put_tiles(&files)).await?;
        }
        self.written.store(size, Ordering::Relaxed);
        Ok(())
    }

    /// Publishes a checkpoint whose tiles are written.
    pub async fn put_checkpoint(&self, note: String) -> Result<(), PublicationError> {
        match self.folder.clone() {
            None => Ok(()),
            Some(folder) => blocking(move || folder.put_checkpoint(&note)).await,
        }
    }

    async fn published(&self) -> Result<Option<(TileFolder, Vec<u8>)>, PublicationError> {
        let Some(folder) = self.folder.clone() else {
            return Ok(None);
        };
        blocking(move || Ok(folder.checkpoint()?.map(|note| (folder, note)))).await
    }
}

/// The bytes of a bundle of stored entries, which must be those under the hashes of the tree.
pub async fn entries(
    store: &dyn Store,
    tile: &Tile,
    hashes: &(dyn Fn(&Tile) -> Option<Vec<u8>> + Sync),
) -> Result<Vec<u8>, PublicationError> {
    let width = u32::try_from(tile.width()).map_err(|_| missing(tile))?;
    let leaves = store.leaves(tile.start(), width).await?;
    let found: Vec<u8> = leaves
        .iter()
        .flat_map(|leaf| *leaf_hash(&leaf.data).as_bytes())
        .collect();
    let level = TileKind::Hashes { level: 0 };
    let below = Tile::new(level, tile.index(), tile.width()).ok_or_else(|| missing(tile))?;
    if hashes(&below) != Some(found) {
        let text = format!("the stored leaves of {tile} are not those that were read first");
        return Err(PublicationError::Contradicted(text));
    }
    encode_entries(leaves.iter().map(|leaf| leaf.data.as_slice()))
        .map_err(|error| StoreError::Damaged(error.to_string()).into())
}

fn missing(tile: &Tile) -> PublicationError {
    StoreError::Damaged(format!("the tree has no {tile}")).into()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, PublicationError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|error| match error.kind() {
            // Two trees cannot have written one tile.
            ErrorKind::AlreadyExists => PublicationError::Contradicted(error.to_string()),
            _ => PublicationError::Failed(error),
        })
}
