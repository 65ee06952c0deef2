//! Leaves, and proofs for the latest checkpoint.

use std::sync::Arc;

use fcs_core::{ApiError, Digest, ErrorCode};
use fcs_service::problem::internal;
use fcs_tlog::tile::TileKind;
use fcs_tlog::{BatchLeaf, DecisionProof, ProofError, Tile, batch, leaf_hash, verify_inclusion};

use super::deployments::page;
use super::error::{of_log, of_store};
use super::log::{Published, TransparencyLog};
use super::publication::entries;
use crate::store::{Store, StoreError, StoredLeaf, WHOLE_LOG};

/// A leaf with its path to the root of a checkpoint.
#[derive(Debug, Clone)]
pub struct LeafProof {
    /// The leaf.
    pub leaf: StoredLeaf,
    /// Audit path, lowest first.
    pub proof: Vec<Digest>,
    /// The checkpoint.
    pub published: Arc<Published>,
}

/// A decision with its path to the root of a checkpoint.
#[derive(Debug, Clone)]
pub struct LoggedDecision {
    /// SHA-256 of the decision's record.
    pub record_digest: Digest,
    /// The batch that holds the decision and both paths.
    pub proof: DecisionProof,
    /// Bytes of the batch's leaf.
    pub leaf: Vec<u8>,
    /// The checkpoint.
    pub published: Arc<Published>,
}

/// That a later log extends an earlier one.
#[derive(Debug, Clone)]
pub struct Consistency {
    /// The proof, lowest first.
    pub proof: Vec<Digest>,
    /// The latest checkpoint.
    pub published: Arc<Published>,
}

/// The use cases of the log's readers.
pub struct Proofs {
    /// Where leaves are read.
    pub store: Arc<dyn Store>,
    /// The tree and its checkpoints.
    pub log: Arc<TransparencyLog>,
}

impl Proofs {
    /// The latest checkpoint.
    pub async fn checkpoint(&self) -> Result<Arc<Published>, ApiError> {
        self.log.current().await.map_err(of_log)
    }

    /// The key that checkpoints verify with, in C2SP vkey form.
    pub fn verifier_key(&self) -> String {
        self.log.verifier_key()
    }

    /// Leaves after the first `after_count` ones; `page_size` 0 means 100.
    pub async fn leaves(
        &self,
        after_count: u64,
        page_size: u32,
    ) -> Result<Vec<StoredLeaf>, ApiError> {
        let limit = page(page_size)?;
        self.store
            .leaves(after_count.min(WHOLE_LOG), limit)
            .await
            .map_err(of_store)
    }

    /// Proves that a leaf is in the log.
    pub async fn leaf(&self, index: u64) -> Result<LeafProof, ApiError> {
        let published = self.checkpoint().await?;
        if index >= published.head.size {
            let size = published.head.size;
            let message = format!("the log has {size} leaves, the last one is before {index}");
            return Err(ApiError::not_found("LEAF_NOT_FOUND", message));
        }
        let leaf = self.store.leaves(index, 1).await.map_err(of_store)?.pop();
        let leaf = leaf
            .filter(|leaf| leaf.index == index)
            .ok_or_else(|| missing(index))?;
        let proof = self
            .log
            .inclusion_proof(index, published.head.size)
            .map_err(of_proof)?;
        // A row that was changed since the start would give a proof that verifies nowhere.
        verify_inclusion(&leaf_hash(&leaf.data), index, &proof, &published.head)
            .map_err(|error| internal("LEAF_DAMAGED", error))?;
        Ok(LeafProof {
            leaf,
            proof,
            published,
        })
    }

    /// The bytes of a tile that the latest checkpoint covers.
    pub async fn tile(&self, tile: &Tile) -> Result<Vec<u8>, ApiError> {
        let missing = || {
            let message = format!("{tile} is not part of the log that is published");
            ApiError::not_found("TILE_NOT_FOUND", message)
        };
        // Whoever asks for a tile has a checkpoint; this one is at least as new, and waits for nothing.
        let size = self.log.published_size().map_err(of_log)?;
        if !tile.is_within(size) {
            return Err(missing());
        }
        let hashes = |tile: &Tile| self.log.tile(tile);
        match tile.kind() {
            TileKind::Hashes { .. } => hashes(tile).ok_or_else(missing),
            TileKind::Entries => entries(self.store.as_ref(), tile, &hashes)
                .await
                .map_err(|error| of_log(error.into())),
        }
    }

    /// Proves that a decision is in the log.
    pub async fn decision(&self, log_index: u64) -> Result<LoggedDecision, ApiError> {
        if log_index == 0 {
            let message = "decision indexes start at 1";
            return Err(ApiError::invalid(
                "INVALID_DECISION_INDEX",
                message,
                Vec::new(),
            ));
        }
        let published = self.checkpoint().await?;
        if log_index > published.last_decision_index {
            let last = published.last_decision_index;
            let message = format!(
                "decision {log_index} is not yet in the log, which covers 1 to {last}; retry"
            );
            return Err(ApiError::not_found("DECISION_NOT_YET_LOGGED", message).retry_after(1));
        }
        let stored = self.store.batch_of(log_index).await.map_err(of_store)?;
        let stored = stored.ok_or_else(|| missing(log_index))?;
        let leaf = self.leaf(stored.leaf_index).await?;
        let batch = BatchLeaf::new(stored.first_index, &stored.digests)
            .ok()
            .filter(|batch| batch.to_bytes() == leaf.leaf.data)
            .ok_or_else(|| {
                let what = format!("the digests of leaf {} differ from it", stored.leaf_index);
                of_store(StoreError::Damaged(what))
            })?;
        let position = log_index - stored.first_index;
        let batch_proof = batch::prove(&stored.digests, position).map_err(of_proof)?;
        let record_digest = stored.digest(log_index).ok_or_else(|| missing(log_index))?;
        Ok(LoggedDecision {
            record_digest,
            proof: DecisionProof {
                batch,
                batch_proof,
                leaf_index: stored.leaf_index,
                log_proof: leaf.proof,
            },
            leaf: leaf.leaf.data,
            published: leaf.published,
        })
    }

    /// Proves that the first `new` leaves extend the first `old` ones; `new` 0 means all.
    pub async fn consistency(&self, old: u64, new: u64) -> Result<Consistency, ApiError> {
        let published = self.checkpoint().await?;
        let size = published.head.size;
        let new = if new == 0 { size } else { new };
        if new > size {
            let message = format!("the log has {size} leaves, not yet {new}");
            return Err(ApiError::new(
                ErrorCode::FailedPrecondition,
                "SIZE_BEYOND_LOG",
                message,
            ));
        }
        let proof = self.log.consistency_proof(old, new).map_err(of_proof)?;
        Ok(Consistency { proof, published })
    }
}

fn missing(index: u64) -> ApiError {
    of_store(StoreError::Damaged(format!(
        "the row of {index} is missing"
    )))
}

fn of_proof(error: ProofError) -> ApiError {
    ApiError::invalid("NO_SUCH_PROOF", error.to_string(), Vec::new())
}
