//! The traffic table in force: read from the store, replaced by compare-and-set.

use std::sync::Arc;

use fcs_core::{ApiError, ErrorCode};
use tokio::sync::watch;
use tracing::{error, info};

use super::catalog::Catalog;
use super::store_unavailable;
use super::traffic::{Arm, PinnedModel, ProposedArm, ProposedTable, TrafficTable};
use crate::metrics::Metrics;
use crate::store::{DecisionStore, StoreError};

/// Holds the table that requests are assigned by.
pub struct TrafficControl {
    store: Arc<dyn DecisionStore>,
    catalog: Arc<Catalog>,
    metrics: Metrics,
    table: watch::Sender<Arc<TrafficTable>>,
}

impl TrafficControl {
    /// Reads the stored table. The model server is not needed for that.
    pub async fn open(
        store: Arc<dyn DecisionStore>,
        catalog: Arc<Catalog>,
        metrics: Metrics,
    ) -> Result<Self, StoreError> {
        let control = Self {
            store,
            catalog,
            metrics,
            table: watch::Sender::default(),
        };
        control.refresh().await?;
        Ok(control)
    }

    /// The table in force.
    pub fn table(&self) -> Arc<TrafficTable> {
        Arc::clone(&self.table.borrow())
    }

    /// Replaces the table once every model in it is loaded and verified. Applying the table in force again is fine.
    pub async fn apply(
        &self,
        expected_generation: u64,
        proposed: ProposedTable,
    ) -> Result<Arc<TrafficTable>, ApiError> {
        proposed.check(expected_generation)?;
        let mut arms = Vec::with_capacity(proposed.arms.len());
        for arm in proposed.arms {
            arms.push(self.pin(arm).await?);
        }
        let table = TrafficTable {
            generation: proposed.generation,
            salt: proposed.salt,
            arms,
        };
        let swapped = self
            .store
            .swap_traffic(expected_generation, &table)
            .await
            .map_err(store_unavailable)?;
        if swapped {
            self.adopt(table);
            return Ok(self.table());
        }
        self.refresh().await.map_err(store_unavailable)?;
        let current = self.table();
        // The caller may not have seen the answer to its first attempt.
        if *current == table {
            return Ok(current);
        }
        let message = format!(
            "the traffic table has generation {}, not the expected {expected_generation}",
            current.generation
        );
        Err(ApiError::new(
            ErrorCode::FailedPrecondition,
            "GENERATION_CONFLICT",
            message,
        ))
    }

    /// Takes over the stored table when it is newer: another gateway may have replaced it.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let stored = self.store.traffic().await?;
        self.adopt(stored);
        Ok(())
    }

    /// Has the models of every arm loaded and verified, whatever they were before; gives the number that cannot be used.
    pub async fn load_models(&self) -> i64 {
        let mut unusable = 0;
        for arm in &self.table().arms {
            let PinnedModel {
                version,
                manifest_digest,
            } = &arm.model;
            if let Err(failure) = self.catalog.fetch(version, Some(*manifest_digest)).await {
                unusable += 1;
                error!(arm = arm.name, model = %arm.model, error = %failure, "an arm's model cannot be used");
            }
        }
        self.metrics.arms_unusable.set(unusable);
        unusable
    }

    async fn pin(&self, arm: ProposedArm) -> Result<Arm, ApiError> {
        let manifest = self
            .catalog
            .fetch(&arm.version, arm.manifest_digest)
            .await?;
        let model = PinnedModel {
            version: arm.version,
            manifest_digest: manifest.digest(),
        };
        Ok(Arm {
            name: arm.name,
            model,
            weight_basis_points: arm.weight_basis_points,
        })
    }

    fn adopt(&self, table: TrafficTable) {
        for arm in &table.arms {
            self.metrics.start_arm(arm);
        }
        let generation = table.generation;
        let swapped = self.table.send_if_modified(|current| {
            let newer = generation > current.generation;
            if newer {
                *current = Arc::new(table);
            }
            newer
        });
        if swapped {
            self.metrics.traffic_generation.set(generation);
            info!(
                traffic.generation = generation,
                "the traffic table was replaced"
            );
        }
    }
}
