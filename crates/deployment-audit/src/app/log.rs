//! The transparency log: its tree in memory, its checkpoints, and the refusal to sign a changed past.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use fcs_core::{Clock, Digest, UnixMicros};
use fcs_tlog::checkpoint::CheckpointError;
use fcs_tlog::note::{SignedNote, SigningKey};
use fcs_tlog::{Checkpoint, MerkleTree, ProofError, Tile, TreeHead, leaf_hash};
use tokio::sync::{Notify, watch};
use tracing::error;

use super::publication::{Publication, PublicationError};
use super::witnessing::{Asking, Contradiction, Witnesses, proof};
use crate::metrics::Metrics;
use crate::store::{Store, StoreError, StoredCheckpoint};

/// Leaves that are read and hashed in one step.
const PAGE_LEAVES: u32 = 500;
/// Longest wait for a checkpoint that covers what a caller has seen.
const REFRESH_LIMIT: Duration = Duration::from_secs(2);

/// The log could not be read or signed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store failed.
    #[error("the log could not be read or written")]
    Store(#[from] StoreError),
    /// The stored log is not the one that was signed; nothing more is signed.
    #[error("signing is refused: {0}")]
    Refused(String),
    /// The key and the origin do not fit.
    #[error("the checkpoint could not be signed")]
    Sign(#[source] CheckpointError),
    /// The folder of tiles could not be read or written.
    #[error("the log could not be published")]
    Publish(#[source] std::io::Error),
}

impl From<PublicationError> for LogError {
    fn from(error: PublicationError) -> Self {
        match error {
            PublicationError::Contradicted(reason) => Self::Refused(reason),
            PublicationError::Store(error) => Self::Store(error),
            PublicationError::Failed(error) => Self::Publish(error),
        }
    }
}

impl From<Contradiction> for LogError {
    fn from(contradiction: Contradiction) -> Self {
        Self::Refused(contradiction.to_string())
    }
}

/// A checkpoint that is stored and therefore may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Leaves and root.
    pub head: TreeHead,
    /// The signed note.
    pub note: String,
    /// Highest decision index that the leaves cover.
    pub last_decision_index: u64,
}

#[derive(Debug, Clone)]
enum Status {
    /// Nothing is signed yet.
    Opened,
    Published(Arc<Published>),
    Refused(String),
}

/// What a log is made of.
pub struct LogParts {
    /// Where its leaves and checkpoints are.
    pub store: Arc<dyn Store>,
    /// Its key.
    pub key: SigningKey,
    /// Time of checkpoints.
    pub clock: Arc<dyn Clock>,
    /// The catalogue.
    pub metrics: Metrics,
    /// Where it is published as files.
    pub publication: Publication,
    /// Who is asked to cosign.
    pub witnesses: Witnesses,
}

/// The log of one origin.
pub struct TransparencyLog {
    store: Arc<dyn Store>,
    key: SigningKey,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    publication: Publication,
    witnesses: Witnesses,
    tree: RwLock<MerkleTree>,
    status: watch::Sender<Status>,
    demand: Notify,
}

impl TransparencyLog {
    /// Reads the stored leaves, recomputes the root and compares it with the last checkpoint that is stored and with
    /// the last one that is published. A log that differs is opened too, but nothing of it is ever signed.
    pub async fn open(parts: LogParts) -> Result<Self, LogError> {
        let log = Self {
            store: parts.store,
            key: parts.key,
            clock: parts.clock,
            metrics: parts.metrics,
            publication: parts.publication,
            witnesses: parts.witnesses,
            tree: RwLock::default(),
            status: watch::Sender::new(Status::Opened),
            demand: Notify::new(),
        };
        match log.check().await {
            Ok(()) => log.store.seal(false).await?,
            Err(LogError::Refused(reason)) => log.refuse(&reason).await,
            Err(error) => return Err(error),
        }
        Ok(log)
    }

    /// The key that checkpoints verify with, in C2SP vkey form.
    pub fn verifier_key(&self) -> String {
        self.key.verifier_key().to_string()
    }

    /// Why nothing is signed, when that is so.
    pub fn refusal(&self) -> Option<String> {
        match &*self.status.borrow() {
            Status::Refused(reason) => Some(reason.clone()),
            Status::Opened | Status::Published(_) => None,
        }
    }

    /// Signs and stores a checkpoint over everything that is stored, has witnesses cosign it, and publishes it. Called by
    /// one task only.
    pub async fn publish(&self) -> Result<(), LogError> {
        if let Some(reason) = self.refusal() {
            return Err(LogError::Refused(reason));
        }
        let done = self.try_publish().await;
        if let Err(LogError::Refused(reason)) = &done {
            self.refuse(reason).await;
        }
        done
    }

    async fn try_publish(&self) -> Result<(), LogError> {
        self.read_new_leaves().await?;
        let head = self.head();
        let last = match &*self.status.borrow() {
            Status::Published(last) if last.head == head => Some(Arc::clone(last)),
            _ => None,
        };
        let now = self.clock.now();
        let before = match &last {
            None => self.sign(head).await?,
            Some(last) => {
                let note = reread(&last.note)?;
                if !self.witnesses.is_due(&note, now) {
                    return Ok(());
                }
                note
            }
        };
        let note = self.cosign(before.clone(), head, now).await?;
        if last.is_some() && note == before {
            return Ok(());
        }
        self.publication.put_checkpoint(note.to_string()).await?;
        let last_decision_index = self.store.last_decision_index(head.size).await?;
        self.metrics.cosigned(
            self.witnesses.cosignatures(&note),
            self.witnesses.is_quorum(&note),
        );
        let note = note.to_string();
        let published = Published {
            head,
            note,
            last_decision_index,
        };
        self.show(published, now);
        Ok(())
    }

    /// Signs a head and stores it with its tiles, so that nothing is shown that the store does not have.
    async fn sign(&self, head: TreeHead) -> Result<SignedNote, LogError> {
        let checkpoint = Checkpoint {
            origin: self.key.name().clone(),
            head,
        };
        let note = checkpoint.sign(&self.key).map_err(LogError::Sign)?;
        let stored = StoredCheckpoint {
            size: head.size,
            root: head.root,
            note: note.to_string(),
            created_at: self.clock.now(),
        };
        match self.store.put_checkpoint(&stored).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => {
                let size = head.size;
                let reason = format!("another checkpoint of size {size} is stored");
                return Err(LogError::Refused(reason));
            }
            Err(error) => return Err(error.into()),
        }
        let (store, size) = (self.store.as_ref(), head.size);
        self.publication
            .put_tiles(store, size, &|tile| self.tree().tile(tile))
            .await?;
        // After a restart the cosignatures that are published still hold.
        Ok(self.publication.cosigned(&note).await?.unwrap_or(note))
    }

    async fn cosign(
        &self,
        mut note: SignedNote,
        head: TreeHead,
        now: UnixMicros,
    ) -> Result<SignedNote, LogError> {
        let tree = |old| proof(&self.tree(), old, &head);
        let asked = note.clone();
        let asking = Asking {
            note: &asked,
            head,
            tree: &tree,
            now,
        };
        for signature in self.witnesses.ask(&asking).await? {
            if note.push(signature).is_err() {
                break;
            }
        }
        Ok(note)
    }

    /// Completes when somebody waits for a fresh checkpoint.
    pub async fn demanded(&self) {
        self.demand.notified().await;
    }

    /// The latest checkpoint, first waiting a moment for one that covers everything stored so far.
    pub async fn current(&self) -> Result<Arc<Published>, LogError> {
        let wanted = self.store.log_size().await?;
        let mut status = self.status.subscribe();
        let covers = |status: &Status| match status {
            Status::Opened => false,
            Status::Published(published) => published.head.size >= wanted,
            Status::Refused(_) => true,
        };
        if !covers(&status.borrow()) {
            self.demand.notify_one();
            // An older checkpoint is still a true one: it is the answer when the wait ends.
            drop(tokio::time::timeout(REFRESH_LIMIT, status.wait_for(covers)).await);
        }
        match &*status.borrow() {
            Status::Published(published) => Ok(Arc::clone(published)),
            Status::Refused(reason) => Err(LogError::Refused(reason.clone())),
            Status::Opened => Err(LogError::Refused("no checkpoint is signed yet".to_owned())),
        }
    }

    /// Leaves under the latest checkpoint, without waiting for a newer one.
    pub fn published_size(&self) -> Result<u64, LogError> {
        match &*self.status.borrow() {
            Status::Published(published) => Ok(published.head.size),
            Status::Refused(reason) => Err(LogError::Refused(reason.clone())),
            Status::Opened => Ok(0),
        }
    }

    /// Path from a leaf to the root of the first `size` leaves.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Digest>, ProofError> {
        self.tree().inclusion_proof(index, size)
    }

    /// Proof that the first `new` leaves extend the first `old` ones.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Digest>, ProofError> {
        self.tree().consistency_proof(old, new)
    }

    /// The bytes of a hash tile of the whole tree.
    pub fn tile(&self, tile: &Tile) -> Option<Vec<u8>> {
        self.tree().tile(tile)
    }

    /// Reads every stored leaf again and compares it with what was read first. A difference ends the signing.
    pub async fn scrub(&self) -> Result<(), LogError> {
        if let Some(reason) = self.refusal() {
            return Err(LogError::Refused(reason));
        }
        let mut from = 0;
        let size = self.head_size();
        while from < size {
            let leaves = self.store.leaves(from, PAGE_LEAVES).await?;
            let expected = (from..size).take(PAGE_LEAVES as usize);
            let held = leaves.len() as u64;
            let is_same = |index: u64, leaf: Option<&crate::store::StoredLeaf>| {
                leaf.is_some_and(|leaf| {
                    leaf.index == index && self.tree().leaf(index) == Some(leaf_hash(&leaf.data))
                })
            };
            let mut stored = leaves.iter();
            for index in expected {
                if !is_same(index, stored.next()) {
                    let reason = format!("leaf {index} is not the one that was signed");
                    self.refuse(&reason).await;
                    return Err(LogError::Refused(reason));
                }
            }
            from += held.max(1);
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), LogError> {
        self.read_new_leaves().await?;
        self.check_stored().await?;
        let size = self.head_size();
        let root_at = |size| self.tree().root_at(size);
        let verifier = self.key.verifier_key();
        Ok(self.publication.check(verifier, size, &root_at).await?)
    }

    async fn check_stored(&self) -> Result<(), LogError> {
        let Some(stored) = self.store.last_checkpoint().await? else {
            return Ok(());
        };
        let signed = Checkpoint::open(stored.note.as_bytes(), self.key.verifier_key())
            .map_err(|error| {
                LogError::Refused(format!(
                    "the last checkpoint does not verify with the log's key and origin ({error})"
                ))
            })?
            .head;
        if self.tree().root_at(signed.size) == Some(signed.root) {
            return Ok(());
        }
        Err(LogError::Refused(format!(
            "the {} stored leaves are not those that the checkpoint of size {} was signed over: \
             restore the database to that checkpoint or later",
            self.head().size,
            signed.size
        )))
    }

    async fn read_new_leaves(&self) -> Result<(), LogError> {
        loop {
            let from = self.head_size();
            let leaves = self.store.leaves(from, PAGE_LEAVES).await?;
            let last_page = leaves.len() < PAGE_LEAVES as usize;
            let expected = from..;
            if leaves
                .iter()
                .zip(expected)
                .any(|(leaf, index)| leaf.index != index)
            {
                return Err(LogError::Refused(format!(
                    "leaves after leaf {from} are missing"
                )));
            }
            let hashes: Vec<Digest> = leaves.iter().map(|leaf| leaf_hash(&leaf.data)).collect();
            self.tree
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(hashes);
            if last_page {
                return Ok(());
            }
        }
    }

    fn show(&self, published: Published, at: UnixMicros) {
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.log_size.set(gauge(published.head.size));
        self.metrics
            .last_decision_index
            .set(gauge(published.last_decision_index));
        self.metrics
            .checkpoint_timestamp_seconds
            .set(at.0 as f64 / 1e6);
        self.metrics.checkpoints.inc();
        // A refusal that came meanwhile stands.
        self.status.send_if_modified(|status| {
            let stands = matches!(status, Status::Refused(_));
            if !stands {
                *status = Status::Published(Arc::new(published));
            }
            !stands
        });
    }

    /// Signs nothing any more and takes no more leaves.
    async fn refuse(&self, reason: &str) {
        error!(
            reason,
            "the transparency log is not what was signed; nothing is signed or recorded any more"
        );
        self.metrics.log_refused.set(1);
        self.status.send_replace(Status::Refused(reason.to_owned()));
        if let Err(failure) = self.store.seal(true).await {
            error!(%failure, "the log could not be sealed");
        }
    }

    fn head(&self) -> TreeHead {
        let tree = self.tree();
        TreeHead {
            size: tree.len(),
            root: tree.root(),
        }
    }

    fn head_size(&self) -> u64 {
        self.tree().len()
    }

    fn tree(&self) -> RwLockReadGuard<'_, MerkleTree> {
        self.tree.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A note that this process made.
fn reread(note: &str) -> Result<SignedNote, LogError> {
    SignedNote::parse(note.as_bytes()).map_err(|error| LogError::Sign(CheckpointError::Note(error)))
}
