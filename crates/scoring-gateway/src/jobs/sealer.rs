//! Encrypts what is from before encryption, and wraps data keys anew after the key-encryption key has changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::metrics::Metrics;
use crate::store::{PrivacyStore, StoreError};

const INTERVAL: Duration = Duration::from_mins(1);
/// Rows of one step; small, so that it never holds up the writer.
const STEP: u32 = 100;

/// The background loop. It looks at what is there and not at what it did, so that it may stop anywhere, and rows that a
/// gateway of the release before writes meanwhile are found too.
pub struct Sealer {
    /// The store.
    pub store: Arc<dyn PrivacyStore>,
    /// The metrics.
    pub metrics: Metrics,
    /// Cancelled when the service stops.
    pub soft: CancellationToken,
}

/// What one turn did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Decisions that were encrypted.
    pub decisions: u64,
    /// Reviews that were encrypted.
    pub reviews: u64,
    /// Data keys that were wrapped anew.
    pub keys: u64,
}

impl Sealer {
    /// Runs until the service stops.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut turns = interval(INTERVAL);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.soft.cancelled() => return Ok(()),
                _ = turns.tick() => {
                    if let Err(failure) = self.turn().await {
                        let error = format!("{:#}", anyhow::Error::new(failure));
                        error!(error, "what is from before encryption stays in the clear for now");
                    }
                }
            }
        }
    }

    /// Works in small steps until nothing is left.
    pub async fn turn(&self) -> Result<Sealed, StoreError> {
        let mut sealed = Sealed::default();
        while !self.soft.is_cancelled() {
            let step = Sealed {
                decisions: self.store.seal_decisions(STEP).await?,
                reviews: self.store.seal_reviews(STEP).await?,
                keys: self.store.rewrap_keys(STEP).await?,
            };
            if step == Sealed::default() {
                break;
            }
            sealed.decisions += step.decisions;
            sealed.reviews += step.reviews;
            sealed.keys += step.keys;
            self.metrics
                .rows_sealed
                .inc_by(step.decisions + step.reviews);
            self.metrics.keys_rewrapped.inc_by(step.keys);
        }
        if sealed != Sealed::default() {
            info!(
                decisions = sealed.decisions,
                reviews = sealed.reviews,
                keys = sealed.keys,
                "encrypted what was in the clear, and wrapped data keys anew"
            );
        }
        Ok(sealed)
    }
}
