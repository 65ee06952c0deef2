//! The models in memory.
//!
//! A model becomes visible whole, by one exchange of a pointer, after its package passed every check; a
//! request keeps the model that it began with. So a reload or an unload disturbs no request, and memory is
//! given back when the last one has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use fcs_core::{ApiError, Clock, Digest, ErrorCode, ModelVersion};
use fcs_decision::trust::TrustPolicy;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::package::{self, LoadedModel, PackageError};
use super::statistics::Statistics;
use super::turns::Turns;
use super::versions;
use crate::registry::Registry;

/// A listing that takes longer counts as failed: the gateway waits one second for it.
const LISTING_LIMIT: Duration = Duration::from_millis(700);

/// Reason of the error for a package that failed a check.
pub(crate) const MODEL_REFUSED: &str = "MODEL_REFUSED";

/// What the server knows of one package.
#[derive(Clone)]
pub enum ModelState {
    /// In the registry.
    Available,
    /// Being verified for the first time.
    Loading,
    /// Verified and in memory; the digest is the manifest's.
    Loaded(Digest),
    /// Refused when it was last loaded.
    Refused(String),
}

/// How much the models in memory may take.
#[derive(Debug, Clone, Copy)]
pub struct ModelLimits {
    /// Models in memory.
    pub models_max: usize,
    /// Requests of one model that compute at the same time.
    pub working_max: usize,
    /// Requests of one model that wait for that.
    pub waiting_max: usize,
}

/// A model in memory with its queue and its statistics, which a reload keeps. Cloning shares them.
#[derive(Clone)]
pub struct Served {
    /// The verified package.
    pub model: Arc<LoadedModel>,
    /// The queue of the model's requests.
    pub turns: Arc<Turns>,
    /// Counts and times.
    pub statistics: Arc<Statistics>,
}

/// Loads packages from a registry and keeps them.
pub struct Models {
    registry: Registry,
    trust: TrustPolicy,
    clock: Arc<dyn Clock>,
    limits: ModelLimits,
    loaded: RwLock<BTreeMap<ModelVersion, Served>>,
    loading: RwLock<BTreeSet<ModelVersion>>,
    refused: RwLock<BTreeMap<ModelVersion, String>>,
    last_listed: RwLock<Vec<ModelVersion>>,
    /// Taken out of memory, and not asked for since.
    dismissed: RwLock<BTreeSet<ModelVersion>>,
}

impl Models {
    /// Serves packages of `registry` that a key of `trust` signed.
    pub fn new(
        registry: Registry,
        trust: TrustPolicy,
        clock: Arc<dyn Clock>,
        limits: ModelLimits,
    ) -> Self {
        Self {
            registry,
            trust,
            clock,
            limits,
            loaded: RwLock::default(),
            loading: RwLock::default(),
            refused: RwLock::default(),
            last_listed: RwLock::default(),
            dismissed: RwLock::default(),
        }
    }

    /// Verifies and loads a package; one that is loaded already stays as it is, for versions are immutable.
    ///
    /// Reads the registry and computes for up to seconds: call it from a blocking thread of the runtime.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable` when the registry cannot be read, `ResourceExhausted` when there are too many
    /// models, or `FailedPrecondition` with the check that failed. A package whose manifest has another digest than
    /// `expected` fails so too and is not put into memory.
    pub fn load(
        &self,
        model: &ModelVersion,
        expected: Option<Digest>,
    ) -> Result<Arc<LoadedModel>, ApiError> {
        match self.get(model) {
            Some(served) => check_digest(served.model, expected),
            None => self.reload(model, expected),
        }
    }

    /// Verifies a package again and puts it in the place of the one in memory; a package that is refused now
    /// leaves the one in memory where it is. Call it from a blocking thread of the runtime.
    ///
    /// # Errors
    /// As [`Models::load`].
    pub fn reload(
        &self,
        model: &ModelVersion,
        expected: Option<Digest>,
    ) -> Result<Arc<LoadedModel>, ApiError> {
        if !read(&self.loaded).contains_key(model) && self.loaded_count() >= self.limits.models_max
        {
            return Err(ApiError::new(
                ErrorCode::ResourceExhausted,
                "TOO_MANY_MODELS",
                format!(
                    "{} models are in memory, which is the limit; unload one first",
                    self.limits.models_max
                ),
            ));
        }
        write(&self.loading).insert(model.clone());
        let loading = package::load(&self.registry, model, &self.trust, self.clock.now());
        let outcome = match Handle::current().block_on(loading) {
            Ok(loaded) => {
                check_digest(Arc::new(loaded), expected).map(|loaded| self.insert(loaded))
            }
            Err(error) => Err(self.refuse(model, &error)),
        };
        write(&self.loading).remove(model);
        outcome
    }

    /// Takes a model out of memory; requests that run on it keep it until they end. Whether it was there.
    pub fn unload(&self, model: &ModelVersion) -> bool {
        let was_loaded = write(&self.loaded).remove(model).is_some();
        if was_loaded {
            write(&self.dismissed).insert(model.clone());
            tracing::info!(model = %model, "model unloaded");
        }
        was_loaded
    }

    /// Whether a model was unloaded and not loaded since. Who unloads a model does not want it back by itself.
    pub fn is_dismissed(&self, model: &ModelVersion) -> bool {
        read(&self.dismissed).contains(model)
    }

    /// A loaded model.
    pub fn get(&self, model: &ModelVersion) -> Option<Served> {
        read(&self.loaded).get(model).cloned()
    }

    /// Every loaded version of a name, the highest last.
    pub fn versions(&self, name: &str) -> Vec<Served> {
        let mut served: Vec<Served> = read(&self.loaded)
            .iter()
            .filter(|(model, _)| model.name() == name)
            .map(|(_, served)| served.clone())
            .collect();
        served.sort_by(|left, right| {
            let (left, right) = (left.model.version(), right.model.version());
            versions::compare(left.version(), right.version())
        });
        served
    }

    /// Every loaded model, in the order of name and version.
    pub fn all(&self) -> Vec<Served> {
        read(&self.loaded).values().cloned().collect()
    }

    /// How many models are in memory.
    pub fn loaded_count(&self) -> usize {
        read(&self.loaded).len()
    }

    /// Every package of the registry with its state, and every model in memory whose package is gone. Call it
    /// from a blocking thread of the runtime.
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

    /// What the registry holds and what is in memory. While it cannot be listed, what it held counts: the models
    /// in memory go on answering, and callers take this list as a sign of life.
    fn listed(&self) -> Result<BTreeSet<ModelVersion>, ApiError> {
        let listing = async { timeout(LISTING_LIMIT, self.registry.list()).await };
        let failure = match Handle::current().block_on(listing) {
            Ok(Ok(models)) => {
                *write(&self.last_listed) = models;
                None
            }
            Ok(Err(error)) => Some(unreadable(&error)),
            Err(elapsed) => Some(unreadable(&elapsed)),
        };
        let mut known: BTreeSet<ModelVersion> = read(&self.last_listed).iter().cloned().collect();
        known.extend(read(&self.loaded).keys().cloned());
        match failure {
            Some(failure) if known.is_empty() => Err(failure),
            _ => Ok(known),
        }
    }

    fn state(&self, model: &ModelVersion) -> ModelState {
        if let Some(served) = self.get(model) {
            return ModelState::Loaded(served.model.manifest.digest());
        }
        if read(&self.loading).contains(model) {
            return ModelState::Loading;
        }
        read(&self.refused)
            .get(model)
            .cloned()
            .map_or(ModelState::Available, ModelState::Refused)
    }

    /// Makes a verified package visible.
    fn insert(&self, model: Arc<LoadedModel>) -> Arc<LoadedModel> {
        let version = model.version().clone();
        tracing::info!(model = %version, digest = %model.manifest.digest(), "model loaded");
        write(&self.refused).remove(&version);
        write(&self.dismissed).remove(&version);
        let limits = self.limits;
        write(&self.loaded)
            .entry(version)
            .and_modify(|served| served.model = Arc::clone(&model))
            .or_insert_with(|| Served {
                model: Arc::clone(&model),
                turns: Arc::new(Turns::new(limits.working_max, limits.waiting_max)),
                statistics: Arc::default(),
            });
        model
    }

    fn refuse(&self, model: &ModelVersion, error: &PackageError) -> ApiError {
        if let PackageError::Registry(error) = error {
            return unreadable(error);
        }
        let reason = describe(error);
        if matches!(error, PackageError::NotFound { .. }) {
            // Where it was looked for is no caller's business.
            let message = format!("the registry has no package {model}");
            return ApiError::not_found("MODEL_NOT_FOUND", message);
        }
        let before = write(&self.refused).insert(model.clone(), reason.clone());
        // The watch of the registry tries again and again; one line is enough.
        if before.as_ref() != Some(&reason) {
            tracing::warn!(model = %model, reason, "model refused");
        }
        ApiError::new(
            ErrorCode::FailedPrecondition,
            MODEL_REFUSED,
            format!("the package {model} was refused: {reason}"),
        )
    }
}

/// Refuses a package that is not the one which the caller means.
fn check_digest(
    model: Arc<LoadedModel>,
    expected: Option<Digest>,
) -> Result<Arc<LoadedModel>, ApiError> {
    if expected.is_none_or(|expected| expected == model.manifest.digest()) {
        return Ok(model);
    }
    Err(ApiError::new(
        ErrorCode::FailedPrecondition,
        "MODEL_DIGEST_MISMATCH",
        format!("{} has another manifest digest", model.version()),
    ))
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

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
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
