//! Reconcilers: each reads what should be and what is, and acts; a missed turn does no harm.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fcs_core::{Clock, UnixMicros};
use fcs_service::health::Dependency;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::app::catalog::Catalog;
use crate::app::control::TrafficControl;
use crate::metrics::Metrics;
use crate::store::{DecisionStore, StoreError};

const MODELS_INTERVAL: Duration = Duration::from_secs(1);
const PURGE_INTERVAL: Duration = Duration::from_mins(1);
/// Keys of one delete; small, so that it never holds up the writer.
const PURGE_BATCH: u32 = 500;
const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// Keeps the traffic table current and the models of its arms loaded, and tells readiness about the model server.
pub struct ModelReconciler {
    /// The table in force.
    pub traffic: Arc<TrafficControl>,
    /// The model server.
    pub catalog: Arc<Catalog>,
    /// Readiness. It follows whether the model server answers, not whether every arm is usable: a table with a broken
    /// arm must be repaired through this very service.
    pub latch: Dependency,
    /// Cancelled when the service stops.
    pub soft: CancellationToken,
}

impl ModelReconciler {
    /// Runs until the service stops.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut turns = interval(MODELS_INTERVAL);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut loaded_generation = None;
        loop {
            tokio::select! {
                () = self.soft.cancelled() => return Ok(()),
                _ = turns.tick() => self.turn(&mut loaded_generation).await,
            }
        }
    }

    /// `loaded_generation` is the table whose models are known to be loaded in the model server that answers now.
    async fn turn(&self, loaded_generation: &mut Option<u64>) {
        if let Err(failure) = self.traffic.refresh().await {
            let error = format!("{:#}", anyhow::Error::new(failure));
            error!(error, "the traffic table could not be read");
        }
        if let Err(failure) = self.catalog.ping().await {
            // It may come back as another process, without our models.
            *loaded_generation = None;
            self.latch.bad(failure);
            return;
        }
        let generation = self.traffic.table().generation;
        if *loaded_generation != Some(generation) {
            let unusable = self.traffic.load_models().await;
            *loaded_generation = (unusable == 0).then_some(generation);
        }
        self.latch.good();
    }
}

/// Forgets idempotency keys after their time.
pub struct KeyPurge {
    /// The store.
    pub store: Arc<dyn DecisionStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The metrics.
    pub metrics: Metrics,
    /// How long a key is kept.
    pub days: u32,
    /// Cancelled when the service stops.
    pub soft: CancellationToken,
}

impl KeyPurge {
    /// Runs until the service stops.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut turns = interval(PURGE_INTERVAL);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.soft.cancelled() => return Ok(()),
                _ = turns.tick() => {
                    if let Err(failure) = self.turn().await.context("purge idempotency keys") {
                        error!(error = format!("{failure:#}"), "old idempotency keys stay for now");
                    }
                }
            }
        }
    }

    /// Deletes in small batches until nothing old is left.
    pub async fn turn(&self) -> Result<u64, StoreError> {
        let before = UnixMicros(self.clock.now().0 - i64::from(self.days) * DAY_MICROS);
        let mut purged = 0;
        while !self.soft.is_cancelled() {
            let batch = self.store.purge_claims(before, PURGE_BATCH).await?;
            purged += batch;
            self.metrics.keys_purged.inc_by(batch);
            if batch < u64::from(PURGE_BATCH) {
                break;
            }
        }
        if purged > 0 {
            info!(keys = purged, "old idempotency keys were forgotten");
        }
        Ok(purged)
    }
}
