//! The model server over gRPC.

use std::time::Duration;

use async_trait::async_trait;
use fcs_core::{ApiError, Digest, ErrorCode, ModelVersion, Probability};
use fcs_decision::decision::ModelOutput;
use fcs_decision::trust::DetachedSignature;
use fcs_proto::model::v1::model_service_client::ModelServiceClient;
use fcs_proto::model::v1::{
    DetachedSignature as WireSignature, GetModelRequest, ListModelsRequest, LoadModelRequest, Row,
    RowError, RowScore, ScoreBatchRequest, row_outcome,
};
use fcs_service::grpc::{Deadline, again_unless_begun, api_error, interned, request};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::convert::model_ref;
use crate::app::port::{ModelPort, SignedManifest};
use crate::app::traffic::PinnedModel;

/// Verifying a package computes its golden rows; a large model takes a while.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);
const MANIFEST_TIMEOUT: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// A client of the model server. Cloning shares its connection.
#[derive(Debug, Clone)]
pub(crate) struct ModelClient(ModelServiceClient<Channel>);

impl ModelClient {
    /// A client of the server at the other end.
    pub(crate) fn over(channel: Channel) -> Self {
        Self(ModelServiceClient::new(channel))
    }

    /// Scores rows with attributions in one call; each has its own outcome.
    pub(super) async fn score_rows(
        &self,
        model: &PinnedModel,
        rows: &[Vec<f64>],
        deadline: Deadline,
    ) -> Result<RowOutputs, ApiError> {
        let row = |values: &Vec<f64>| Row {
            values: values.clone(),
        };
        let message = ScoreBatchRequest {
            model: Some(model_ref(&model.version, Some(model.manifest_digest))),
            rows: rows.iter().map(row).collect(),
            explain: true,
        };
        let call = again_unless_begun(|| {
            let (mut client, message) = (self.0.clone(), message.clone());
            async move { client.score_batch(request(message, deadline)).await }
        });
        let answer = deadline.run(call).await?.map_err(failure)?.into_inner();
        let scored_by = answer.model.map(|model| model.manifest_digest);
        if scored_by != Some(model.manifest_digest.to_string()) {
            return Err(malformed("scores of the model that was asked for"));
        }
        if answer.rows.len() != rows.len() {
            return Err(malformed("one outcome for each row"));
        }
        let outcomes = answer.rows.into_iter().map(|row| match row.outcome {
            Some(row_outcome::Outcome::Score(score)) => output(score),
            Some(row_outcome::Outcome::Error(error)) => Err(row_failure(error)),
            None => Err(malformed("an outcome of each row")),
        });
        Ok(outcomes.collect())
    }
}

/// One outcome per row.
pub(super) type RowOutputs = Vec<Result<ModelOutput, ApiError>>;

#[async_trait]
impl ModelPort for ModelClient {
    async fn load(&self, model: &ModelVersion, digest: Option<Digest>) -> Result<(), ApiError> {
        let deadline = Deadline::after(LOAD_TIMEOUT);
        let message = LoadModelRequest {
            model: Some(model_ref(model, digest)),
        };
        let call = again_unless_begun(|| {
            let (mut client, message) = (self.0.clone(), message.clone());
            async move { client.load_model(request(message, deadline)).await }
        });
        deadline.run(call).await?.map(drop).map_err(failure)
    }

    async fn manifest(
        &self,
        model: &ModelVersion,
        digest: Option<Digest>,
    ) -> Result<SignedManifest, ApiError> {
        let deadline = Deadline::after(MANIFEST_TIMEOUT);
        let message = GetModelRequest {
            model: Some(model_ref(model, digest)),
        };
        let call = again_unless_begun(|| {
            let (mut client, message) = (self.0.clone(), message.clone());
            async move { client.get_model(request(message, deadline)).await }
        });
        let answer = deadline.run(call).await?.map_err(failure)?.into_inner();
        let mut signatures = answer.signatures;
        if signatures.is_empty() {
            // A model server of an earlier release names one signature only.
            signatures.push(WireSignature {
                key_id: answer.key_id,
                signature: answer.signature,
            });
        }
        Ok(SignedManifest {
            manifest: answer.manifest,
            signatures: signatures
                .into_iter()
                .map(detached_signature)
                .collect::<Result<_, _>>()?,
        })
    }

    async fn score(
        &self,
        model: &PinnedModel,
        row: &[f64],
        deadline: Deadline,
    ) -> Result<ModelOutput, ApiError> {
        let rows = self.score_rows(model, &[row.to_vec()], deadline).await?;
        let one = <[_; 1]>::try_from(rows).map_err(|_| malformed("one outcome for each row"))?;
        let [output] = one;
        output
    }

    async fn ping(&self) -> Result<(), ApiError> {
        let deadline = Deadline::after(PING_TIMEOUT);
        let mut client = self.0.clone();
        let call = client.list_models(request(ListModelsRequest {}, deadline));
        deadline.run(call).await?.map(drop).map_err(failure)
    }
}

fn output(score: RowScore) -> Result<ModelOutput, ApiError> {
    let probability =
        Probability::try_from(score.probability).map_err(|_| malformed("a probability"))?;
    Ok(ModelOutput {
        margin: score.margin,
        probability,
        base_margin: score.base_margin,
        contributions: score.contributions,
    })
}

fn row_failure(error: RowError) -> ApiError {
    let status = Status::new(Code::from_i32(error.code), error.message);
    ApiError {
        reason: interned(&error.reason),
        ..api_error(&status)
    }
}

fn detached_signature(signature: WireSignature) -> Result<DetachedSignature, ApiError> {
    Ok(DetachedSignature {
        key_id: signature.key_id,
        signature: signature
            .signature
            .try_into()
            .map_err(|_| malformed("a signature of 64 bytes"))?,
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "map_err hands it over by value"
)]
fn failure(status: Status) -> ApiError {
    api_error(&status)
}

fn malformed(expected: &str) -> ApiError {
    let message = format!("the model server did not answer with {expected}");
    ApiError::new(
        ErrorCode::Internal,
        "MODEL_SERVER_ANSWER_MALFORMED",
        message,
    )
}
