//! The background work of shadow arms: a task of its own, which nothing waits for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::app::control::TrafficControl;
use crate::app::shadow::Shadows;
use crate::store::StoreError;

/// How often the log is looked at. Results are for reports, so there is no hurry.
const INTERVAL: Duration = Duration::from_millis(250);
/// How often arms are looked at while the log stands still: another gateway may have left one behind.
const IDLE_INTERVAL: Duration = Duration::from_secs(10);

/// Works on the shadow arms of the table in force.
pub struct ShadowWorker {
    /// What to do.
    pub shadows: Arc<Shadows>,
    /// The table in force.
    pub traffic: Arc<TrafficControl>,
    /// Cancelled when the service stops.
    pub soft: CancellationToken,
}

impl ShadowWorker {
    /// Runs until the service stops.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut turns = interval(INTERVAL);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        loop {
            tokio::select! {
                () = self.soft.cancelled() => return Ok(()),
                _ = turns.tick() => {}
            }
            if let Err(failure) = self.turn_if_due(&mut last).await {
                let error = format!("{:#}", anyhow::Error::new(failure));
                warn!(error, "shadow arms are kept waiting");
            }
        }
    }

    /// A turn, unless table and log are as they were. Each turn writes to the store, which costs the live path
    /// something where both share one file.
    async fn turn_if_due(&self, last: &mut Option<Turn>) -> Result<(), StoreError> {
        let table = self.traffic.table();
        if table.shadows.is_empty() {
            return Ok(());
        }
        let turn = Turn {
            generation: table.generation,
            highest: self.shadows.log.highest_index().await?,
            at: Instant::now(),
        };
        if last.as_ref().is_some_and(|last| !turn.is_due_after(last)) {
            return Ok(());
        }
        // No arm waits for another.
        let arms = table.shadows.iter();
        let turns = arms.map(|arm| self.shadows.turn(&table.salt, arm, &self.soft));
        for result in join_all(turns).await {
            result?;
        }
        *last = Some(turn);
        Ok(())
    }
}

/// What was there when the arms were last looked at.
struct Turn {
    generation: u64,
    highest: u64,
    at: Instant,
}

impl Turn {
    fn is_due_after(&self, last: &Self) -> bool {
        (self.generation, self.highest) != (last.generation, last.highest)
            || self.at - last.at > IDLE_INTERVAL
    }
}
