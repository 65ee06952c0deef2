//! Health and reflection as gRPC clients meet them.

use axum::Router;
use fcs_service::auth::Rule;
use fcs_service::grpc::{add_standard_services, channel};
use fcs_service::{Running, Service, ServiceContext, Settings, Shared, launch};
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use crate::sample::{SOON, SampleSettings, settings};

struct Checked;

impl Service for Checked {
    const NAME: &'static str = "checked";
    const SECTION: &'static str = "checked";
    const HTTP_PORT: u16 = 8091;
    const ADMIN_PORT: u16 = 9091;
    const ACCESS: &'static [Rule] = &[];
    type Settings = SampleSettings;

    async fn start(ctx: ServiceContext<SampleSettings>) -> anyhow::Result<Router> {
        let dependency = ctx.health.dependency("database");
        dependency.good();
        let levers = ctx.settings.service.levers.clone();
        let soft = ctx.soft.clone();
        ctx.spawn("saboteur", async move {
            tokio::select! {
                () = soft.cancelled() => {}
                () = levers.fail.notified() => dependency.bad("pulled"),
            }
            Ok(())
        });
        let routes = add_standard_services(Routes::default(), &ctx, &["sample.Sample"], &[])?;
        Ok(routes.into_axum_router())
    }
}

async fn start(settings: Settings<SampleSettings>) -> Running {
    launch::<Checked>(settings, &Shared::silent())
        .await
        .unwrap()
}

fn named(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_follows_readiness_and_watches_end_with_the_drain() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let levers = settings.service.levers.clone();
    let running = start(settings).await;
    let mut client = HealthClient::new(channel(&format!("http://{}", running.http)).unwrap());
    for name in ["", "sample.Sample"] {
        let answer = client.check(named(name)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{name:?}");
    }
    let unknown = client.check(named("sample.Other")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);

    let mut watch = client
        .watch(named("sample.Sample"))
        .await
        .unwrap()
        .into_inner();
    let mut stranger = client
        .watch(named("sample.Other"))
        .await
        .unwrap()
        .into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    let first = stranger.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);
    levers.fail.notify_one();
    let changed = timeout(SOON, watch.message()).await.unwrap().unwrap();
    assert_eq!(changed.unwrap().status(), ServingStatus::NotServing);

    running.stop();
    let ended = timeout(SOON, watch.message()).await.unwrap();
    assert!(
        matches!(ended, Ok(None)),
        "the stream ends in order: {ended:?}"
    );
    timeout(SOON, running.wait()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reflection_lists_services_in_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(settings(folder.path())).await;
    let channel = channel(&format!("http://{}", running.http)).unwrap();

    let ask = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let answers = client
        .server_reflection_info(tokio_stream::once(ask))
        .await
        .unwrap();
    let answer = answers.into_inner().next().await.unwrap().unwrap();
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
        answer.message_response
    else {
        panic!("another answer: {answer:?}");
    };
    let names: Vec<_> = list.service.iter().map(|it| it.name.as_str()).collect();
    assert!(
        names.contains(&"grpc.health.v1.Health") && names.contains(&"sample.Sample"),
        "{names:?}"
    );

    let ask = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
                "grpc.health.v1.Health".to_owned(),
            ),
        ),
    };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let answers = client
        .server_reflection_info(tokio_stream::once(ask))
        .await
        .unwrap();
    let answer = answers.into_inner().next().await.unwrap().unwrap();
    assert!(
        matches!(
            answer.message_response,
            Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(_))
        ),
        "{answer:?}"
    );
}
