//! Shadow arms in the running service: both transports, and what they cost the live path.

use std::sync::Arc;
use std::time::Duration;

use fcs_proto::model::v1::ModelRef;
use fcs_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use fcs_proto::scoring::v1::shadow_service_client::ShadowServiceClient;
use fcs_proto::scoring::v1::traffic_service_client::TrafficServiceClient;
use fcs_proto::scoring::v1::{
    ApplyTrafficRequest, GetTrafficRequest, ListShadowDecisionsRequest, Outcome, ShadowArm,
    ShadowArms, SummariseShadowRequest, SummariseShadowResponse, shadow_decision,
};
use fcs_testkit::chaos::{ChaosProxy, Fault};
use fcs_testkit::wait::until;
use tokio::time::Instant;
use tonic::Code;

use crate::support::client::{activate, request};
use crate::support::models::FakeModels;
use crate::support::package::MODEL;
use crate::support::server::{Server, serve_models};

const LIMIT: Duration = Duration::from_secs(30);

/// A gateway whose shadow arm asks a model server of its own, behind a proxy.
async fn start(fault: Fault) -> (Server, ChaosProxy) {
    let models = serve_models(Arc::new(FakeModels::default())).await;
    let proxy = ChaosProxy::before(models, Fault::None).await;
    let url = format!("http://{}", proxy.address);
    let server = Server::with(async |settings| {
        settings.service.shadow.model_server_url = url;
        settings.service.shadow.timeout_ms = 200;
    })
    .await;
    activate(&server).await;
    shadow(&server).await;
    proxy.set(fault);
    (server, proxy)
}

/// Adds a shadow arm over every application to the table in force.
async fn shadow(server: &Server) {
    let mut client = TrafficServiceClient::new(server.channel.clone());
    let asked = client.get_traffic(GetTrafficRequest::default()).await;
    let mut table = asked.unwrap().into_inner().table.unwrap();
    let expected_generation = table.generation;
    table.generation += 1;
    let arm = ShadowArm {
        name: "next".to_owned(),
        model: Some(ModelRef {
            name: MODEL.to_owned(),
            version: "2".to_owned(),
            ..ModelRef::default()
        }),
        sample_basis_points: 10_000,
        ..ShadowArm::default()
    };
    table.shadows = Some(ShadowArms { arms: vec![arm] });
    let request = ApplyTrafficRequest {
        expected_generation,
        table: Some(table),
    };
    client.apply_traffic(request).await.unwrap();
    until("the arm has begun", LIMIT, async || {
        summarise(server).await.ok().map(drop)
    })
    .await;
}

async fn summarise(server: &Server) -> Result<SummariseShadowResponse, tonic::Status> {
    let mut client = ShadowServiceClient::new(server.channel.clone());
    let request = SummariseShadowRequest {
        arm: "next".to_owned(),
        ..SummariseShadowRequest::default()
    };
    Ok(client.summarise_shadow(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_are_read_over_both_transports() {
    let (server, proxy) = start(Fault::None).await;
    for (number, income) in [(1, 20_000.0), (2, 40_000.0), (3, 90_000.0)] {
        server.decide(&format!("A-{number}"), income).await;
    }
    let seen = async |wanted: u64| {
        until("the arm has looked at the log", LIMIT, async || {
            let summary = summarise(&server).await.unwrap();
            (summary.up_to_index == wanted).then_some(summary)
        })
        .await
    };
    let summary = seen(3).await;
    assert_eq!((summary.scored, summary.reasons_changed), (3, 0));
    assert_eq!(summary.model, "test-card/2");
    assert_eq!(summary.outcomes.len(), 3);
    proxy.set(Fault::Dead);
    server.decide("A-4", 90_000.0).await;
    let summary = seen(4).await;
    assert_eq!((summary.scored, summary.dropped.len()), (3, 1));
    let mut client = ShadowServiceClient::new(server.channel.clone());
    let request = ListShadowDecisionsRequest {
        arm: "next".to_owned(),
        ..ListShadowDecisionsRequest::default()
    };
    let page = client.list_shadow_decisions(request.clone()).await;
    let page = page.unwrap().into_inner();
    assert_eq!((page.decisions.len(), page.complete_up_to), (4, 4));
    let Some(shadow_decision::Result::Shadow(shadow)) = &page.decisions[0].result else {
        panic!("{page:?}");
    };
    assert_eq!(shadow.outcome(), Outcome::Deny);
    let listed = server.get("/v1/shadow/next/decisions").await.json();
    assert_eq!(listed["decisions"][0]["shadow"]["outcome"], "deny");
    assert!(listed["decisions"][3]["dropped"].is_string(), "{listed}");
    assert_eq!(listed["complete_up_to"], 4);
    let after = server
        .get("/v1/shadow/next/decisions?after_index=2&page_size=1")
        .await;
    assert_eq!(after.json()["decisions"][0]["log_index"], 3);
    let summary = server.get("/v1/shadow/next/summary").await.json();
    assert_eq!(summary["scored"], 3);
    assert_eq!(summary["score_difference"]["median"], 0);
    let status = async |path: &str| server.get(path).await.status;
    assert_eq!(status("/v1/shadow/nobody/summary").await, 404);
    assert_eq!(status("/v1/shadow/next/summary?after_index=x").await, 400);
    let large = "/v1/shadow/next/decisions?page_size=1001";
    assert_eq!(status(large).await, 400);
    let unknown = ListShadowDecisionsRequest {
        arm: "nobody".to_owned(),
        ..request
    };
    let refused = client.list_shadow_decisions(unknown).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

/// Latencies of requests that are sent at a steady rate, each from the moment when it was due.
async fn steady(server: &Server, rate: u32, seconds: u32) -> Vec<Duration> {
    let start = Instant::now();
    let calls = (0..rate * seconds).map(|number| {
        let client = ScoringServiceClient::new(server.channel.clone());
        async move {
            let due = start + Duration::from_secs(1) * number / rate;
            tokio::time::sleep_until(due).await;
            let income = f64::from(20_000 + number % 4 * 20_000);
            let key = format!("k-{number}");
            let request = request(&key, &format!("A-{number}"), income);
            client.clone().score(request).await.unwrap();
            due.elapsed()
        }
    });
    let mut latencies = futures::future::join_all(calls.map(tokio::spawn))
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    latencies.sort_unstable();
    latencies
}

/// Prints the latency of live decisions with the shadow arm off, on, slow, silent and dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement; run it by hand on a quiet machine"]
async fn print_what_a_shadow_arm_costs_the_live_path() {
    let slow = Fault::Delay(Duration::from_millis(150));
    for (name, fault) in [
        ("off", None),
        ("on", Some(Fault::None)),
        ("slow", Some(slow)),
        ("silent", Some(Fault::Silence)),
        ("dead", Some(Fault::Dead)),
    ] {
        let (server, _proxy) = if let Some(fault) = fault {
            let (server, proxy) = start(fault).await;
            (server, Some(proxy))
        } else {
            let server = Server::start().await;
            activate(&server).await;
            (server, None)
        };
        let latencies = steady(&server, 100, 20).await;
        let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
        let (middle, late, most) = (at(50), at(99), at(100));
        println!("{name:>6}: p50 {middle:?}, p99 {late:?}, max {most:?}");
    }
}
