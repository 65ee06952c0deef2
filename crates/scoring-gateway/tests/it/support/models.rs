//! A model server without a network, which can be stopped, slowed down and told lies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use fcs_core::{ApiError, Digest, ErrorCode, ModelVersion, Probability};
use fcs_decision::decision::ModelOutput;
use fcs_service::grpc::Deadline;
use scoring_gateway::app::port::{ModelPort, SignedManifest};
use scoring_gateway::app::traffic::PinnedModel;
use tokio::sync::Semaphore;

use super::package;

/// Versions 1, 2 and rules are good; "forged" is signed by a stranger.
pub(crate) struct FakeModels {
    pub(crate) is_up: AtomicBool,
    /// A score takes one permit and gives it back; without permits it hangs.
    pub(crate) gate: Semaphore,
    /// Scores asked for.
    pub(crate) scores: AtomicUsize,
    loaded: Mutex<BTreeSet<ModelVersion>>,
    packages: BTreeMap<ModelVersion, SignedManifest>,
}

impl Default for FakeModels {
    fn default() -> Self {
        let packages = BTreeMap::from([
            (package::version("1"), package::signed("1")),
            (package::version("2"), package::signed("2")),
            (package::version("rules"), package::signed("rules")),
            (package::version("forged"), package::forged("forged")),
            (package::version("renamed"), package::signed("1")),
        ]);
        Self {
            is_up: AtomicBool::new(true),
            gate: Semaphore::new(1_000),
            scores: AtomicUsize::new(0),
            loaded: Mutex::default(),
            packages,
        }
    }
}

impl FakeModels {
    /// As if it had been restarted.
    pub(crate) fn unload(&self) {
        self.loaded.lock().unwrap().clear();
    }

    pub(crate) fn stop(&self) {
        self.is_up.store(false, Ordering::SeqCst);
        self.unload();
    }

    fn answer(&self) -> Result<(), ApiError> {
        let down = ApiError::new(
            ErrorCode::Unavailable,
            "PEER_UNAVAILABLE",
            "connection refused",
        );
        if self.is_up.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err(down)
        }
    }

    fn is_loaded(&self, model: &ModelVersion) -> Result<(), ApiError> {
        let missing = || ApiError::not_found("MODEL_NOT_LOADED", "not loaded");
        self.loaded
            .lock()
            .unwrap()
            .contains(model)
            .then_some(())
            .ok_or_else(missing)
    }
}

#[async_trait]
impl ModelPort for FakeModels {
    async fn load(&self, model: &ModelVersion, _digest: Option<Digest>) -> Result<(), ApiError> {
        self.answer()?;
        if !self.packages.contains_key(model) {
            return Err(ApiError::not_found(
                "MODEL_NOT_FOUND",
                format!("there is no model {model}"),
            ));
        }
        self.loaded.lock().unwrap().insert(model.clone());
        Ok(())
    }

    async fn manifest(
        &self,
        model: &ModelVersion,
        _digest: Option<Digest>,
    ) -> Result<SignedManifest, ApiError> {
        self.answer()?;
        self.is_loaded(model)?;
        Ok(self.packages[model].clone())
    }

    async fn score(
        &self,
        model: &PinnedModel,
        row: &[f64],
        _deadline: Deadline,
    ) -> Result<ModelOutput, ApiError> {
        self.answer()?;
        self.is_loaded(&model.version)?;
        self.scores.fetch_add(1, Ordering::SeqCst);
        let _permit = self.gate.acquire().await.expect("the gate is never closed");
        Ok(output(row))
    }

    async fn ping(&self) -> Result<(), ApiError> {
        self.answer()
    }
}

/// A linear model, whose Shapley values are its terms.
pub(crate) fn output(row: &[f64]) -> ModelOutput {
    let delinquencies = if row[1].is_nan() { 0.0 } else { row[1] };
    let contributions = vec![
        (50_000.0 - row[0]) / 25_000.0,
        delinquencies * 0.5,
        row[2] * 0.5 - 0.25,
    ];
    let base_margin = -3.25;
    let margin = base_margin + contributions.iter().sum::<f64>();
    let probability = Probability::try_from(1.0 / (1.0 + (-margin).exp())).unwrap();
    ModelOutput {
        margin,
        probability,
        base_margin,
        contributions,
    }
}
