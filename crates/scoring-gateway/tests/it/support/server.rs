//! The real service on free ports, a model server over gRPC, and clients.

use std::net::SocketAddr;
use std::sync::Arc;

use fcs_core::{ApiError, ModelVersion};
use fcs_decision::decision::ModelOutput;
use fcs_proto::model::v1::model_service_server::{ModelService, ModelServiceServer};
use fcs_proto::model::v1::{
    GetModelRequest, GetModelResponse, ListModelsRequest, ListModelsResponse, LoadModelRequest,
    LoadModelResponse, ModelRef, RowOutcome, RowScore, ScoreBatchRequest, ScoreBatchResponse,
    ScoreRequest, ScoreResponse, ScoreStreamRequest, ScoreStreamResponse, UnloadModelRequest,
    UnloadModelResponse, row_outcome,
};
use fcs_service::grpc::{Deadline, status};
use fcs_service::{Running, Settings, Shared, launch};
use futures::future::try_join_all;
use scoring_gateway::Gateway;
use scoring_gateway::app::port::ModelPort as _;
use scoring_gateway::app::traffic::PinnedModel;
use scoring_gateway::settings::{GatewaySettings, PrivacySettings};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use super::models::FakeModels;
use super::package;

/// A running gateway with its model server.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) models: Arc<FakeModels>,
    pub(crate) channel: Channel,
    _folder: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(async |_| {}).await
    }

    /// A gateway whose settings were seen, and perhaps changed, before it started.
    pub(crate) async fn with(prepare: impl AsyncFnOnce(&mut Settings<GatewaySettings>)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let models = Arc::new(FakeModels::default());
        let trust_policy = folder.path().join("trust.toml");
        std::fs::write(&trust_policy, package::trust_policy()).unwrap();
        let key_file = folder.path().join("keys.toml");
        std::fs::write(&key_file, super::gateway::KEY_FILE).unwrap();
        let own = GatewaySettings {
            privacy: PrivacySettings {
                key_file: Some(key_file),
            },
            model_server_url: format!("http://{}", serve_models(Arc::clone(&models)).await),
            trust_policy,
            notice: super::gateway::notices(),
            ..GatewaySettings::default()
        };
        let mut settings = Settings::embedded(folder.path(), own);
        prepare(&mut settings).await;
        // On the heap it does not grow the future of every test.
        let running = Box::pin(launch::<Gateway>(settings, &Shared::silent()))
            .await
            .unwrap();
        let channel = fcs_service::grpc::channel(&format!("http://{}", running.http)).unwrap();
        Self {
            running,
            models,
            channel,
            _folder: folder,
        }
    }

    /// One HTTP request on a connection of its own.
    pub(crate) async fn http(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Answer {
        http(self.running.http, method, path, headers, body).await
    }

    /// The same without a content type.
    pub(crate) async fn raw_post(&self, path: &str, headers: &str, body: &[u8]) -> Answer {
        send(self.running.http, &format!("POST {path}"), headers, body).await
    }
}

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) async fn http(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Answer {
    let headers = format!("content-type: application/json\r\n{headers}");
    send(to, &format!("{method} {path}"), &headers, body).await
}

async fn send(to: SocketAddr, line: &str, headers: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let mut answer = Vec::new();
    // A body that is too long is refused before its end, and the rest of it is not taken.
    let (_, read) = tokio::join!(to.write_all(body), from.read_to_end(&mut answer));
    if answer.is_empty() {
        read.unwrap();
    }
    let split = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..split].to_vec())
        .unwrap()
        .to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head,
        body: answer[split + 4..].to_vec(),
    }
}

pub(crate) async fn serve_models(models: Arc<FakeModels>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server =
        tonic::transport::Server::builder().add_service(ModelServiceServer::new(Models(models)));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

struct Models(Arc<FakeModels>);

fn pinned(model: Option<ModelRef>) -> PinnedModel {
    let model = model.unwrap();
    let manifest_digest = match model.manifest_digest.as_str() {
        "" => package::digest(&model.version),
        text => text.parse().unwrap(),
    };
    PinnedModel {
        version: ModelVersion::new(&model.name, &model.version).unwrap(),
        manifest_digest,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "map_err hands it over by value"
)]
fn refusal(error: ApiError) -> Status {
    status(&error)
}

fn outcome(output: ModelOutput) -> RowOutcome {
    let score = RowScore {
        margin: output.margin,
        probability: output.probability.get(),
        base_margin: output.base_margin,
        contributions: output.contributions,
        family_contributions: Vec::new(),
    };
    RowOutcome {
        outcome: Some(row_outcome::Outcome::Score(score)),
    }
}

#[async_trait::async_trait]
impl ModelService for Models {
    async fn list_models(
        &self,
        _request: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        self.0.ping().await.map_err(refusal)?;
        Ok(Response::new(ListModelsResponse { models: vec![] }))
    }

    async fn get_model(
        &self,
        request: Request<GetModelRequest>,
    ) -> Result<Response<GetModelResponse>, Status> {
        let model = request.into_inner().model;
        let signed = self
            .0
            .manifest(&pinned(model.clone()).version, None)
            .await
            .map_err(refusal)?;
        // As a server of an earlier release answers, which names one signature only.
        let [first] = <[_; 1]>::try_from(signed.signatures).unwrap();
        Ok(Response::new(GetModelResponse {
            model,
            manifest: signed.manifest,
            signature: first.signature.to_vec(),
            key_id: first.key_id,
            signatures: Vec::new(),
        }))
    }

    async fn load_model(
        &self,
        request: Request<LoadModelRequest>,
    ) -> Result<Response<LoadModelResponse>, Status> {
        let model = request.into_inner().model;
        self.0
            .load(&pinned(model.clone()).version, None)
            .await
            .map_err(refusal)?;
        Ok(Response::new(LoadModelResponse { model }))
    }

    async fn score_batch(
        &self,
        request: Request<ScoreBatchRequest>,
    ) -> Result<Response<ScoreBatchResponse>, Status> {
        let deadline =
            Deadline::from_metadata(request.metadata(), std::time::Duration::from_mins(1));
        assert!(
            deadline.remaining() <= std::time::Duration::from_secs(30),
            "the deadline travels"
        );
        let ScoreBatchRequest {
            model,
            rows,
            explain,
        } = request.into_inner();
        assert!(explain);
        let model = pinned(model);
        let scores = rows
            .iter()
            .map(|row| self.0.score(&model, &row.values, deadline));
        let outputs = try_join_all(scores).await.map_err(refusal)?;
        let model = ModelRef {
            name: model.version.name().to_owned(),
            version: model.version.version().to_owned(),
            manifest_digest: model.manifest_digest.to_string(),
        };
        Ok(Response::new(ScoreBatchResponse {
            model: Some(model),
            rows: outputs.into_iter().map(outcome).collect(),
        }))
    }

    // The gateway calls none of these.

    async fn unload_model(
        &self,
        _request: Request<UnloadModelRequest>,
    ) -> Result<Response<UnloadModelResponse>, Status> {
        Err(Status::unimplemented("no unloading here"))
    }

    async fn score(
        &self,
        _request: Request<ScoreRequest>,
    ) -> Result<Response<ScoreResponse>, Status> {
        Err(Status::unimplemented("no scores without outcomes here"))
    }

    type ScoreStreamStream = tokio_stream::Empty<Result<ScoreStreamResponse, Status>>;

    async fn score_stream(
        &self,
        _request: Request<Streaming<ScoreStreamRequest>>,
    ) -> Result<Response<Self::ScoreStreamStream>, Status> {
        Err(Status::unimplemented("no streams here"))
    }
}
