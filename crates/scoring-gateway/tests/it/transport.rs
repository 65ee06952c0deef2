//! The service as its clients see it, over HTTP and over gRPC.

use std::collections::HashMap;
use std::time::Duration;

use fcs_core::{Digest, ErrorCode};
use fcs_proto::model::v1::ModelRef;
use fcs_proto::scoring::v1::feature_value::Kind;
use fcs_proto::scoring::v1::feed_service_client::FeedServiceClient;
use fcs_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use fcs_proto::scoring::v1::traffic_service_client::TrafficServiceClient;
use fcs_proto::scoring::v1::{
    ApplyTrafficRequest, BasisPointRange, Decision, FeatureValue, GetDecisionRequest,
    GetModelProfileRequest, GetTrafficRequest, ListDecisionsRequest, ReplayDecisionRequest,
    ScoreRequest, ShadowArms, SubscribeRequest, TrafficArm, TrafficTable,
};
use fcs_service::grpc::api_error;
use fcs_testkit::wait::until;
use serde_json::json;

use crate::support::server::{Answer, Server};
use crate::support::{package, package::MODEL};

const LIMIT: Duration = Duration::from_secs(20);
pub(crate) const SCORE: &str = "/v1/applications/score";

pub(crate) async fn activate(server: &Server, generation: u64) {
    let model = ModelRef {
        name: MODEL.to_owned(),
        version: "1".to_owned(),
        manifest_digest: package::digest("1").to_string(),
    };
    let arm = TrafficArm {
        name: "stable".to_owned(),
        model: Some(model),
        weight_basis_points: 10_000,
        ..TrafficArm::default()
    };
    let table = TrafficTable {
        generation,
        salt: "s".to_owned(),
        arms: vec![arm],
        ..TrafficTable::default()
    };
    let request = ApplyTrafficRequest {
        expected_generation: generation - 1,
        table: Some(table.clone()),
    };
    let mut client = TrafficServiceClient::new(server.channel.clone());
    let applied = client
        .apply_traffic(request)
        .await
        .unwrap()
        .into_inner()
        .table
        .unwrap();
    let mut table = table;
    table.arms[0].cohort = vec![BasisPointRange {
        from: 0,
        to: 10_000,
    }];
    table.shadows = Some(ShadowArms::default());
    assert_eq!(applied, table);
    let read = client
        .get_traffic(GetTrafficRequest { generation })
        .await
        .unwrap()
        .into_inner()
        .table
        .unwrap();
    assert_eq!(read, table);
}

pub(crate) fn request(key: &str, application_id: &str, income: f64) -> ScoreRequest {
    let number = |value| FeatureValue {
        kind: Some(Kind::Number(value)),
        ..FeatureValue::default()
    };
    let category = |name: &str| FeatureValue {
        kind: Some(Kind::Category(name.to_owned())),
        ..FeatureValue::default()
    };
    let features = HashMap::from([
        ("income".to_owned(), number(income)),
        ("delinquencies".to_owned(), FeatureValue::default()),
        ("housing".to_owned(), category("own")),
    ]);
    ScoreRequest {
        idempotency_key: key.to_owned(),
        application_id: application_id.to_owned(),
        features,
        ..ScoreRequest::default()
    }
}

pub(crate) fn body(application_id: &str, income: f64) -> serde_json::Value {
    json!({"features": {"housing": "own", "income": income, "delinquencies": null}, "application_id": application_id})
}

pub(crate) async fn post(server: &Server, key: &str, body: &serde_json::Value) -> Answer {
    let headers = format!("idempotency-key: {key}\r\n");
    server
        .http("POST", SCORE, &headers, body.to_string().as_bytes())
        .await
}

pub(crate) async fn call(
    server: &Server,
    request: ScoreRequest,
) -> Result<(Decision, bool), tonic::Status> {
    let mut client = ScoringServiceClient::new(server.channel.clone());
    let answer = client.score(request).await?.into_inner();
    Ok((answer.decision.unwrap(), answer.replayed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_transports_give_the_same_decision() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let first = post(&server, "k-1", &body("A-1", 20_000.0)).await;
    assert_eq!(
        first.status,
        200,
        "{}",
        String::from_utf8_lossy(&first.body)
    );
    assert!(
        !first.head.contains("idempotency-replayed"),
        "{}",
        first.head
    );
    // The draft standard writes the key in quotes.
    let again = post(&server, "\"k-1\"", &body("A-1", 20_000.0)).await;
    assert!(
        again.head.contains("idempotency-replayed: true"),
        "{}",
        again.head
    );
    assert_eq!(again.body, first.body, "byte for byte");
    let (decision, replayed) = call(&server, request("k-1", "A-1", 20_000.0))
        .await
        .unwrap();
    assert!(replayed);
    assert_eq!(decision.record, record_of(&first.body));
    let json = first.json();
    assert_eq!(
        (&json["log_index"], &json["outcome"]),
        (&json!(1), &json!("deny"))
    );
    let digest = Digest::try_from(decision.record_digest.as_slice()).unwrap();
    assert_eq!(json["record_digest"], digest.to_string());
    assert_eq!(json["decision_id"], decision.decision_id);
    assert_eq!(
        json["principal_reasons"][0]["code"],
        decision.principal_reasons[0].code
    );
    assert_eq!(
        (decision.log_index, decision.model.as_str()),
        (1, "test-card/1")
    );
    server.running.stop();
    server.running.wait().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_read_and_replayed_over_http() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let first = post(&server, "k-1", &body("A-1", 20_000.0)).await;
    post(&server, "k-2", &body("A-2", 90_000.0)).await;
    let json = first.json();
    let path = format!("/v1/decisions/{}", json["decision_id"].as_str().unwrap());
    let found = server.http("GET", &path, "", b"").await;
    assert_eq!((found.status, &found.body), (200, &first.body));
    let replay = server
        .http("POST", &format!("{path}/replay"), "", b"")
        .await
        .json();
    assert_eq!(replay["identical"], true);
    assert_eq!(replay["stored_record"], replay["recomputed_record"]);
    let list = server
        .http("GET", "/v1/decisions?after_index=0&page_size=1", "", b"")
        .await
        .json();
    assert_eq!(
        (&list["decisions"][0], &list["highest_index"]),
        (&json, &json!(2))
    );
    let of = server
        .http("GET", "/v1/decisions?application_id=A-2", "", b"")
        .await
        .json();
    assert_eq!(of["decisions"][0]["application_id"], "A-2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_read_and_replayed_over_grpc() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let (decision, _) = call(&server, request("k-1", "A-1", 20_000.0))
        .await
        .unwrap();
    call(&server, request("k-2", "A-2", 90_000.0))
        .await
        .unwrap();
    let mut client = ScoringServiceClient::new(server.channel.clone());
    let decision_id = decision.decision_id.clone();
    let replay = ReplayDecisionRequest {
        decision_id: decision_id.clone(),
    };
    let replay = client.replay_decision(replay).await.unwrap().into_inner();
    assert!(replay.identical && replay.stored_record == decision.record);
    for (decision_id, application_id) in [(decision_id, ""), (String::new(), "A-1")] {
        let application_id = application_id.to_owned();
        let request = GetDecisionRequest {
            decision_id,
            application_id,
        };
        let found = client.get_decision(request).await.unwrap().into_inner();
        assert_eq!(found.decision.as_ref(), Some(&decision));
    }
    let request = ListDecisionsRequest {
        after_index: 1,
        ..ListDecisionsRequest::default()
    };
    let list = client.list_decisions(request).await.unwrap().into_inner();
    assert_eq!((list.decisions[0].log_index, list.decisions.len()), (2, 1));
    assert_eq!(list.highest_index, 2);
}

/// The record is the answer without the two members that follow it.
pub(crate) fn record_of(body: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(body).unwrap();
    let end = text.rfind(",\"log_index\":").unwrap();
    format!("{}}}", &text[..end]).into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_transports_give_the_same_errors() {
    let server = Server::start().await;
    let check = async |key: &str,
                       grpc: ScoreRequest,
                       http: serde_json::Value,
                       expected: (u16, ErrorCode, &str)| {
        let error = api_error(&call(&server, grpc).await.unwrap_err());
        let answer = post(&server, key, &http).await;
        let problem = answer.json();
        let (status, code, reason) = expected;
        assert_eq!((error.code, error.reason), (code, reason));
        assert_eq!(
            (answer.status, &problem["code"]),
            (status, &json!(code.as_str())),
            "{problem}"
        );
        assert_eq!(
            (&problem["reason"], &problem["detail"]),
            (&json!(reason), &json!(error.message))
        );
    };
    let inactive = (409, ErrorCode::FailedPrecondition, "NO_ACTIVE_MODEL");
    check("k", request("k", "A-1", 1.0), body("A-1", 1.0), inactive).await;
    activate(&server, 1).await;
    let nul = (400, ErrorCode::InvalidArgument, "REQUEST_INVALID");
    check("k", request("k", "A\0B", 1.0), body("A\0B", 1.0), nul).await;
    check("k", request("k", "A-1", -1.0), body("A-1", -1.0), nul).await;
    let mut protected = request("k", "A-1", 1.0);
    protected.features.insert(
        "date_of_birth".to_owned(),
        FeatureValue {
            kind: Some(Kind::Number(1.0)),
            ..FeatureValue::default()
        },
    );
    let mut protected_body = body("A-1", 1.0);
    protected_body["features"]["date_of_birth"] = json!(1.0);
    let refused = (400, ErrorCode::InvalidArgument, "PROTECTED_ATTRIBUTE");
    check("k", protected, protected_body, refused).await;
    call(&server, request("k", "A-1", 50_000.0)).await.unwrap();
    let mismatch = (422, ErrorCode::IdempotencyMismatch, "IDEMPOTENCY_MISMATCH");
    check(
        "k",
        request("k", "A-1", 50_001.0),
        body("A-1", 50_001.0),
        mismatch,
    )
    .await;
    server.models.stop();
    let down = (503, ErrorCode::Unavailable, "MODEL_SERVER_UNAVAILABLE");
    check(
        "new",
        request("new", "A-1", 50_000.0),
        body("A-1", 50_000.0),
        down,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_requests_are_refused_in_full_sentences() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let key = "idempotency-key: k\r\n";
    let ask = async |headers: &str, body: &str| {
        let answer = server.http("POST", SCORE, headers, body.as_bytes()).await;
        assert!(
            answer.head.contains("application/problem+json"),
            "{}",
            answer.head
        );
        (
            answer.status,
            answer.json()["reason"].as_str().unwrap().to_owned(),
        )
    };
    let good = body("A-1", 1.0).to_string();
    let refused = |reason: &str| (400, reason.to_owned());
    assert_eq!(ask("", &good).await, refused("IDEMPOTENCY_KEY_MISSING"));
    let two = format!("{key}{key}");
    assert_eq!(ask(&two, &good).await, refused("IDEMPOTENCY_KEY_MISSING"));
    assert_eq!(
        ask("idempotency-key: two words\r\n", &good).await,
        refused("IDEMPOTENCY_KEY_INVALID")
    );
    assert_eq!(ask(key, "{").await, refused("MALFORMED_JSON"));
    assert_eq!(
        ask(key, &format!("{good} x")).await,
        refused("MALFORMED_JSON")
    );
    assert_eq!(
        ask(key, r#"{"application_id":"A"}"#).await,
        refused("INVALID_BODY")
    );
    let other = |field: &str| good.replacen('{', &format!("{{\"{field}\":\"x\","), 1);
    assert_eq!(ask(key, &other("note")).await, refused("REQUEST_INVALID"));
    assert_eq!(
        ask(key, &other("ethnicity")).await,
        refused("PROTECTED_ATTRIBUTE")
    );
    let deep = good.replace("1.0", &format!("{}1{}", "[".repeat(200), "]".repeat(200)));
    assert_eq!(ask(key, &deep).await.0, 400);
    for path in [
        "/v1/decisions/dec_nonsense",
        "/v1/decisions?page_size=-1",
        "/v1/decisions?page_size=1001",
    ] {
        assert_eq!(
            server.http("GET", path, "", b"").await.status,
            400,
            "{path}"
        );
    }
    let unknown = "/v1/decisions/dec_01890000-0000-7000-8000-000000000000";
    assert_eq!(
        server.http("GET", unknown, "", b"").await.json()["reason"],
        "DECISION_NOT_FOUND"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_ends_with_the_service_and_holds_nothing_up() {
    let server = Server::start().await;
    activate(&server, 1).await;
    for number in 0..3 {
        call(&server, request(&format!("k-{number}"), "A-1", 50_000.0))
            .await
            .unwrap();
    }
    let mut client = FeedServiceClient::new(server.channel.clone());
    let mut feed = client
        .subscribe(SubscribeRequest { after_index: 1 })
        .await
        .unwrap()
        .into_inner();
    let entries = feed.message().await.unwrap().unwrap().entries;
    assert_eq!(
        entries
            .iter()
            .map(|entry| entry.log_index)
            .collect::<Vec<_>>(),
        [2, 3]
    );
    let ask = |model: &str| GetModelProfileRequest {
        model: model.to_owned(),
    };
    let profile = client.get_model_profile(ask(&entries[0].model)).await;
    let variables = profile.unwrap().into_inner().variables;
    let names: Vec<_> = variables.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names.last(), Some(&"(score)"));
    assert_eq!(entries[0].bins.len(), variables.len());
    for (variable, bin) in variables.iter().zip(&entries[0].bins) {
        assert!(usize::try_from(*bin).unwrap() <= variable.reference.len());
    }
    let refused = client.get_model_profile(ask("no version")).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::InvalidArgument);
    let unknown = client.get_model_profile(ask("nobody/1")).await;
    assert_eq!(unknown.unwrap_err().code(), tonic::Code::NotFound);
    server.running.stop();
    let end = tokio::time::timeout(LIMIT, feed.message())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(end.code(), tonic::Code::Unavailable, "{end:?}");
    tokio::time::timeout(LIMIT, server.running.wait())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_follows_the_model_server_and_metrics_are_complete() {
    let server = Server::start().await;
    let ready = async |status: u16| {
        until("readiness", LIMIT, async || {
            (server.http("GET", "/ready", "", b"").await.status == status).then_some(())
        })
        .await;
    };
    ready(200).await;
    server.models.stop();
    ready(503).await;
    server
        .models
        .is_up
        .store(true, std::sync::atomic::Ordering::SeqCst);
    ready(200).await;
    activate(&server, 1).await;
    call(&server, request("k", "A-1", 50_000.0)).await.unwrap();
    let metrics =
        crate::support::server::http(server.running.admin, "GET", "/metrics", "", b"").await;
    let text = String::from_utf8(metrics.body).unwrap();
    for line in [
        "fcs_gateway_score_errors_total{code=\"unavailable\"} 0",
        "fcs_gateway_batch_decisions_count 1",
        "fcs_gateway_commit_seconds_count 1",
        "fcs_gateway_log_highest_index 1",
        "fcs_gateway_traffic_generation 1",
        "fcs_gateway_arms_unusable 0",
        "fcs_gateway_decisions_total{model=\"test-card/1\",arm=\"stable\",outcome=\"refer\"} 0",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}
