//! The use cases of examinations and of overrides.

use std::ops::Range;
use std::sync::Arc;

use fcs_core::{ApiError, ModelVersion};
use fcs_fairness::Thresholds;

use super::at_store::{AtStore, Spawn, unavailable};
use super::change::Receipt;
use super::document::OverridePart;
use super::examination::{Examination, ExaminationInput, ExaminationQuery};
use super::facts::Override;
use crate::metrics::Metrics;
use crate::store::ExaminationStore;

/// The use cases with what they need. Cloning shares it.
#[derive(Clone)]
pub struct Examinations {
    store: AtStore<dyn ExaminationStore>,
    thresholds: Thresholds,
    metrics: Metrics,
}

impl Examinations {
    /// The use cases over a store.
    pub fn new(
        store: Arc<dyn ExaminationStore>,
        thresholds: Thresholds,
        metrics: Metrics,
        spawn: Spawn,
    ) -> Self {
        Self {
            store: AtStore::new(store, spawn),
            thresholds,
            metrics,
        }
    }

    /// Reads the decisions of a request, and compares their groups.
    pub async fn examine(&self, input: ExaminationInput) -> Result<Examination, ApiError> {
        let Thresholds {
            minimum_group_size,
            confidence,
            ..
        } = self.thresholds;
        let query = ExaminationQuery::new(&input, minimum_group_size, confidence)?;
        let scope = query.scope.clone();
        let found = self
            .store
            .run(|store| async move { store.examine(&scope).await.map_err(unavailable) })
            .await?;
        query.examine(found)
    }

    /// How many decisions of some minutes people decided otherwise, by kind and reason.
    pub async fn overrides(
        &self,
        model: Option<ModelVersion>,
        minutes: Range<i64>,
    ) -> Result<Vec<OverridePart>, ApiError> {
        self.store
            .run(|store| async move {
                let counted = store.overrides(model.as_ref(), minutes).await;
                counted.map_err(unavailable)
            })
            .await
    }

    /// Records checked overrides; it can be repeated without harm.
    pub async fn record(&self, overrides: Vec<Override>) -> Result<Receipt, ApiError> {
        let receipt = self
            .store
            .run(|store| async move { store.record(&overrides).await.map_err(unavailable) })
            .await?;
        self.metrics.recorded_overrides(&receipt);
        Ok(receipt)
    }
}
