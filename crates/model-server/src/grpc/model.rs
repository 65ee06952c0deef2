//! `faircredit.model.v1.ModelService`: parse, call the application, convert.

use std::sync::Arc;

use fcs_core::{ApiError, Digest, ErrorCode, ModelVersion, Violation};
use fcs_decision::trust::DetachedSignature;
use fcs_proto::model::v1::model_service_server::ModelService;
use fcs_proto::model::v1::{
    DetachedSignature as WireSignature, FamilyContribution, GetModelRequest, GetModelResponse,
    ListModelsRequest, ListModelsResponse, LoadModelRequest, LoadModelResponse, ModelRef,
    ModelState as WireState, ModelStatus, Row, RowError, RowOutcome, RowScore as WireScore,
    ScoreBatchRequest, ScoreBatchResponse, ScoreRequest, ScoreResponse, ScoreStreamRequest,
    ScoreStreamResponse, UnloadModelRequest, UnloadModelResponse, row_outcome,
    score_stream_response,
};
use fcs_service::grpc::{Deadline, status};
use futures::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::{DEADLINE_MAX, MessageDeadlines, deadline, stream};
use crate::app::lifecycle::Lifecycle;
use crate::app::models::{ModelState, Models};
use crate::app::package::LoadedModel;
use crate::app::score::{self, Batch, RowScore};
use crate::app::scorer::Scorer;

/// Bytes of the identifier of a request of a stream.
const STREAM_ID_BYTES_MAX: usize = 128;

/// Serves `faircredit.model.v1.ModelService`. Cloning shares everything.
#[derive(Clone)]
pub(crate) struct Grpc {
    /// The models in memory.
    pub(crate) models: Arc<Models>,
    /// What loads them.
    pub(crate) lifecycle: Arc<Lifecycle>,
    /// What scores with them.
    pub(crate) scorer: Arc<Scorer>,
    /// Streams end when it is cancelled.
    pub(crate) draining: CancellationToken,
}

#[tonic::async_trait]
impl ModelService for Grpc {
    async fn list_models(
        &self,
        _request: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        let listed = self
            .lifecycle
            .list()
            .await
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
        let served = self
            .models
            .get(&model)
            .ok_or_else(|| status(&score::not_loaded(&model)))?;
        let loaded = &served.model;
        Ok(Response::new(GetModelResponse {
            model: Some(model_ref(loaded)),
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
        let loading = self.lifecycle.load(model, digest).await;
        let loaded = loading.map_err(|error| status(&error))?;
        Ok(Response::new(LoadModelResponse {
            model: Some(model_ref(&loaded)),
        }))
    }

    async fn unload_model(
        &self,
        request: Request<UnloadModelRequest>,
    ) -> Result<Response<UnloadModelResponse>, Status> {
        let unload = |request: UnloadModelRequest| {
            let (model, digest) = parse_model(request.model)?;
            if let (Some(digest), Some(_)) = (digest, self.models.get(&model)) {
                score::find(&self.models, &model, Some(digest))?;
            }
            self.lifecycle.unload(&model)?;
            Ok(wire_ref(&model, String::new()))
        };
        let model = unload(request.into_inner()).map_err(|error: ApiError| status(&error))?;
        Ok(Response::new(UnloadModelResponse { model: Some(model) }))
    }

    async fn score(
        &self,
        request: Request<ScoreRequest>,
    ) -> Result<Response<ScoreResponse>, Status> {
        let deadline = deadline(&request);
        let answer = self.score_all(request.into_inner(), deadline).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    async fn score_batch(
        &self,
        request: Request<ScoreBatchRequest>,
    ) -> Result<Response<ScoreBatchResponse>, Status> {
        let deadline = deadline(&request);
        let answer = self.score_each(request.into_inner(), deadline).await;
        answer.map(Response::new).map_err(|error| status(&error))
    }

    type ScoreStreamStream = BoxStream<'static, Result<ScoreStreamResponse, Status>>;

    async fn score_stream(
        &self,
        request: Request<Streaming<ScoreStreamRequest>>,
    ) -> Result<Response<Self::ScoreStreamStream>, Status> {
        let deadlines = MessageDeadlines::of(&request);
        let grpc = self.clone();
        let answer = move |request| {
            let grpc = grpc.clone();
            async move { grpc.answer(request, deadlines.next(DEADLINE_MAX)).await }
        };
        let draining = self.draining.clone();
        Ok(Response::new(stream::in_order(
            request.into_inner(),
            draining,
            answer,
        )))
    }
}

impl Grpc {
    /// Scores a request as a whole: the first row that fails fails it.
    async fn score_all(
        &self,
        request: ScoreRequest,
        deadline: Deadline,
    ) -> Result<ScoreResponse, ApiError> {
        let (model, digest) = parse_model(request.model)?;
        let served = score::find(&self.models, &model, digest)?;
        let batch = batch(request.rows, request.explain);
        score::check_rows(&batch.rows, served.model.manifest.features.len())?;
        let outcomes = self.scorer.score(&served, batch, deadline).await?;
        let rows = outcomes
            .into_iter()
            .map(|outcome| outcome.map(|score| wire_score(&served.model, score)))
            .collect::<Result<_, _>>()?;
        Ok(ScoreResponse {
            model: Some(model_ref(&served.model)),
            rows,
        })
    }

    /// Scores each row by itself.
    async fn score_each(
        &self,
        request: ScoreBatchRequest,
        deadline: Deadline,
    ) -> Result<ScoreBatchResponse, ApiError> {
        let (model, digest) = parse_model(request.model)?;
        let served = score::find(&self.models, &model, digest)?;
        let batch = batch(request.rows, request.explain);
        score::check_count(batch.rows.len(), 0)?;
        let outcomes = self.scorer.score(&served, batch, deadline).await?;
        let outcome = |outcome: score::RowOutcome| match outcome {
            Ok(score) => row_outcome::Outcome::Score(wire_score(&served.model, score)),
            Err(error) => row_outcome::Outcome::Error(row_error(&error)),
        };
        let rows = outcomes.into_iter().map(|it| RowOutcome {
            outcome: Some(outcome(it)),
        });
        Ok(ScoreBatchResponse {
            model: Some(model_ref(&served.model)),
            rows: rows.collect(),
        })
    }

    /// Answers one request of a stream; what fails it stands in the answer.
    async fn answer(
        &self,
        request: ScoreStreamRequest,
        deadline: Deadline,
    ) -> Result<ScoreStreamResponse, Status> {
        if request.id.len() > STREAM_ID_BYTES_MAX {
            return Err(status(&ApiError::new(
                ErrorCode::InvalidArgument,
                "TEXT_TOO_LONG",
                format!("an id has at most {STREAM_ID_BYTES_MAX} bytes"),
            )));
        }
        let scored = self.score_each(request.batch.unwrap_or_default(), deadline);
        let outcome = match scored.await {
            Ok(batch) => score_stream_response::Outcome::Batch(batch),
            Err(error) => score_stream_response::Outcome::Error(row_error(&error)),
        };
        Ok(ScoreStreamResponse {
            id: request.id,
            outcome: Some(outcome),
        })
    }
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

fn batch(rows: Vec<Row>, explain: bool) -> Batch {
    Batch {
        rows: rows.into_iter().map(|row| row.values).collect(),
        explain,
    }
}

/// A defect's own text stays inside, as in a status.
fn row_error(error: &ApiError) -> RowError {
    let status = status(error);
    let violation = error.violations.first();
    let message = violation.map_or(status.message(), |violation| &violation.description);
    RowError {
        code: status.code().into(),
        reason: violation
            .map_or(error.reason, |violation| violation.reason)
            .into(),
        message: message.to_owned(),
    }
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

/// What belongs to contributions stays empty when there are none.
fn wire_score(model: &LoadedModel, score: RowScore) -> WireScore {
    let base_margin = if score.contributions.is_empty() {
        0.0
    } else {
        model.attributor.base_margin()
    };
    let families = model.manifest.by_family(&score.contributions).into_iter();
    let family_contributions = families.map(|(family, contribution)| FamilyContribution {
        family: family.to_owned(),
        contribution,
    });
    WireScore {
        margin: score.margin,
        probability: score.probability,
        base_margin,
        family_contributions: family_contributions.collect(),
        contributions: score.contributions,
    }
}

fn model_status(model: &ModelVersion, state: ModelState) -> ModelStatus {
    let (state, digest, reason) = match state {
        ModelState::Available | ModelState::Loading => {
            (WireState::Available, String::new(), String::new())
        }
        ModelState::Loaded(digest) => (WireState::Loaded, digest.to_string(), String::new()),
        ModelState::Refused(reason) => (WireState::Refused, String::new(), reason),
    };
    ModelStatus {
        model: Some(wire_ref(model, digest)),
        state: state.into(),
        reason,
    }
}
