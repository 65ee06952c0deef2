//! The server under test, and the model to ask it with.

use anyhow::Context as _;
use fcs_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use fcs_proto::inference::model_metadata_response::TensorMetadata;
use fcs_proto::inference::{
    ModelConfigRequest, ModelMetadataRequest, ModelMetadataResponse, RepositoryIndexRequest,
};
use fcs_service::grpc::{channel, channel_with};
use fcs_service::tls::ClientTls;
use tonic::transport::Channel;

use super::ANSWER_LIMIT;
use super::request::fits;
use crate::cli::ConformanceArguments;
use crate::exit::CliError;

/// Answers may be as large as clients of the protocol allow.
const MESSAGE_BYTES_MAX: usize = (1 << 31) - 1;
/// The property of our metadata that names outputs which come only when asked for.
const ON_REQUEST: &str = "outputs_on_request";

/// A server and one of its models.
pub(super) struct Target {
    /// The connection, for services beside the protocol.
    pub(super) channel: Channel,
    /// The protocol.
    pub(super) client: GrpcInferenceServiceClient<Channel>,
    /// The model's metadata.
    pub(super) metadata: ModelMetadataResponse,
    /// Most rows of a request, when the server tells.
    pub(super) batch_max: Option<i64>,
}

impl Target {
    /// Connects and reads the metadata of the model that was named, or of the first that is ready.
    pub(super) async fn discover(
        arguments: &ConformanceArguments,
        tls: Option<&ClientTls>,
    ) -> anyhow::Result<Self> {
        let channel = match tls {
            Some(tls) => channel_with(&format!("https://{}", arguments.target), tls)?,
            None => channel(&format!("http://{}", arguments.target))?,
        };
        let mut client = GrpcInferenceServiceClient::new(channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let name = match &arguments.model {
            Some(name) => name.clone(),
            None => first_ready(&mut client).await?,
        };
        let mut request = tonic::Request::new(ModelMetadataRequest {
            name: name.clone(),
            version: String::new(),
        });
        request.set_timeout(ANSWER_LIMIT);
        let metadata = client
            .model_metadata(request)
            .await
            .with_context(|| format!("read the metadata of the model {name:?}"))?
            .into_inner();
        if !fits(&metadata, 1) {
            let message = format!("the inputs of the model {name:?} are too large to be sent");
            return Err(CliError::Verification(message).into());
        }
        let mut request = tonic::Request::new(ModelConfigRequest {
            name,
            version: String::new(),
        });
        request.set_timeout(ANSWER_LIMIT);
        let config = client.model_config(request).await;
        let batch_max = config
            .ok()
            .and_then(|answer| answer.into_inner().config)
            .map(|config| i64::from(config.max_batch_size))
            .filter(|size| *size > 0);
        Ok(Self {
            channel,
            client,
            metadata,
            batch_max,
        })
    }

    /// The outputs that come without being asked for.
    pub(super) fn default_outputs(&self) -> Vec<&str> {
        let on_request = self.metadata.properties.get(ON_REQUEST);
        let on_request: Vec<&str> = on_request.map_or("", String::as_str).split(',').collect();
        self.metadata
            .outputs
            .iter()
            .map(|output| output.name.as_str())
            .filter(|name| !on_request.contains(name))
            .collect()
    }

    /// Whether every input and output has rows as its first dimension.
    pub(super) fn has_batches(&self) -> bool {
        let has_rows = |tensor: &TensorMetadata| tensor.shape.first() == Some(&-1);
        self.metadata.inputs.iter().all(has_rows) && self.metadata.outputs.iter().all(has_rows)
    }
}

async fn first_ready(client: &mut GrpcInferenceServiceClient<Channel>) -> anyhow::Result<String> {
    let mut request = tonic::Request::new(RepositoryIndexRequest {
        repository_name: String::new(),
        ready: true,
    });
    request.set_timeout(ANSWER_LIMIT);
    let index = client
        .repository_index(request)
        .await
        .context("list the models of the server; name one with --model")?;
    let ready = index
        .into_inner()
        .models
        .into_iter()
        .find(|model| model.state.is_empty() || model.state == "READY");
    let ready = ready.ok_or_else(|| {
        CliError::NotFound(
            "no model is ready on the server; load one, or name it with --model".into(),
        )
    })?;
    Ok(ready.name)
}
