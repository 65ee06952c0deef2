//! What an application says besides its features, over HTTP and over gRPC.

use fcs_core::ErrorCode;
use fcs_proto::scoring::v1::{
    Amount, BureauScore, ConsumerReportingAgency, FeatureSource, KeyFactor, Purpose,
};
use fcs_service::grpc::api_error;
use serde_json::json;

use crate::support::server::Server;
use crate::transport::{activate, body, call, post, record_of, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_transports_say_the_same_of_an_application() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let mut sent = request("k-1", "A-1", 20_000.0);
    sent.purpose = Purpose::LineIncrease.into();
    sent.product = "card".to_owned();
    sent.amount = Some(Amount {
        value: "2500.00".to_owned(),
        currency: "EUR".to_owned(),
    });
    sent.received_on = "2026-11-20".to_owned();
    let income = sent.features.get_mut("income").unwrap();
    income.source = FeatureSource::Bureau.into();
    income.as_of = "2026-11-01".to_owned();
    sent.bureau_score = Some(BureauScore {
        score: 600,
        range_low: 300,
        range_high: 850,
        created_on: "2026-11-01".to_owned(),
        provider: "Example Score".to_owned(),
        key_factors: vec![KeyFactor {
            code: "14".to_owned(),
            text: "Length of time".to_owned(),
            inquiries: false,
        }],
        consumer_reporting_agency: Some(ConsumerReportingAgency {
            name: "Example Reports".to_owned(),
            address: "1 Main Street".to_owned(),
            telephone: "800-555-0100".to_owned(),
        }),
    });
    let disclosed = sent.bureau_score.clone();
    let (decision, _) = call(&server, sent).await.unwrap();
    assert_eq!(decision.credit_score_disclosure, disclosed);
    let notice = decision.notice.unwrap();
    assert_eq!(
        (notice.required, notice.due_by.as_str()),
        (true, "2026-12-20")
    );
    assert!(decision.outside_sources.unwrap().fcra_615a);
    let mut same = body("A-1", 20_000.0);
    same["features"]["income"] =
        json!({"value": 20_000.0, "source": "bureau", "as_of": "2026-11-01"});
    same["purpose"] = json!("line_increase");
    same["product"] = json!("card");
    same["amount"] = json!({"value": "2500.00", "currency": "EUR"});
    same["received_on"] = json!("2026-11-20");
    same["bureau_score"] = json!({
        "score": 600, "range_low": 300, "range_high": 850, "created_on": "2026-11-01",
        "provider": "Example Score", "key_factors": [{"code": "14", "text": "Length of time"}],
        "consumer_reporting_agency": {
            "name": "Example Reports", "address": "1 Main Street", "telephone": "800-555-0100",
        },
    });
    // The same key: it is the same request only if both transports read the same application.
    let again = post(&server, "k-1", &same).await;
    assert!(
        again.head.contains("idempotency-replayed: true"),
        "{}",
        again.head
    );
    assert_eq!(record_of(&again.body), decision.record);
    server.running.stop();
    server.running.wait().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_transports_refuse_a_wrong_amount_and_a_language_without_texts() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let mut amount = request("k", "A-1", 1.0);
    amount.amount = Some(Amount {
        value: "12,50".to_owned(),
        currency: "USD".to_owned(),
    });
    let mut amount_body = body("A-1", 1.0);
    amount_body["amount"] = json!({"value": "12,50", "currency": "USD"});
    let mut language = request("k", "A-1", 1.0);
    language.language = "es".to_owned();
    let mut language_body = body("A-1", 1.0);
    language_body["language"] = json!("es");
    for (grpc, http, reason, pointer) in [
        (amount, amount_body, "REQUEST_INVALID", "/amount/value"),
        (
            language,
            language_body,
            "LANGUAGE_NOT_AVAILABLE",
            "/language",
        ),
    ] {
        let error = api_error(&call(&server, grpc).await.unwrap_err());
        assert_eq!(
            (error.code, error.reason),
            (ErrorCode::InvalidArgument, reason)
        );
        assert_eq!(error.violations[0].pointer, pointer);
        let answer = post(&server, "k", &http).await;
        assert_eq!(
            (answer.status, &answer.json()["reason"]),
            (400, &json!(reason))
        );
    }
    let mut unknown = request("k", "A-1", 1.0);
    unknown.purpose = 99;
    let error = api_error(&call(&server, unknown).await.unwrap_err());
    assert_eq!(error.violations[0].pointer, "/purpose");
    server.running.stop();
    server.running.wait().await.unwrap();
}
