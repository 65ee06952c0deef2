//! The traffic table in force: read from the store, replaced by compare-and-set, acknowledged by each gateway.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ApiError, ErrorCode};
use fcs_decision::cohort::Cohort;
use tokio::sync::watch;
use tracing::{error, info};

use super::catalog::Catalog;
use super::store_unavailable;
use super::traffic::{Arm, PinnedModel, ProposedArm, ProposedTable, ShadowArm, TrafficTable};
use crate::metrics::Metrics;
use crate::store::{DecisionStore, FleetStore, Instance, StoreError};

/// An instance that was not seen for this long does not count as live; it beats every second.
pub const STALE_AFTER: Duration = Duration::from_secs(5);

/// Holds the table that requests are assigned by.
pub struct TrafficControl {
    store: Arc<dyn DecisionStore>,
    fleet: Arc<dyn FleetStore>,
    catalog: Arc<Catalog>,
    shadow_catalog: Arc<Catalog>,
    metrics: Metrics,
    table: watch::Sender<Arc<TrafficTable>>,
}

impl TrafficControl {
    /// Reads the stored table. The model servers, of the live arms and of the shadow arms, are not needed for that.
    pub async fn open(
        store: Arc<dyn DecisionStore>,
        fleet: Arc<dyn FleetStore>,
        (catalog, shadow_catalog): (Arc<Catalog>, Arc<Catalog>),
        metrics: Metrics,
    ) -> Result<Self, StoreError> {
        let control = Self {
            store,
            fleet,
            catalog,
            shadow_catalog,
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

    /// Tells when another table has come into force here.
    pub fn watch(&self) -> watch::Receiver<Arc<TrafficTable>> {
        self.table.subscribe()
    }

    /// The table of a generation, which decisions name; 0 is the one in force.
    pub async fn table_of(&self, generation: u64) -> Result<Arc<TrafficTable>, ApiError> {
        if generation == 0 {
            return Ok(self.table());
        }
        let found = self
            .fleet
            .table(generation)
            .await
            .map_err(store_unavailable)?;
        found.map(Arc::new).ok_or_else(|| {
            let message = format!("no traffic table ever had generation {generation}");
            ApiError::not_found("TRAFFIC_TABLE_NOT_FOUND", message)
        })
    }

    /// Which table each gateway on the store serves.
    pub async fn fleet(&self) -> Result<FleetState, ApiError> {
        let instances = self.fleet.instances().await.map_err(store_unavailable)?;
        let stored = self.store.traffic().await.map_err(store_unavailable)?;
        Ok(FleetState {
            instances,
            generation: stored.generation,
        })
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
        let shadows = match proposed.shadows {
            None => None,
            Some(shadows) => Some(self.pin_shadows(shadows).await?),
        };
        // Generations only rise, so the swap succeeds only if this is still the table before it.
        self.refresh().await.map_err(store_unavailable)?;
        let before = self.table();
        let table = TrafficTable::after(
            &before,
            proposed.generation,
            proposed.salt,
            arms,
            shadows.unwrap_or_else(|| before.shadows.clone()),
        );
        let swapped = before.generation == expected_generation
            && self
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

    /// A shadow arm whose model cannot be used is refused as a live one is: it would only ever drop. One that breaks
    /// later changes nothing for the live arms.
    async fn pin_shadows(&self, shadows: Vec<ProposedArm>) -> Result<Vec<ShadowArm>, ApiError> {
        let mut pinned = Vec::with_capacity(shadows.len());
        for shadow in shadows {
            pinned.push(ShadowArm {
                model: pin(&self.shadow_catalog, &shadow).await?,
                name: shadow.name,
                sample_basis_points: shadow.weight_basis_points,
                since_generation: 0,
            });
        }
        Ok(pinned)
    }

    async fn pin(&self, arm: ProposedArm) -> Result<Arm, ApiError> {
        Ok(Arm {
            model: pin(&self.catalog, &arm).await?,
            name: arm.name,
            weight_basis_points: arm.weight_basis_points,
            cohort: Cohort::default(),
        })
    }

    fn adopt(&self, table: TrafficTable) {
        for arm in &table.arms {
            self.metrics.start_arm(arm);
        }
        for shadow in &table.shadows {
            self.metrics.start_shadow(&shadow.name);
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

/// The model of an arm with the digest of its verified manifest.
async fn pin(catalog: &Catalog, arm: &ProposedArm) -> Result<PinnedModel, ApiError> {
    let manifest = catalog.fetch(&arm.version, arm.manifest_digest).await?;
    Ok(PinnedModel {
        version: arm.version.clone(),
        manifest_digest: manifest.digest(),
    })
}

/// Which table each gateway on the store serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetState {
    /// By their identifiers.
    pub instances: Vec<Instance>,
    /// Generation of the stored table.
    pub generation: u64,
}

impl FleetState {
    /// Whether at least one gateway is live, and every live one serves the stored table or a later one.
    pub fn is_confirmed(&self) -> bool {
        let mut live = self
            .instances
            .iter()
            .filter(|instance| !instance.is_stale())
            .peekable();
        live.peek().is_some() && live.all(|instance| instance.generation >= self.generation)
    }
}

impl Instance {
    /// Whether it was not seen for so long that it does not count as live.
    pub fn is_stale(&self) -> bool {
        self.age > STALE_AFTER
    }
}

#[cfg(test)]
mod tests {
    use fcs_core::UnixMicros;

    use super::*;

    fn instance(generation: u64, age_s: u64) -> Instance {
        Instance {
            id: format!("{generation}-{age_s}"),
            generation,
            seen_at: UnixMicros(0),
            age: Duration::from_secs(age_s),
        }
    }

    #[test]
    fn a_table_is_confirmed_when_every_live_gateway_serves_it() {
        let confirmed = |instances: Vec<Instance>| {
            FleetState {
                instances,
                generation: 7,
            }
            .is_confirmed()
        };
        assert!(!confirmed(vec![]), "nobody serves it");
        assert!(confirmed(vec![instance(7, 0), instance(8, 5)]));
        assert!(!confirmed(vec![instance(7, 0), instance(6, 5)]));
        assert!(
            confirmed(vec![instance(7, 0), instance(6, 6)]),
            "the late one is gone"
        );
        assert!(!confirmed(vec![instance(7, 6)]), "all are gone");
    }
}
