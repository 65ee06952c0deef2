//! The use case of drift reports.

use std::sync::Arc;

use fcs_core::{ApiError, Clock};

use super::at_store::{AtStore, Spawn, unavailable};
use super::drift::{DriftQuery, DriftSheet, Windows, drift_sheet};
use super::terms::Terms;
use crate::store::ProfileStore;

/// The use case with what it needs. Cloning shares it.
#[derive(Clone)]
pub struct Drifts {
    store: AtStore<dyn ProfileStore>,
    terms: Arc<Terms>,
    clock: Arc<dyn Clock>,
}

impl Drifts {
    /// The use case over a store.
    pub fn new(
        store: Arc<dyn ProfileStore>,
        terms: Arc<Terms>,
        clock: Arc<dyn Clock>,
        spawn: Spawn,
    ) -> Self {
        Self {
            store: AtStore::new(store, spawn),
            terms,
            clock,
        }
    }

    /// Compares the decisions of a window with what the model was built on, and arms with the stable one.
    pub async fn sheet(&self, query: DriftQuery) -> Result<DriftSheet, ApiError> {
        let now = self.clock.now();
        let (model, windows) = (query.model.clone(), Windows::of(query.hours, now));
        let counts = self
            .store
            .run(|store| async move { store.counts(&model, windows).await.map_err(unavailable) })
            .await?;
        drift_sheet(&query, &counts, &self.terms.policy, now)
    }
}
