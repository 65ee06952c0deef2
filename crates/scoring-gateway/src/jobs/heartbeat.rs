//! Says in the store which traffic table this gateway serves, so that whoever replaces the table knows when every
//! gateway has taken it over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::app::control::TrafficControl;
use crate::store::{FleetStore, StoreError};

const INTERVAL: Duration = Duration::from_secs(1);

/// The heartbeat of one gateway.
pub struct Heartbeat {
    /// Where it is written.
    pub fleet: Arc<dyn FleetStore>,
    /// The table in force.
    pub traffic: Arc<TrafficControl>,
    /// Name of this process, made at its start.
    pub instance_id: String,
    /// Cancelled when the service stops.
    pub soft: CancellationToken,
}

impl Heartbeat {
    /// Beats until the service stops: each second, and at once when the table changes.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut turns = interval(INTERVAL);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut table = self.traffic.watch();
        loop {
            tokio::select! {
                () = self.soft.cancelled() => break,
                _ = turns.tick() => {}
                changed = table.changed() => changed?,
            }
            let generation = table.borrow_and_update().generation;
            report(self.fleet.beat(&self.instance_id, generation).await);
        }
        report(self.fleet.leave(&self.instance_id).await);
        Ok(())
    }
}

/// A missed beat does no harm but that this gateway counts as gone for a while.
fn report(result: Result<(), StoreError>) {
    if let Err(failure) = result {
        let error = format!("{:#}", anyhow::Error::new(failure));
        warn!(
            error,
            "this gateway could not say which traffic table it serves"
        );
    }
}
