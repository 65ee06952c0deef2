//! Load over gRPC: connections that stay open, each with one call at a time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use fcs_proto::inference::ModelInferRequest;
use fcs_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use fcs_testkit::load::{Answers, Load};
use tokio::task::JoinSet;
use tonic::transport::Channel;

/// A connection of its own.
pub(crate) async fn connect(to: SocketAddr) -> anyhow::Result<GrpcInferenceServiceClient<Channel>> {
    GrpcInferenceServiceClient::connect(format!("http://{to}"))
        .await
        .with_context(|| format!("connect to {to}"))
}

/// Sends calls as [`fcs_testkit::load::run`] does at its closed pace. The first call that fails fails all; the others
/// count as answers with the status 200.
pub(crate) async fn run(load: Load, requests: Arc<[ModelInferRequest]>) -> anyhow::Result<Answers> {
    let mut clients = Vec::new();
    for _ in 0..load.connections {
        clients.push(connect(load.to).await?);
    }
    let start = Instant::now();
    let mut connections = JoinSet::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        let requests = Arc::clone(&requests);
        connections.spawn(async move {
            let mut times = Vec::new();
            let mine = requests.iter().cycle().skip(number);
            for request in mine.step_by(load.connections as usize) {
                if start.elapsed() >= load.length {
                    break;
                }
                let sent = Instant::now();
                client.model_infer(request.clone()).await?;
                times.push(sent.elapsed());
            }
            anyhow::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(one) = connections.join_next().await {
        times.extend(one??);
    }
    let took = start.elapsed();
    times.sort_unstable();
    Ok(Answers {
        times: BTreeMap::from([(200, times)]),
        took,
        ..Answers::default()
    })
}
