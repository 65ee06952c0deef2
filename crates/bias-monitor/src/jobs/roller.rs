//! Rolls old counters up.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::app::rollup::Fineness;
use crate::store::{RebuildStore, StoreError};

/// The pause between two looks; a day more or less of fine counters does not matter.
const INTERVAL: Duration = Duration::from_hours(1);

/// The roller with what it needs.
pub(crate) struct Roller {
    /// Where counters are kept.
    pub(crate) store: Arc<dyn RebuildStore>,
    /// How long they stay fine.
    pub(crate) fineness: Fineness,
    /// Cancelled when the roller must end.
    pub(crate) soft: CancellationToken,
}

impl Roller {
    /// Looks at every interval, until the service ends. A day is never given up half-way.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.soft.cancelled() => return Ok(()),
                _ = interval.tick() => {}
            }
            match self.roll_up().await {
                Ok(0) => {}
                Ok(days) => info!(days, "old counters were rolled up by day"),
                Err(failure) => {
                    let failure = format!("{:#}", anyhow::Error::new(failure));
                    error!(
                        error = failure,
                        "old counters could not be rolled up; trying again"
                    );
                }
            }
        }
    }

    async fn roll_up(&self) -> Result<u64, StoreError> {
        let mut days = 0;
        while !self.soft.is_cancelled() && self.store.roll_up(self.fineness.fine_from()).await? {
            days += 1;
        }
        Ok(days)
    }
}
