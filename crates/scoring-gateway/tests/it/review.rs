//! Reviews of decisions, over both transports.

use fcs_core::ErrorCode;
use fcs_proto::scoring::v1::review_service_client::ReviewServiceClient;
use fcs_proto::scoring::v1::{ListReviewsRequest, RecordReviewRequest, ReviewOutcome};
use fcs_service::grpc::api_error;
use serde_json::{Value, json};

use crate::support::client::activate;
use crate::support::server::Server;

fn denial() -> Value {
    json!({
        "reviewer": "u-17",
        "outcome": "deny",
        "reason_codes": ["INCOME", "C1-06"],
        "note": "The employer does not answer.",
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_is_recorded_once_and_read_back() {
    let server = Server::start().await;
    activate(&server).await;
    let id = server.decide("A-1", 40_000.0).await;
    let path = format!("/v1/decisions/{id}/reviews");
    let first = server.post(&path, "r-1", &denial()).await;
    assert_eq!(first.status, 201, "{}", first.json());
    let review = first.json();
    let texts = json!([
        {"code": "INCOME", "text": "Income insufficient for amount of credit requested"},
        {"code": "C1-06", "text": "Unable to verify employment"},
    ]);
    assert_eq!(review["reasons"], texts);
    let again = server.post(&path, "r-1", &denial()).await;
    assert!(
        again.head.contains("idempotency-replayed: true"),
        "{}",
        again.head
    );
    assert_eq!(again.json(), review);
    let mut other = denial();
    other["note"] = json!("another");
    assert_eq!(server.post(&path, "r-1", &other).await.status, 422);
    let approval = json!({"reviewer": "u-18", "outcome": "approve"});
    assert_eq!(server.post(&path, "r-2", &approval).await.status, 201);
    let list = server.get(&path).await.json();
    let outcomes: Vec<_> = list["reviews"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["outcome"])
        .collect();
    assert_eq!(outcomes, ["deny", "approve"]);
    assert_eq!(list["reviews"][0], review);
    // The decision stays as it was made.
    let decision = server.get(&format!("/v1/decisions/{id}")).await.json();
    assert_eq!(decision["outcome"], "refer");
    let mut client = ReviewServiceClient::new(server.channel.clone());
    let ask = ListReviewsRequest { decision_id: id };
    let reviews = client.list_reviews(ask).await.unwrap().into_inner().reviews;
    assert_eq!(
        (reviews.len(), reviews[1].outcome()),
        (2, ReviewOutcome::Approve)
    );
    assert_eq!(json!(reviews[0].review_id), review["review_id"]);
}

/// A review that is refused: decision, reviewer, outcome, reason codes, note.
type Refused<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], &'a str);

/// Sends it over both transports, which must say the same, and gives status and reason.
async fn refusal(server: &Server, review: Refused<'_>) -> (u16, String) {
    let (id, reviewer, outcome, codes, note) = review;
    let body =
        json!({"reviewer": reviewer, "outcome": outcome, "reason_codes": codes, "note": note});
    let path = format!("/v1/decisions/{id}/reviews");
    let answer = server.post(&path, "r", &body).await;
    let outcome = match outcome {
        "deny" => ReviewOutcome::Deny,
        _ => ReviewOutcome::Approve,
    };
    let request = RecordReviewRequest {
        idempotency_key: "r".to_owned(),
        decision_id: id.to_owned(),
        reviewer: reviewer.to_owned(),
        outcome: outcome.into(),
        reason_codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        note: note.to_owned(),
    };
    let mut client = ReviewServiceClient::new(server.channel.clone());
    let error = api_error(&client.record_review(request).await.unwrap_err());
    let problem = answer.json();
    assert_eq!(problem["detail"], error.message);
    assert_eq!(problem["reason"], error.reason);
    (answer.status, error.reason.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_transports_refuse_the_same_reviews() {
    let server = Server::start().await;
    activate(&server).await;
    let id = server.decide("A-1", 40_000.0).await;
    let long = "x".repeat(4_001);
    for bad in [
        (id.as_str(), "u-1", "deny", &[][..], ""),
        (&id, "u-1", "approve", &["INCOME"], ""),
        (&id, "u-1", "deny", &["NO_SUCH"], ""),
        (&id, "", "approve", &[], ""),
        (&id, "u-1", "approve", &[], &long),
        (&id, "u-1", "approve", &[], "a\0b"),
    ] {
        let expected = (400, "REQUEST_INVALID".to_owned());
        assert_eq!(refusal(&server, bad).await, expected, "{bad:?}");
    }
    let unknown = "dec_01890000-0000-7000-8000-000000000000";
    let not_there = refusal(&server, (unknown, "u-1", "approve", &[], "")).await;
    assert_eq!(not_there, (404, "DECISION_NOT_FOUND".to_owned()));
    let no_id = refusal(&server, ("dec_x", "u-1", "approve", &[], "")).await;
    assert_eq!(no_id, (400, "DECISION_ID_INVALID".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_approves_or_denies() {
    let server = Server::start().await;
    activate(&server).await;
    let id = server.decide("A-1", 40_000.0).await;
    let path = format!("/v1/decisions/{id}/reviews");
    let neither = json!({"reviewer": "u-1", "outcome": "refer"});
    assert_eq!(server.post(&path, "r", &neither).await.status, 400);
    let unknown = "/v1/decisions/dec_01890000-0000-7000-8000-000000000000/reviews";
    assert_eq!(server.get(unknown).await.status, 404);
    let unspecified = RecordReviewRequest {
        decision_id: id,
        ..RecordReviewRequest::default()
    };
    let mut client = ReviewServiceClient::new(server.channel.clone());
    let error = api_error(&client.record_review(unspecified).await.unwrap_err());
    assert_eq!(error.code, ErrorCode::InvalidArgument);
}
