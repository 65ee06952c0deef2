//! A model server that passes every call on to the real one, and spoils some rows of some models.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use fcs_proto::model::v1 as wire;
use fcs_proto::model::v1::model_service_client::ModelServiceClient;
use fcs_proto::model::v1::model_service_server::{ModelService, ModelServiceServer};
use fcs_service::grpc::channel;
use futures::stream::BoxStream;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status, Streaming};

/// What happens to rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// One row of so many fails.
    Error(u64),
    /// One row of so many takes so long, and the rows that came in one call with it.
    Slow(u64, Duration),
}

/// The server; it ends with the value.
pub(crate) struct FaultyModels {
    pub(crate) url: String,
    shared: Shared,
    _server: JoinSet<()>,
}

#[derive(Clone, Default)]
struct Shared {
    upstream: Arc<OnceLock<String>>,
    channel: Arc<OnceLock<Channel>>,
    faults: Arc<Mutex<BTreeMap<String, Fault>>>,
    rows: Arc<AtomicU64>,
}

impl FaultyModels {
    /// Listens; calls wait for nothing and fail until [`FaultyModels::pass_on_to`] names the real server.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared::default();
        let service = ModelServiceServer::new(shared.clone());
        let mut server = JoinSet::new();
        server.spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            let server = Server::builder().add_service(service);
            server.serve_with_incoming(incoming).await.unwrap();
        });
        Self {
            url,
            shared,
            _server: server,
        }
    }

    /// How a service's start tells where the real server is.
    pub(crate) fn pass_on_to(&self) -> impl Fn(&str) + 'static {
        let upstream = Arc::clone(&self.shared.upstream);
        move |url| {
            upstream.get_or_init(|| url.to_owned());
        }
    }

    /// Spoils rows of a model from now on.
    pub(crate) fn spoil(&self, model: &str, fault: Fault) {
        let mut faults = self.shared.faults.lock().unwrap();
        faults.insert(model.to_owned(), fault);
    }

    /// Spoils nothing any more.
    pub(crate) fn mend(&self) {
        self.shared.faults.lock().unwrap().clear();
    }
}

impl Shared {
    fn client(&self) -> Result<ModelServiceClient<Channel>, Status> {
        let none = || Status::unavailable("no real server is named yet");
        let url = self.upstream.get().ok_or_else(none)?;
        let channel = self.channel.get_or_init(|| channel(url).unwrap());
        Ok(ModelServiceClient::new(channel.clone()))
    }

    fn fault(&self, model: Option<&wire::ModelRef>) -> Option<Fault> {
        let model = model.map(|it| format!("{}/{}", it.name, it.version));
        self.faults.lock().unwrap().get(&model?).copied()
    }

    /// Whether it is the turn of one row of so many.
    fn is_hit(&self, of: u64) -> bool {
        self.rows.fetch_add(1, Ordering::SeqCst) % of == of - 1
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl ModelService for Shared {
    type ScoreStreamStream = BoxStream<'static, Result<wire::ScoreStreamResponse, Status>>;

    async fn list_models(
        &self,
        request: Request<wire::ListModelsRequest>,
    ) -> Answer<wire::ListModelsResponse> {
        self.client()?.list_models(request).await
    }

    async fn get_model(
        &self,
        request: Request<wire::GetModelRequest>,
    ) -> Answer<wire::GetModelResponse> {
        self.client()?.get_model(request).await
    }

    async fn load_model(
        &self,
        request: Request<wire::LoadModelRequest>,
    ) -> Answer<wire::LoadModelResponse> {
        self.client()?.load_model(request).await
    }

    async fn score(&self, request: Request<wire::ScoreRequest>) -> Answer<wire::ScoreResponse> {
        self.client()?.score(request).await
    }

    /// What the gateway asks for decisions.
    async fn score_batch(
        &self,
        request: Request<wire::ScoreBatchRequest>,
    ) -> Answer<wire::ScoreBatchResponse> {
        let fault = self.fault(request.get_ref().model.as_ref());
        let mut answer = self.client()?.score_batch(request).await?;
        for row in &mut answer.get_mut().rows {
            match fault {
                Some(Fault::Error(of)) if self.is_hit(of) => {
                    let error = wire::RowError {
                        code: Code::Internal.into(),
                        reason: "SPOILED".to_owned(),
                        message: "a test spoiled this row".to_owned(),
                    };
                    row.outcome = Some(wire::row_outcome::Outcome::Error(error));
                }
                Some(Fault::Slow(of, time)) if self.is_hit(of) => tokio::time::sleep(time).await,
                _ => {}
            }
        }
        Ok(answer)
    }

    async fn score_stream(
        &self,
        _: Request<Streaming<wire::ScoreStreamRequest>>,
    ) -> Answer<Self::ScoreStreamStream> {
        Err(Status::unimplemented("the gateway does not ask for it"))
    }

    async fn unload_model(
        &self,
        request: Request<wire::UnloadModelRequest>,
    ) -> Answer<wire::UnloadModelResponse> {
        self.client()?.unload_model(request).await
    }
}
