//! The transparency log: its tree in memory, its checkpoints, and the refusal to sign a changed past.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use fcs_core::{Clock, Digest, UnixMicros};
use fcs_tlog::checkpoint::CheckpointError;
use fcs_tlog::note::SigningKey;
use fcs_tlog::{Checkpoint, MerkleTree, ProofError, TreeHead, leaf_hash};
use tokio::sync::{Notify, watch};
use tracing::error;

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

/// The log of one origin.
pub struct TransparencyLog {
    store: Arc<dyn Store>,
    key: SigningKey,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    tree: RwLock<MerkleTree>,
    status: watch::Sender<Status>,
    demand: Notify,
}

impl TransparencyLog {
    /// Reads the stored leaves, recomputes the root and compares it with the last checkpoint. A log
    /// that differs is opened too, but nothing of it is ever signed.
    pub async fn open(
        store: Arc<dyn Store>,
        key: SigningKey,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Result<Self, LogError> {
        let log = Self {
            store,
            key,
            clock,
            metrics,
            tree: RwLock::default(),
            status: watch::Sender::new(Status::Opened),
            demand: Notify::new(),
        };
        match log.check().await {
            Ok(()) => Ok(log),
            Err(LogError::Refused(reason)) => {
                log.refuse(&reason);
                Ok(log)
            }
            Err(error) => Err(error),
        }
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

    /// Signs and stores a checkpoint over everything that is stored. Called by one task only.
    pub async fn publish(&self) -> Result<(), LogError> {
        if let Some(reason) = self.refusal() {
            return Err(LogError::Refused(reason));
        }
        self.read_new_leaves()
            .await
            .inspect_err(|error| self.refuse_if_changed(error))?;
        let head = self.head();
        if matches!(&*self.status.borrow(), Status::Published(last) if last.head == head) {
            return Ok(());
        }
        let checkpoint = Checkpoint {
            origin: self.key.name().clone(),
            head,
        };
        let note = checkpoint
            .sign(&self.key)
            .map_err(LogError::Sign)?
            .to_string();
        let last_decision_index = self.store.last_decision_index(head.size).await?;
        let created_at = self.clock.now();
        let stored = StoredCheckpoint {
            size: head.size,
            root: head.root,
            note: note.clone(),
            created_at,
        };
        match self.store.put_checkpoint(&stored).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => {
                let reason = format!("another checkpoint of size {} is stored", head.size);
                self.refuse(&reason);
                return Err(LogError::Refused(reason));
            }
            Err(error) => return Err(error.into()),
        }
        self.show(
            Published {
                head,
                note,
                last_decision_index,
            },
            created_at,
        );
        Ok(())
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

    /// Path from a leaf to the root of the first `size` leaves.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Digest>, ProofError> {
        self.tree().inclusion_proof(index, size)
    }

    /// Proof that the first `new` leaves extend the first `old` ones.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Digest>, ProofError> {
        self.tree().consistency_proof(old, new)
    }

    async fn check(&self) -> Result<(), LogError> {
        self.read_new_leaves().await?;
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
        self.status
            .send_replace(Status::Published(Arc::new(published)));
    }

    fn refuse_if_changed(&self, error: &LogError) {
        if let LogError::Refused(reason) = error {
            self.refuse(reason);
        }
    }

    fn refuse(&self, reason: &str) {
        error!(
            reason,
            "the transparency log is not what was signed; nothing is signed any more"
        );
        self.metrics.log_refused.set(1);
        self.status.send_replace(Status::Refused(reason.to_owned()));
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
