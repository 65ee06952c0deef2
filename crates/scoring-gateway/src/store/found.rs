//! What the log gives: decisions, and what is left of those that were erased.

use std::sync::Arc;

use fcs_core::{DecisionId, Digest, UnixMicros, redacted_debug};

redacted_debug!(StoredDecision);

/// A decision with its place in the log.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredDecision {
    /// Place in the log, from 1 without gaps.
    pub log_index: u64,
    /// The canonical record.
    pub record: Arc<[u8]>,
    /// SHA-256 of the record.
    pub record_digest: Digest,
}

/// What is left of a decision whose application was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// Place in the log, which stays without gaps.
    pub log_index: u64,
    /// The decision.
    pub decision_id: DecisionId,
    /// SHA-256 of the record that was there. The record held random bytes, so nothing can be guessed from it.
    pub record_digest: Digest,
    /// When the key of the application was destroyed.
    pub erased_at: UnixMicros,
}

/// A place in the log with what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The decision.
    Kept(StoredDecision),
    /// Its application was erased.
    Erased(Tombstone),
}

impl Found {
    /// The place in the log.
    pub const fn log_index(&self) -> u64 {
        match self {
            Self::Kept(decision) => decision.log_index,
            Self::Erased(tombstone) => tombstone.log_index,
        }
    }

    /// SHA-256 of the record.
    pub const fn record_digest(&self) -> Digest {
        match self {
            Self::Kept(decision) => decision.record_digest,
            Self::Erased(tombstone) => tombstone.record_digest,
        }
    }

    /// The decision, unless it was erased.
    pub const fn kept(&self) -> Option<&StoredDecision> {
        match self {
            Self::Kept(decision) => Some(decision),
            Self::Erased(_) => None,
        }
    }
}

/// The decision that an idempotency key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Whether it answers the request of the claim that was asked about, or another one.
    pub same_request: bool,
    /// The decision.
    pub decision: Found,
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// Its key stands for a decision, which may be an earlier one.
    Stands(Claimed),
    /// Its application was erased, so nothing is written about it any more.
    ApplicationErased,
}
