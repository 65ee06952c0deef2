//! The gRPC face: parse, call the application, convert.

use std::sync::Arc;
use std::time::Instant;

use fcs_core::{ApiError, Digest, ErrorCode, ModelVersion, Violation};
use fcs_decision::trust::DetachedSignature;
use fcs_proto::model::v1::model_service_server::ModelService;
use fcs_proto::model::v1::{
    DetachedSignature as WireSignature, GetModelRequest, GetModelResponse, ListModelsRequest,
    ListModelsResponse, LoadModelRequest, LoadModelResponse, ModelRef, ModelState as WireState,
    ModelStatus, RowScore as WireScore, ScoreRequest, ScoreResponse,
};
use fcs_service::grpc::status;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use crate::app::models::{ModelState, Models};
use crate::app::package::LoadedModel;
use crate::app::score::{self, RowScore, ScoreCommand};
use crate::metrics::Metrics;

/// Largest distance between base plus contributions and the margin that may leave the server.
const ADDITIVITY_TOLERANCE: f64 = 1e-9;

/// Serves `faircredit.model.v1.ModelService`.
pub(crate) struct Grpc {
    /// The models in memory.
    pub(crate) models: Arc<Models>,
    /// The metrics.
    pub(crate) metrics: Arc<Metrics>,
    /// One permit per request that computes.
    pub(crate) permits: Arc<Semaphore>,
}

#[tonic::async_trait]
impl ModelService for Grpc {
    async fn list_models(
        &self,
        _request: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        let models = Arc::clone(&self.models);
        let listed = blocking(move || models.list())
            .await?
            .map_err(|error| status(&error))?;
        let models = listed
            .into_iter()
            .map(|(model, state)| model_status(&model, state))
            .collect();
        Ok(Response::new(ListModelsResponse { models }))
    }

    async fn get_model(
        &self,
        request: Request<GetModelRequest>,
    ) -> Result<Response<GetModelResponse>, Status> {
        let (model, _) = parse_model(request.into_inner().model).map_err(|error| status(&error))?;
        let loaded = self
            .models
            .get(&model)
            .ok_or_else(|| status(&score::not_loaded(&model)))?;
        Ok(Response::new(GetModelResponse {
            model: Some(model_ref(&loaded)),
            manifest: loaded.manifest_bytes.clone(),
            signature: loaded.signatures[0].signature.to_vec(),
            key_id: loaded.signatures[0].key_id.clone(),
            signatures: loaded.signatures.iter().map(wire_signature).collect(),
        }))
    }

    async fn load_model(
        &self,
        request: Request<LoadModelRequest>,
    ) -> Result<Response<LoadModelResponse>, Status> {
        let (model, digest) =
            parse_model(request.into_inner().model).map_err(|error| status(&error))?;
        let models = Arc::clone(&self.models);
        let loaded = blocking(move || models.load(&model))
            .await?
            .map_err(|error| {
                self.metrics.models_refused.inc();
                status(&error)
            })?;
        self.metrics
            .models_loaded
            .set(i64::try_from(self.models.loaded_count()).unwrap_or(i64::MAX));
        if digest.is_some_and(|digest| digest != loaded.manifest.digest()) {
            return Err(status(&ApiError::new(
                ErrorCode::FailedPrecondition,
                "MODEL_DIGEST_MISMATCH",
                format!(
                    "the registry's {} has another manifest digest",
                    loaded.version()
                ),
            )));
        }
        Ok(Response::new(LoadModelResponse {
            model: Some(model_ref(&loaded)),
        }))
    }

    async fn score(
        &self,
        request: Request<ScoreRequest>,
    ) -> Result<Response<ScoreResponse>, Status> {
        let command = parse_score(request.into_inner()).map_err(|error| status(&error))?;
        let model = score::prepare(&self.models, &command).map_err(|error| status(&error))?;
        // The permit belongs to the computation, which goes on when the caller has gone.
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| shutting_down())?;
        let reference = model_ref(&model);
        let base_margin = model.attributor.base_margin();
        let explain = command.explain;
        let start = Instant::now();
        let scores = blocking(move || {
            let _permit = permit;
            score::score(&model, &command)
        })
        .await?;
        self.metrics
            .compute_seconds
            .observe(start.elapsed().as_secs_f64());
        self.metrics.rows.inc_by(scores.len() as u64);
        if explain {
            self.check_additivity(base_margin, &scores)?;
        }
        let base_margin = if explain { base_margin } else { 0.0 };
        let rows = scores
            .into_iter()
            .map(|score| wire_score(score, base_margin))
            .collect();
        Ok(Response::new(ScoreResponse {
            model: Some(reference),
            rows,
        }))
    }
}

impl Grpc {
    /// Attributions that do not add up never leave the server.
    fn check_additivity(&self, base_margin: f64, scores: &[RowScore]) -> Result<(), Status> {
        let error = |score: &RowScore| {
            (base_margin + score.contributions.iter().sum::<f64>() - score.margin).abs()
        };
        let worst = scores.iter().map(error).fold(0.0, f64::max);
        let is_wrong = |score: &RowScore| !matches!(error(score), 0.0..=ADDITIVITY_TOLERANCE);
        if worst > self.metrics.additivity_error_max.get() {
            self.metrics.additivity_error_max.set(worst);
        }
        if scores.iter().any(is_wrong) {
            tracing::error!(worst, "attributions do not add up to the margin");
            return Err(status(&ApiError::new(
                ErrorCode::Internal,
                "ATTRIBUTIONS_NOT_ADDITIVE",
                "the attributions do not add up to the margin",
            )));
        }
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "computing failed");
        status(&ApiError::new(
            ErrorCode::Internal,
            "COMPUTING_FAILED",
            "the computation failed",
        ))
    })
}

fn shutting_down() -> Status {
    status(&ApiError::new(
        ErrorCode::Unavailable,
        "SHUTTING_DOWN",
        "the server is shutting down",
    ))
}

fn parse_model(model: Option<ModelRef>) -> Result<(ModelVersion, Option<Digest>), ApiError> {
    let model = model.unwrap_or_default();
    let invalid = |pointer: &str, description: String| {
        let violation = Violation {
            pointer: pointer.into(),
            reason: "MODEL_REF_INVALID",
            description,
        };
        ApiError::invalid(
            "MODEL_REF_INVALID",
            "the model reference is malformed",
            vec![violation],
        )
    };
    let version = ModelVersion::new(&model.name, &model.version)
        .map_err(|error| invalid("/model", error.to_string()))?;
    if model.manifest_digest.is_empty() {
        return Ok((version, None));
    }
    let digest = model.manifest_digest.parse();
    let digest = digest.map_err(|error| invalid("/model/manifest_digest", format!("{error}")))?;
    Ok((version, Some(digest)))
}

fn parse_score(request: ScoreRequest) -> Result<ScoreCommand, ApiError> {
    let (model, manifest_digest) = parse_model(request.model)?;
    let rows = request.rows.into_iter().map(|row| row.values).collect();
    Ok(ScoreCommand {
        model,
        manifest_digest,
        rows,
        explain: request.explain,
    })
}

fn model_ref(model: &LoadedModel) -> ModelRef {
    wire_ref(model.version(), model.manifest.digest().to_string())
}

fn wire_ref(model: &ModelVersion, manifest_digest: String) -> ModelRef {
    ModelRef {
        name: model.name().into(),
        version: model.version().into(),
        manifest_digest,
    }
}

fn wire_signature(signature: &DetachedSignature) -> WireSignature {
    WireSignature {
        key_id: signature.key_id.clone(),
        signature: signature.signature.to_vec(),
    }
}

fn wire_score(score: RowScore, base_margin: f64) -> WireScore {
    WireScore {
        margin: score.margin,
        probability: score.probability,
        base_margin,
        contributions: score.contributions,
    }
}

fn model_status(model: &ModelVersion, state: ModelState) -> ModelStatus {
    let (state, digest, reason) = match state {
        ModelState::Available => (WireState::Available, String::new(), String::new()),
        ModelState::Loaded(digest) => (WireState::Loaded, digest.to_string(), String::new()),
        ModelState::Refused(reason) => (WireState::Refused, String::new(), reason),
    };
    ModelStatus {
        model: Some(wire_ref(model, digest)),
        state: state.into(),
        reason,
    }
}
