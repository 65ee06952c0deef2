//! Decision batches: the Merkle root over consecutive decisions is one leaf of the log.
//!
//! A batch hashes like the log itself; the data of its leaves are the 32 bytes of record digests.
//! Two short paths then prove one decision: record to batch root, batch leaf to checkpoint.

use fcs_core::Digest;

use crate::checkpoint::Checkpoint;
use crate::hash::leaf_hash;
use crate::tree::{MerkleTree, ProofError};
use crate::verify::{TreeHead, VerifyError, verify_inclusion};

/// Greatest decision index: the greatest integer that canonical JSON (RFC 8785) prints exactly.
pub const MAX_LOG_INDEX: u64 = (1 << 53) - 1;

/// The leaf of the log that stands for a batch of consecutive decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLeaf {
    first_index: u64,
    last_index: u64,
    root: Digest,
}

/// A batch leaf cannot be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// There is nothing to put into it.
    #[error("a batch holds at least one decision")]
    Empty,
    /// Decision indexes are from 1 to [`MAX_LOG_INDEX`], the first not above the last.
    #[error("decisions {first_index} to {last_index} are not a range from 1 to 2^53 - 1")]
    InvalidRange {
        /// First index.
        first_index: u64,
        /// Last index; saturated.
        last_index: u64,
    },
    /// The bytes are not the canonical JSON of a batch leaf.
    #[error("the leaf is not a canonical decision batch")]
    Malformed,
}

impl BatchLeaf {
    /// The leaf over the record digests of the decisions from `first_index` on, in order.
    pub fn new(first_index: u64, record_digests: &[Digest]) -> Result<Self, BatchError> {
        let others = match record_digests.len() as u64 {
            0 => return Err(BatchError::Empty),
            length => length - 1,
        };
        let root = tree(record_digests).root();
        Self {
            first_index,
            last_index: first_index.saturating_add(others),
            root,
        }
        .checked()
    }

    /// Index of the first decision in the decision log.
    pub fn first_index(&self) -> u64 {
        self.first_index
    }

    /// Index of the last decision in the decision log.
    pub fn last_index(&self) -> u64 {
        self.last_index
    }

    /// Size and root of the batch's own tree.
    pub fn head(&self) -> TreeHead {
        TreeHead {
            size: self.last_index - self.first_index + 1,
            root: self.root,
        }
    }

    /// Zero-based position of a decision in the batch, if it is in it.
    pub fn position(&self, log_index: u64) -> Option<u64> {
        (self.first_index..=self.last_index)
            .contains(&log_index)
            .then(|| log_index - self.first_index)
    }

    /// The leaf's bytes: canonical JSON (RFC 8785).
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self {
            first_index,
            last_index,
            root,
        } = self;
        format!(
            r#"{{"first_index":{first_index},"last_index":{last_index},"root":"{root}","type":"decision-batch"}}"#
        )
        .into_bytes()
    }

    /// Reads a leaf's bytes. Only the exact canonical form is a batch leaf.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let leaf = str::from_utf8(bytes)
            .ok()
            .and_then(read)
            .ok_or(BatchError::Malformed)?;
        let leaf = leaf.checked()?;
        // One leaf, one text: other spellings of the numbers are refused here.
        if leaf.to_bytes() == bytes {
            Ok(leaf)
        } else {
            Err(BatchError::Malformed)
        }
    }

    /// Hash of the leaf in the log.
    pub fn leaf_hash(&self) -> Digest {
        leaf_hash(&self.to_bytes())
    }

    fn checked(self) -> Result<Self, BatchError> {
        let Self {
            first_index,
            last_index,
            ..
        } = self;
        if first_index == 0 || first_index > last_index || last_index > MAX_LOG_INDEX {
            return Err(BatchError::InvalidRange {
                first_index,
                last_index,
            });
        }
        Ok(self)
    }
}

/// Path from the record digest at a zero-based position of the batch to the batch root.
pub fn prove(record_digests: &[Digest], position: u64) -> Result<Vec<Digest>, ProofError> {
    tree(record_digests).inclusion_proof(position, record_digests.len() as u64)
}

/// What the verifier holds: a record that it hashed itself, and where the record says it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionClaim {
    /// SHA-256 of the record's bytes.
    pub record_digest: Digest,
    /// Index in the decision log.
    pub log_index: u64,
}

/// What the log hands out to prove a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionProof {
    /// The batch that holds the decision.
    pub batch: BatchLeaf,
    /// Path from the record digest to the batch root.
    pub batch_proof: Vec<Digest>,
    /// Zero-based index of the batch's leaf in the log.
    pub leaf_index: u64,
    /// Path from the batch's leaf to the root of the checkpoint.
    pub log_proof: Vec<Digest>,
}

/// A decision is not proved to be in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// The decision's index lies outside the batch.
    #[error("decision {log_index} is not among the batch's {first_index} to {last_index}")]
    OutsideBatch {
        /// Index of the decision.
        log_index: u64,
        /// First index of the batch.
        first_index: u64,
        /// Last index of the batch.
        last_index: u64,
    },
    /// The path inside the batch does not hold.
    #[error("the record is not proved to be in the batch")]
    Batch(#[source] VerifyError),
    /// The path from the batch to the checkpoint does not hold.
    #[error("the batch is not proved to be in the log")]
    Log(#[source] VerifyError),
}

/// Checks the whole way from a record to a checkpoint that [`Checkpoint::open`] returned.
pub fn verify_decision(
    claim: &DecisionClaim,
    proof: &DecisionProof,
    checkpoint: &Checkpoint,
) -> Result<(), DecisionError> {
    let batch = &proof.batch;
    let position = batch
        .position(claim.log_index)
        .ok_or(DecisionError::OutsideBatch {
            log_index: claim.log_index,
            first_index: batch.first_index,
            last_index: batch.last_index,
        })?;
    let record_leaf = leaf_hash(claim.record_digest.as_bytes());
    verify_inclusion(&record_leaf, position, &proof.batch_proof, &batch.head())
        .map_err(DecisionError::Batch)?;
    verify_inclusion(
        &batch.leaf_hash(),
        proof.leaf_index,
        &proof.log_proof,
        &checkpoint.head,
    )
    .map_err(DecisionError::Log)
}

fn tree(record_digests: &[Digest]) -> MerkleTree {
    record_digests
        .iter()
        .map(|digest| leaf_hash(digest.as_bytes()))
        .collect()
}

fn read(text: &str) -> Option<BatchLeaf> {
    let rest = text.strip_prefix(r#"{"first_index":"#)?;
    let (first_index, rest) = rest.split_once(r#","last_index":"#)?;
    let (last_index, rest) = rest.split_once(r#","root":""#)?;
    let (root, rest) = rest.split_once('"')?;
    if rest != r#","type":"decision-batch"}"# {
        return None;
    }
    Some(BatchLeaf {
        first_index: first_index.parse().ok()?,
        last_index: last_index.parse().ok()?,
        root: root.parse().ok()?,
    })
}
