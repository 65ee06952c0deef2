//! Several decisions in one call, pages of the log, and explanations.

use std::sync::Mutex;
use std::time::Duration;

use fcs_core::ErrorCode;
use fcs_proto::scoring::v1::score_batch_item::Outcome;
use fcs_proto::scoring::v1::score_stream_response::Outcome as StreamOutcome;
use fcs_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use fcs_proto::scoring::v1::{
    ExplainDecisionRequest, ListDecisionsRequest, ScoreBatchRequest, ScoreRequest,
    ScoreStreamRequest,
};
use fcs_service::grpc::api_error;
use fcs_testkit::wait::until;
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use crate::support::client::{activate, item, request};
use crate::support::server::Server;

const LIMIT: Duration = Duration::from_secs(20);
/// Equal readings in a row that count as standing still.
const STILL: usize = 10;
const BATCH: &str = "/v1/decisions:batch";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_row_of_a_batch_fails_alone_over_http() {
    let server = Server::start().await;
    activate(&server).await;
    let mut rows = vec![
        item("k-0", "A-0", 20_000.0),
        item("k-1", "A-1", -1.0),
        json!({"idempotency_key": "k-2", "application_id": 2}),
        item("k-0", "A-3", 20_000.0),
        item("k-4", "A-4", 90_000.0),
    ];
    rows[4]["features"]["delinquencies"] = Value::Null;
    let answer = server
        .post(BATCH, "unused", &json!({ "items": rows }))
        .await;
    assert_eq!(answer.status, 200);
    let items = answer.json()["items"].clone();
    let told: Vec<(u64, &str)> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let what = [&item["problem"]["reason"], &item["decision"]["outcome"]];
            let what = what.into_iter().find_map(Value::as_str).unwrap();
            (item["status"].as_u64().unwrap(), what)
        })
        .collect();
    let expected = [
        (200, "deny"),
        (400, "REQUEST_INVALID"),
        (400, "INVALID_BODY"),
        (400, "IDEMPOTENCY_KEY_REPEATED"),
        (200, "approve"),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        items[1]["problem"]["violations"][0]["pointer"],
        "/features/income"
    );
    // The good rows are in the log, and the same batch again gives the same decisions.
    let again = server
        .post(BATCH, "unused", &json!({ "items": rows }))
        .await
        .json();
    for row in [0, 4] {
        assert_eq!(again["items"][row]["replayed"], true);
        assert_eq!(again["items"][row]["decision"], items[row]["decision"]);
    }
    let list = server.get("/v1/decisions").await.json();
    assert_eq!(list["highest_index"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_other_sizes_are_refused() {
    let server = Server::start().await;
    let ask = async |body: Value| {
        let answer = server.post(BATCH, "unused", &body).await;
        let problem = answer.json();
        (
            answer.status,
            problem["reason"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(
        ask(json!({"items": []})).await,
        (400, "BATCH_SIZE_INVALID".to_owned())
    );
    let many: Vec<u8> = vec![0; 257];
    assert_eq!(
        ask(json!({ "items": many })).await,
        (400, "INVALID_BODY".to_owned())
    );
    let large = "x".repeat(1024 * 1024);
    let status = server
        .post(BATCH, "unused", &json!({ "items": [large] }))
        .await
        .status;
    assert_eq!(status, 413);
    let mut client = ScoringServiceClient::new(server.channel.clone());
    let items = vec![request("k", "A", 1.0); 257];
    let refused = client
        .score_batch(ScoreBatchRequest { items })
        .await
        .unwrap_err();
    assert_eq!(api_error(&refused).reason, "BATCH_SIZE_INVALID");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_batch_is_decided_over_grpc() {
    let server = Server::start().await;
    activate(&server).await;
    let mut items: Vec<ScoreRequest> = (0..256)
        .map(|row| request(&format!("k-{row}"), &format!("A-{row}"), 20_000.0))
        .collect();
    items[100].idempotency_key = "two words".to_owned();
    let mut client = ScoringServiceClient::new(server.channel.clone());
    let answer = client
        .score_batch(ScoreBatchRequest { items })
        .await
        .unwrap()
        .into_inner();
    for (row, item) in answer.items.into_iter().enumerate() {
        match item.outcome.unwrap() {
            Outcome::Answer(answer) => {
                let decision = answer.decision.unwrap();
                assert_eq!(decision.application_id, format!("A-{row}"));
            }
            Outcome::Error(error) => {
                assert_eq!(
                    (row, error.reason.as_str()),
                    (100, "IDEMPOTENCY_KEY_INVALID")
                );
                assert_eq!(error.code, i32::from(tonic::Code::InvalidArgument));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_answers_in_order_and_survives_a_bad_request() {
    let server = Server::start().await;
    activate(&server).await;
    let bad = request("bad", "", 20_000.0);
    let sent: Vec<ScoreStreamRequest> = (0..100)
        .map(|row| match row {
            50 => bad.clone(),
            _ => request(&format!("k-{row}"), &format!("A-{row}"), 20_000.0),
        })
        .map(|item| ScoreStreamRequest { item: Some(item) })
        .collect();
    let keys: Vec<String> = sent
        .iter()
        .map(|request| request.item.as_ref().unwrap().idempotency_key.clone())
        .collect();
    let mut client = ScoringServiceClient::new(server.channel.clone());
    let mut answers = client
        .score_stream(tokio_stream::iter(sent))
        .await
        .unwrap()
        .into_inner();
    let mut answered = Vec::new();
    while let Some(answer) = answers.next().await {
        let answer = answer.unwrap();
        let refused = matches!(answer.outcome, Some(StreamOutcome::Error(_)));
        assert_eq!(refused, answer.idempotency_key == "bad", "{answer:?}");
        answered.push(answer.idempotency_key);
    }
    assert_eq!(answered, keys);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_no_answers_is_not_read() {
    let server = Server::start().await;
    activate(&server).await;
    let (sender, requests) = tokio::sync::mpsc::channel(1);
    let mut client = ScoringServiceClient::new(server.channel.clone());
    let mut answers = client
        .score_stream(ReceiverStream::new(requests))
        .await
        .unwrap()
        .into_inner();
    // More answers than any window of the connection holds.
    let total = 4_000;
    let sending = tokio::spawn(async move {
        for row in 0..total {
            let item = Some(request(&format!("k-{row}"), "A", 20_000.0));
            sender.send(ScoreStreamRequest { item }).await.unwrap();
        }
    });
    // Without a reader the work stops where the windows are full; the log then stays as it is, and others are served.
    let seen = Mutex::new(Vec::new());
    let highest: u64 = until("the stream to stand still", LIMIT, async || {
        let list = server.get("/v1/decisions?page_size=1").await.json();
        let now = list["highest_index"].as_u64().unwrap();
        let mut seen = seen.lock().unwrap();
        seen.push(now);
        let last = seen.iter().rev().take(STILL);
        (seen.len() > STILL && now > 0 && last.clone().all(|index| *index == now)).then_some(now)
    })
    .await;
    assert!(highest < total, "{highest}");
    for _ in 0..total {
        answers.message().await.unwrap().unwrap();
    }
    sending.await.unwrap();
    assert_eq!(answers.message().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_the_service_and_says_so() {
    let server = Server::start().await;
    activate(&server).await;
    let (sender, requests) = tokio::sync::mpsc::channel(1);
    let mut client = ScoringServiceClient::new(server.channel.clone());
    let mut answers = client
        .score_stream(ReceiverStream::new(requests))
        .await
        .unwrap()
        .into_inner();
    let item = Some(request("k", "A", 20_000.0));
    sender.send(ScoreStreamRequest { item }).await.unwrap();
    answers.message().await.unwrap().unwrap();
    server.running.stop();
    let end = tokio::time::timeout(LIMIT, answers.message())
        .await
        .unwrap();
    let error = api_error(&end.unwrap_err());
    assert_eq!(
        (error.code, error.reason),
        (ErrorCode::Unavailable, "SHUTTING_DOWN")
    );
    server.running.wait().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_each_other_by_their_tokens() {
    let server = Server::start().await;
    activate(&server).await;
    for row in 0..7 {
        server
            .decide(&format!("A ü&{}/{row}", row % 2), 20_000.0)
            .await;
    }
    let mut path = "/v1/decisions?page_size=3".to_owned();
    let mut seen = Vec::new();
    loop {
        let answer = server.get(&path).await;
        let page = answer.json();
        let decisions = page["decisions"].as_array().unwrap();
        seen.extend(
            decisions
                .iter()
                .map(|one| one["log_index"].as_u64().unwrap()),
        );
        let Some(next) = page["next"].as_str() else {
            assert!(!answer.head.contains("\r\nlink:"), "{}", answer.head);
            break;
        };
        let link = format!("\r\nlink: <{}>; rel=\"next\"", next.to_ascii_lowercase());
        assert!(answer.head.contains(&link), "{}", answer.head);
        path = next.to_owned();
    }
    assert_eq!(seen, (1..=7).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_or_borrowed_page_token_is_refused() {
    let server = Server::start().await;
    activate(&server).await;
    let mut client = ScoringServiceClient::new(server.channel.clone());
    for row in 0..3 {
        let mut request = request(&format!("k-{row}"), "A-1", 20_000.0);
        request.features.remove("delinquencies");
        client.score(request).await.unwrap();
    }
    let first = ListDecisionsRequest {
        page_size: 2,
        application_id: "A-1".to_owned(),
        ..ListDecisionsRequest::default()
    };
    let page = client
        .list_decisions(first.clone())
        .await
        .unwrap()
        .into_inner();
    let token = page.next_page_token;
    let second = ListDecisionsRequest {
        page_token: token.clone(),
        ..first.clone()
    };
    let page = client
        .list_decisions(second.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (page.decisions[0].log_index, page.next_page_token.as_str()),
        (3, "")
    );
    for bad in [
        ListDecisionsRequest {
            application_id: String::new(),
            ..second.clone()
        },
        ListDecisionsRequest {
            after_index: 1,
            ..second.clone()
        },
        ListDecisionsRequest {
            page_token: format!("{token}A"),
            ..second.clone()
        },
        ListDecisionsRequest {
            page_token: "AAAA".to_owned(),
            ..second
        },
    ] {
        let error = api_error(&client.list_decisions(bad).await.unwrap_err());
        assert_eq!(
            (error.code, error.reason),
            (ErrorCode::InvalidArgument, "PAGE_TOKEN_INVALID")
        );
    }
    let answer = server
        .get(&format!("/v1/decisions?page_token={token}"))
        .await;
    assert_eq!(
        (answer.status, &answer.json()["reason"]),
        (400, &json!("PAGE_TOKEN_INVALID"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_adds_up_and_is_the_same_on_both_transports() {
    let server = Server::start().await;
    activate(&server).await;
    let id = server.decide("A-1", 20_000.0).await;
    let told = server
        .get(&format!("/v1/decisions/{id}/explanation"))
        .await
        .json();
    let number = |value: &Value| value.as_f64().unwrap();
    for list in ["features", "families", "reasons"] {
        let parts = told[list].as_array().unwrap();
        let sum: f64 = parts.iter().map(|part| number(&part["contribution"])).sum();
        let expected = number(&told["margin"]) - number(&told["base_margin"]);
        assert!(
            (sum - expected).abs() < 1e-12,
            "{list}: {sum} is not {expected}"
        );
    }
    // The fake model's own terms: (50,000 - 20,000) / 25,000 for the income, -0.25 for owning.
    let first = &told["features"][0];
    assert_eq!(
        (&first["name"], &first["contribution"]),
        (&json!("income"), &json!(1.2))
    );
    assert_eq!(
        (&first["value"], &first["unit"]),
        (&json!(20_000.0), &json!("EUR"))
    );
    let reasons = told["reasons"].as_array().unwrap();
    let codes: Vec<_> = reasons
        .iter()
        .map(|part| part["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        ["INCOME", "DELINQUENCY", "HOUSING"],
        "most adverse first"
    );
    assert_eq!(told["reference_population"]["rows"], 500);
    let missing = told["features"].as_array().unwrap().iter();
    let missing: Vec<_> = missing.filter(|part| part["value"].is_null()).collect();
    assert_eq!(missing.len(), 1, "{told}");
    let mut client = ScoringServiceClient::new(server.channel.clone());
    let ask = ExplainDecisionRequest { decision_id: id };
    let answer = client.explain_decision(ask).await.unwrap().into_inner();
    assert_eq!(answer.features.len(), 3);
    assert_eq!(
        json!(answer.features[0].contribution),
        first["contribution"]
    );
    assert_eq!(json!(answer.reasons[0].text), told["reasons"][0]["text"]);
    assert_eq!(json!(answer.margin), told["margin"]);
}
