//! Destroys the keys of applications whose erasure was asked for, once their records need not be kept any more.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::Clock;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::metrics::Metrics;
use crate::store::{ErasureStore, StoreError};

const INTERVAL: Duration = Duration::from_mins(1);
/// Keys of one step.
const STEP: u32 = 100;

/// The background loop. Holds end with the day, in UTC.
pub struct Eraser {
    /// The store.
    pub store: Arc<dyn ErasureStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The metrics.
    pub metrics: Metrics,
    /// Cancelled when the service stops.
    pub soft: CancellationToken,
}

impl Eraser {
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
                        error!(error, "erasures that are due wait for the next turn");
                    }
                }
            }
        }
    }

    /// Works in small steps until nothing that is due is left; says how many keys it destroyed.
    pub async fn turn(&self) -> Result<u64, StoreError> {
        let mut erased = 0;
        while !self.soft.is_cancelled() {
            let step = self.store.erase_due(self.clock.now(), STEP).await?;
            erased += step;
            self.metrics.applications_erased.inc_by(step);
            if step < u64::from(STEP) {
                break;
            }
        }
        if erased > 0 {
            info!(
                applications = erased,
                "destroyed the keys of applications whose erasure was due"
            );
        }
        Ok(erased)
    }
}
