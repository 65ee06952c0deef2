//! The use cases of examinations and of overrides.

use std::ops::Range;
use std::sync::Arc;

use fcs_core::{ApiError, ErrorCode, ModelVersion};
use fcs_fairness::Thresholds;
use tokio::sync::Semaphore;

use super::at_store::{AtStore, Spawn, lost, unavailable};
use super::change::Receipt;
use super::document::OverridePart;
use super::examination::{Examination, ExaminationInput, ExaminationQuery};
use super::facts::Override;
use crate::metrics::Metrics;
use crate::store::ExaminationStore;

/// Examinations at a time; further ones are told to come back.
const EXAMINATIONS_MAX: usize = 2;

/// The use cases with what they need. Cloning shares it.
#[derive(Clone)]
pub struct Examinations {
    store: AtStore<dyn ExaminationStore>,
    /// An examination may hold a connection and memory for long.
    places: Arc<Semaphore>,
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
            places: Arc::new(Semaphore::new(EXAMINATIONS_MAX)),
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
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| busy())?;
        // The place goes with the work, which goes on when the caller goes away.
        self.store
            .run(|store| async move {
                let found = store.examine(&query.scope).await.map_err(unavailable)?;
                let examined = tokio::task::spawn_blocking(move || query.examine(found)).await;
                drop(place);
                examined.unwrap_or_else(|_| Err(lost()))
            })
            .await
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

fn busy() -> ApiError {
    let message =
        format!("{EXAMINATIONS_MAX} examinations are being made already; send this one again");
    ApiError::new(ErrorCode::ResourceExhausted, "TOO_MANY_REQUESTS", message).retry_after(5)
}
