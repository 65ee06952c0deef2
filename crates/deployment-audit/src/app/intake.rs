//! Takes decisions from the feed into the log, each exactly once.

use std::sync::Arc;

use fcs_core::Digest;
use fcs_tlog::BatchLeaf;
use fcs_tlog::batch::BatchError;

use super::ports::FeedDecision;
use crate::store::{NewBatch, Store, StoreError, WHOLE_LOG};

/// A decision cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The feed left decisions out.
    #[error("the feed jumped to decision {found}, expected {expected}")]
    Gap {
        /// The index that should have come.
        expected: u64,
        /// The index that came.
        found: u64,
    },
    /// The feed tells a stored decision differently.
    #[error("the feed repeats decision {log_index} with another digest than the log holds")]
    Altered {
        /// Index of the decision.
        log_index: u64,
    },
    /// A batch leaf could not be made.
    #[error("the decisions make no batch")]
    Batch(#[source] BatchError),
    /// The store did not take the batch.
    #[error("the batch was not stored")]
    Store(#[source] StoreError),
}

impl IntakeError {
    /// Whether the feed contradicts the log, which no retry repairs.
    pub fn is_contradiction(&self) -> bool {
        matches!(self, Self::Gap { .. } | Self::Altered { .. })
    }
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It waits for its batch.
    New,
    /// It was there already, with the same digest.
    Repeated,
}

/// The end of the stored decisions and those that wait to be stored.
pub struct Intake {
    store: Arc<dyn Store>,
    stored_index: u64,
    waiting: Vec<Digest>,
}

impl Intake {
    /// Starts where the store ends.
    pub async fn resume(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let stored_index = store.last_decision_index(WHOLE_LOG).await?;
        Ok(Self {
            store,
            stored_index,
            waiting: Vec::new(),
        })
    }

    /// Where to subscribe: one before the end, so that the feed first repeats the last stored
    /// decision and a gateway with another history is noticed.
    pub fn after_index(&self) -> u64 {
        self.stored_index.saturating_sub(1)
    }

    /// Highest index that the store holds.
    pub fn stored_index(&self) -> u64 {
        self.stored_index
    }

    /// Entries that wait to be stored.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes one entry; it is stored by the next [`Self::flush`].
    pub async fn accept(&mut self, decision: FeedDecision) -> Result<Accepted, IntakeError> {
        let FeedDecision {
            log_index,
            record_digest,
        } = decision;
        let expected = self.stored_index + self.waiting.len() as u64 + 1;
        if log_index > expected || log_index == 0 {
            return Err(IntakeError::Gap {
                expected,
                found: log_index,
            });
        }
        if log_index == expected {
            self.waiting.push(record_digest);
            return Ok(Accepted::New);
        }
        if self.known_digest(log_index).await? == Some(record_digest) {
            Ok(Accepted::Repeated)
        } else {
            Err(IntakeError::Altered { log_index })
        }
    }

    /// Stores what waits as one batch with one leaf; returns the number of decisions.
    pub async fn flush(&mut self) -> Result<usize, IntakeError> {
        if self.waiting.is_empty() {
            return Ok(0);
        }
        let first_index = self.stored_index + 1;
        let leaf = BatchLeaf::new(first_index, &self.waiting).map_err(IntakeError::Batch)?;
        let batch = NewBatch {
            first_index,
            digests: self.waiting.clone(),
            leaf: leaf.to_bytes(),
        };
        self.store
            .append_batch(&batch)
            .await
            .map_err(IntakeError::Store)?;
        self.stored_index = leaf.last_index();
        let stored = self.waiting.len();
        self.waiting.clear();
        Ok(stored)
    }

    async fn known_digest(&self, log_index: u64) -> Result<Option<Digest>, IntakeError> {
        if log_index <= self.stored_index {
            let batch = self
                .store
                .batch_of(log_index)
                .await
                .map_err(IntakeError::Store)?;
            return Ok(batch.and_then(|batch| batch.digest(log_index)));
        }
        let offset = log_index - self.stored_index - 1;
        Ok(usize::try_from(offset)
            .ok()
            .and_then(|offset| self.waiting.get(offset).copied()))
    }
}
