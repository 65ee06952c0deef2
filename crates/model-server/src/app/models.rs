//! The models in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use fcs_core::{ApiError, Clock, Digest, ErrorCode, ModelVersion};
use fcs_decision::trust::TrustPolicy;

use tokio::runtime::Handle;
use tokio::time::timeout;

use super::package::{self, LoadedModel, PackageError};
use crate::registry::Registry;

/// A listing that takes longer counts as failed: the gateway waits one second for it.
const LISTING_LIMIT: Duration = Duration::from_millis(700);

/// What the server knows of one package.
#[derive(Clone)]
pub enum ModelState {
    /// In the registry.
    Available,
    /// Verified and in memory; the digest is the manifest's.
    Loaded(Digest),
    /// Refused when it was last loaded.
    Refused(String),
}

/// Loads packages from a registry and keeps them.
pub struct Models {
    registry: Registry,
    trust: TrustPolicy,
    clock: Arc<dyn Clock>,
    loaded: RwLock<BTreeMap<ModelVersion, Arc<LoadedModel>>>,
    refused: RwLock<BTreeMap<ModelVersion, String>>,
    last_listed: RwLock<Vec<ModelVersion>>,
}

impl Models {
    /// Serves packages of `registry` that a key of `trust` signed.
    pub fn new(registry: Registry, trust: TrustPolicy, clock: Arc<dyn Clock>) -> Self {
        Self {
            registry,
            trust,
            clock,
            loaded: RwLock::default(),
            refused: RwLock::default(),
            last_listed: RwLock::default(),
        }
    }

    /// Verifies and loads a package; one that is loaded already stays as it is, for versions are immutable.
    ///
    /// Reads the registry and computes for up to seconds: call it from a blocking thread of the runtime.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable` when the registry cannot be read, or `FailedPrecondition` with the check that
    /// failed.
    pub fn load(&self, model: &ModelVersion) -> Result<Arc<LoadedModel>, ApiError> {
        if let Some(loaded) = self.get(model) {
            return Ok(loaded);
        }
        let loading = package::load(&self.registry, model, &self.trust, self.clock.now());
        match Handle::current().block_on(loading) {
            Ok(loaded) => {
                let loaded = Arc::new(loaded);
                write(&self.refused).remove(model);
                write(&self.loaded).insert(model.clone(), Arc::clone(&loaded));
                tracing::info!(model = %model, digest = %loaded.manifest.digest(), "model loaded");
                Ok(loaded)
            }
            Err(error) => Err(self.refuse(model, &error)),
        }
    }

    /// A loaded model.
    pub fn get(&self, model: &ModelVersion) -> Option<Arc<LoadedModel>> {
        self.loaded
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(model)
            .cloned()
    }

    /// How many models are in memory.
    pub fn loaded_count(&self) -> usize {
        self.loaded
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Every package of the registry with its state. Call it from a blocking thread of the runtime.
    ///
    /// # Errors
    /// `Unavailable` when the registry cannot be listed and no model is known from before.
    pub fn list(&self) -> Result<Vec<(ModelVersion, ModelState)>, ApiError> {
        let models = self.listed()?;
        Ok(models
            .into_iter()
            .map(|model| (model.clone(), self.state(&model)))
            .collect())
    }

    /// What the registry holds. While it cannot be listed, what it held and what is in memory: the models in memory
    /// go on answering, and callers take this list as a sign of life.
    fn listed(&self) -> Result<Vec<ModelVersion>, ApiError> {
        let listing = async { timeout(LISTING_LIMIT, self.registry.list()).await };
        let failure = match Handle::current().block_on(listing) {
            Ok(Ok(models)) => {
                write(&self.last_listed).clone_from(&models);
                return Ok(models);
            }
            Ok(Err(error)) => unreadable(&error),
            Err(elapsed) => unreadable(&elapsed),
        };
        let mut known: BTreeSet<ModelVersion> = read(&self.last_listed).iter().cloned().collect();
        known.extend(read(&self.loaded).keys().cloned());
        if known.is_empty() {
            return Err(failure);
        }
        Ok(known.into_iter().collect())
    }

    fn state(&self, model: &ModelVersion) -> ModelState {
        if let Some(loaded) = self.get(model) {
            return ModelState::Loaded(loaded.manifest.digest());
        }
        let refused = self.refused.read().unwrap_or_else(PoisonError::into_inner);
        refused
            .get(model)
            .cloned()
            .map_or(ModelState::Available, ModelState::Refused)
    }

    fn refuse(&self, model: &ModelVersion, error: &PackageError) -> ApiError {
        if let PackageError::Registry(error) = error {
            return unreadable(error);
        }
        let reason = describe(error);
        if matches!(error, PackageError::NotFound { .. }) {
            return ApiError::not_found("MODEL_NOT_FOUND", reason);
        }
        tracing::warn!(model = %model, reason, "model refused");
        write(&self.refused).insert(model.clone(), reason.clone());
        ApiError::new(
            ErrorCode::FailedPrecondition,
            "MODEL_REFUSED",
            format!("the package {model} was refused: {reason}"),
        )
    }
}

/// The registry's fault says nothing about a package.
fn unreadable(error: &dyn std::error::Error) -> ApiError {
    tracing::error!(error = %describe(error), "the registry cannot be read");
    ApiError::new(
        ErrorCode::Unavailable,
        "REGISTRY_UNREADABLE",
        "the model registry cannot be read",
    )
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// An error with its causes in one line. A package's errors hold nothing that is secret.
pub fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
