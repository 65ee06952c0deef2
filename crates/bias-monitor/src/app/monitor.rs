//! The use cases behind the endpoints.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use fcs_core::ApiError;
use fcs_fairness::Thresholds;

use super::at_store::{AtStore, Spawn, lost, unavailable};
use super::change::{Change, Receipt};
use super::rebuild::Rebuilt;
use super::report::{MonitorStatus, ReportQuery, Sheet, sheet};
use super::rollup::Fineness;
use crate::metrics::Metrics;
use crate::store::{EVER, MonitorStore, RebuildStore, WriteError};

/// The use cases with what they need. Cloning shares it.
#[derive(Clone)]
pub struct Monitor {
    store: AtStore<dyn MonitorStore>,
    recount: AtStore<dyn RebuildStore>,
    fineness: Fineness,
    thresholds: Thresholds,
    metrics: Metrics,
}

impl Monitor {
    /// The use cases over a store.
    pub fn new(
        store: Arc<dyn MonitorStore>,
        (recount, fineness): (Arc<dyn RebuildStore>, Fineness),
        thresholds: Thresholds,
        metrics: Metrics,
        spawn: Spawn,
    ) -> Self {
        Self {
            store: AtStore::new(store, Arc::clone(&spawn)),
            recount: AtStore::new(recount, spawn),
            fineness,
            thresholds,
            metrics,
        }
    }

    /// Records checked demographics or outcomes; it can be repeated without harm.
    pub async fn record(&self, change: Change) -> Result<Receipt, ApiError> {
        let metrics = self.metrics.clone();
        self.store
            .run(|store| async move {
                let receipt = store.write(&change).await.map_err(write_failed)?;
                metrics.recorded(&change, &receipt);
                Ok(receipt)
            })
            .await
    }

    /// The group report on decisions of some minutes since the Unix epoch.
    pub async fn report(&self, query: ReportQuery, minutes: Range<i64>) -> Result<Sheet, ApiError> {
        let model = query.model;
        let tables = self
            .store
            .run(|store| async move {
                let tables = store.tables_with_proxies(model.as_ref(), minutes).await;
                tables.map_err(unavailable)
            })
            .await?;
        sheet(&tables, &query.references, &self.thresholds)
    }

    /// The group report of all models together, without what follows from probabilities.
    pub async fn overview(&self) -> Result<Sheet, ApiError> {
        let tables = self
            .store
            .run(|store| async move { store.tables(None, EVER).await.map_err(unavailable) })
            .await?;
        sheet(&tables, &BTreeMap::new(), &self.thresholds)
    }

    /// Counts everything again, and replaces counters that differ if asked to.
    pub async fn rebuild(&self, apply: bool) -> Result<Rebuilt, ApiError> {
        let fine_from = self.fineness.fine_from();
        let rebuild = move |store: Arc<dyn RebuildStore>| async move {
            let rebuilt = store.rebuild(apply, fine_from).await;
            rebuilt.map_err(unavailable)
        };
        let rebuilt = self.recount.run(rebuild).await?;
        if rebuilt.different > 0 {
            let (different, applied) = (rebuilt.different, rebuilt.applied);
            tracing::warn!(
                different,
                applied,
                "counters were not what the decisions make"
            );
        }
        Ok(rebuilt)
    }

    /// How far the monitor has read.
    pub async fn status(&self) -> Result<MonitorStatus, ApiError> {
        self.store
            .run(|store| async move { store.status().await.map_err(unavailable) })
            .await
    }
}

fn write_failed(error: WriteError) -> ApiError {
    match error {
        WriteError::Store(error) => unavailable(error),
        WriteError::Gap(gap) => {
            tracing::error!(%gap, "a gap outside the feed");
            lost()
        }
    }
}
