//! Loading and unloading on behalf of callers and of the watch: one package at a time, off the threads that
//! answer requests.

use std::sync::Arc;

use fcs_core::{ApiError, Digest, ModelVersion};
use fcs_service::problem::internal;

use super::models::{MODEL_REFUSED, ModelState, Models};
use super::package::LoadedModel;
use super::turns::Turns;
use super::versions;
use crate::metrics::Metrics;

/// Callers that wait while another package is verified.
const WAITING_MAX: usize = 32;

/// Takes models into memory and out of it.
pub struct Lifecycle {
    models: Arc<Models>,
    metrics: Arc<Metrics>,
    turns: Turns,
}

impl Lifecycle {
    /// For the models of a server.
    pub(crate) fn new(models: Arc<Models>, metrics: Arc<Metrics>) -> Self {
        Self {
            models,
            metrics,
            turns: Turns::new(1, WAITING_MAX),
        }
    }

    /// Loads a package that is not in memory yet.
    ///
    /// # Errors
    /// As [`Models::load`]; `Unavailable` when too many wait.
    pub async fn load(
        &self,
        model: ModelVersion,
        expected: Option<Digest>,
    ) -> Result<Arc<LoadedModel>, ApiError> {
        self.run(move |models| models.load(&model, expected)).await
    }

    /// Loads a package on nobody's behalf: one that was unloaded stays out until somebody loads it.
    ///
    /// # Errors
    /// As [`Lifecycle::load`].
    pub(crate) async fn load_unasked(&self, model: ModelVersion) -> Result<(), ApiError> {
        if self.models.is_dismissed(&model) {
            return Ok(());
        }
        self.load(model, None).await.map(drop)
    }

    /// Verifies a package again and exchanges it.
    ///
    /// # Errors
    /// As [`Lifecycle::load`].
    pub async fn reload(&self, model: ModelVersion) -> Result<Arc<LoadedModel>, ApiError> {
        self.run(move |models| models.reload(&model, None)).await
    }

    /// Takes a model out of memory.
    ///
    /// # Errors
    /// `NotFound` when it is not there.
    pub fn unload(&self, model: &ModelVersion) -> Result<(), ApiError> {
        let was_loaded = self.models.unload(model);
        self.count();
        if was_loaded {
            return Ok(());
        }
        let message = format!("{model} is not loaded");
        Err(ApiError::not_found("MODEL_NOT_LOADED", message))
    }

    /// Every package with its state.
    ///
    /// # Errors
    /// As [`Models::list`].
    pub async fn list(&self) -> Result<Vec<(ModelVersion, ModelState)>, ApiError> {
        let models = Arc::clone(&self.models);
        blocking(move || models.list()).await?
    }

    /// The highest version of a name in the registry.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn highest(&self, name: &str) -> Result<ModelVersion, ApiError> {
        let listed = self.list().await?;
        listed
            .into_iter()
            .map(|(model, _)| model)
            .filter(|model| model.name() == name)
            .max_by(|left, right| versions::compare(left.version(), right.version()))
            .ok_or_else(|| {
                ApiError::not_found(
                    "MODEL_NOT_FOUND",
                    format!("the registry has no package named {name:?}"),
                )
            })
    }

    async fn run(
        &self,
        work: impl FnOnce(&Models) -> Result<Arc<LoadedModel>, ApiError> + Send + 'static,
    ) -> Result<Arc<LoadedModel>, ApiError> {
        let turn = self.turns.take().await?;
        let models = Arc::clone(&self.models);
        let outcome = blocking(move || {
            // The turn belongs to the work, which goes on when the caller has gone.
            let _turn = turn;
            work(&models)
        })
        .await?;
        self.count();
        if let Err(error) = &outcome
            && error.reason == MODEL_REFUSED
        {
            self.metrics.models_refused.inc();
        }
        outcome
    }

    fn count(&self) {
        let count = i64::try_from(self.models.loaded_count()).unwrap_or(i64::MAX);
        self.metrics.models_loaded.set(count);
    }
}

/// Runs work that computes or reads files on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| internal("COMPUTING_FAILED", error))
}
