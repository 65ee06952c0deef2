//! A scoring gateway in memory, served over real gRPC.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use fcs_proto::model::v1::ModelRef;
use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::feed_service_server::{FeedService, FeedServiceServer};
use fcs_proto::scoring::v1::traffic_service_server::{TrafficService, TrafficServiceServer};
use futures::{Stream, StreamExt as _, stream};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_stream::wrappers::{TcpListenerStream, WatchStream};
use tonic::{Request, Response, Status};

use super::digest_of;

#[derive(Default)]
struct State {
    table: wire::TrafficTable,
    refusal: Option<&'static str>,
}

/// The gateway's state; clones share it.
#[derive(Clone)]
struct FakeGateway {
    state: Arc<Mutex<State>>,
    decisions: watch::Sender<u64>,
}

/// A gateway that is served until it is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    gateway: FakeGateway,
    _server: JoinSet<()>,
}

impl Served {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gateway = FakeGateway {
            state: Arc::default(),
            decisions: watch::Sender::new(0),
        };
        let served = tonic::transport::Server::builder()
            .add_service(FeedServiceServer::new(gateway.clone()))
            .add_service(TrafficServiceServer::new(gateway.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let mut server = JoinSet::new();
        server.spawn(async move { served.await.unwrap() });
        Self {
            address,
            gateway,
            _server: server,
        }
    }

    /// The log now ends at this index.
    pub(crate) fn decide_up_to(&self, index: u64) {
        self.gateway.decisions.send_replace(index);
    }

    /// Refuses tables with this text from now on.
    pub(crate) fn refuse(&self, text: &'static str) {
        self.gateway.state.lock().unwrap().refusal = Some(text);
    }

    /// One model has everything from now on.
    pub(crate) fn force(&self, model: &str, digest: u8) {
        let (name, version) = model.split_once('/').unwrap();
        let arm = wire::TrafficArm {
            name: "stable".to_owned(),
            model: Some(ModelRef {
                name: name.to_owned(),
                version: version.to_owned(),
                manifest_digest: format!("{digest:02x}").repeat(32),
            }),
            weight_basis_points: 10_000,
            ..wire::TrafficArm::default()
        };
        self.gateway.state.lock().unwrap().table = wire::TrafficTable {
            generation: 4,
            salt: "salt".to_owned(),
            arms: vec![arm],
            shadows: None,
        };
    }

    pub(crate) fn table(&self) -> wire::TrafficTable {
        self.gateway.state.lock().unwrap().table.clone()
    }
}

#[tonic::async_trait]
impl FeedService for FakeGateway {
    type SubscribeStream =
        Pin<Box<dyn Stream<Item = Result<wire::SubscribeResponse, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<wire::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let mut sent = request.into_inner().after_index;
        let runs = WatchStream::new(self.decisions.subscribe()).flat_map(move |last| {
            let entries: Vec<_> = (sent + 1..=last).map(entry).collect();
            sent = sent.max(last);
            let run = (!entries.is_empty()).then_some(Ok(wire::SubscribeResponse { entries }));
            stream::iter(run)
        });
        Ok(Response::new(runs.boxed()))
    }

    async fn get_model_profile(
        &self,
        _: Request<wire::GetModelProfileRequest>,
    ) -> Result<Response<wire::GetModelProfileResponse>, Status> {
        Err(Status::unimplemented("nobody asks for it here"))
    }
}

fn entry(log_index: u64) -> wire::FeedEntry {
    let record_digest = digest_of(log_index).as_bytes().to_vec();
    wire::FeedEntry {
        log_index,
        record_digest,
        ..Default::default()
    }
}

#[tonic::async_trait]
impl TrafficService for FakeGateway {
    async fn list_gateway_instances(
        &self,
        _: Request<wire::ListGatewayInstancesRequest>,
    ) -> Result<Response<wire::ListGatewayInstancesResponse>, Status> {
        // It is the only gateway, and serves what it has.
        let generation = self.state.lock().unwrap().table.generation;
        Ok(Response::new(wire::ListGatewayInstancesResponse {
            generation,
            confirmed: true,
            ..Default::default()
        }))
    }

    async fn get_traffic(
        &self,
        _: Request<wire::GetTrafficRequest>,
    ) -> Result<Response<wire::GetTrafficResponse>, Status> {
        let table = Some(self.state.lock().unwrap().table.clone());
        Ok(Response::new(wire::GetTrafficResponse { table }))
    }

    async fn apply_traffic(
        &self,
        request: Request<wire::ApplyTrafficRequest>,
    ) -> Result<Response<wire::ApplyTrafficResponse>, Status> {
        let wire::ApplyTrafficRequest {
            expected_generation,
            table,
        } = request.into_inner();
        let mut state = self.state.lock().unwrap();
        if let Some(text) = state.refusal {
            return Err(Status::failed_precondition(text));
        }
        if state.table.generation != expected_generation {
            return Err(Status::aborted("another generation is in force"));
        }
        state.table = table.unwrap();
        let table = Some(state.table.clone());
        Ok(Response::new(wire::ApplyTrafficResponse { table }))
    }
}
