//! Adverse action notices and their deliveries, over both transports.

use std::process::Stdio;

use fcs_core::{Digest, ErrorCode};
use fcs_proto::scoring::v1::notice_service_client::NoticeServiceClient;
use fcs_proto::scoring::v1::{
    DeliveryChannel, GetNoticeRequest, ListNoticeDeliveriesRequest, NoticeFormat,
    RecordNoticeDeliveryRequest,
};
use fcs_service::grpc::api_error;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::support::client::activate;
use crate::support::server::Server;

/// What Poppler reads in a PDF file: the text, or what it tells about the file.
async fn poppler(arguments: &[&str], pdf: &[u8]) -> String {
    let mut child = Command::new(arguments[0])
        .args(&arguments[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Poppler's programs are there: run this test with `cargo xtask test`");
    child.stdin.take().unwrap().write_all(pdf).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// The words of a text in their order, whatever white space is between them.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_has_a_notice_in_three_forms_that_say_the_same() {
    let server = Server::start().await;
    activate(&server).await;
    let id = server.decide("A-1 <b>&", 20_000.0).await;
    let path = format!("/v1/decisions/{id}/notice");
    let notice = server.get(&path).await.json();
    let decision = server.get(&format!("/v1/decisions/{id}")).await.json();
    let reason = &decision["principal_reasons"][0];
    assert_eq!(
        notice["reasons"][0],
        json!({"code": reason["code"], "text": reason["text"]})
    );
    assert_eq!(notice["creditor_name"], "First Test Bank");
    assert!(
        decision["decided_at"]
            .as_str()
            .unwrap()
            .starts_with(notice["action_date"].as_str().unwrap())
    );
    let page = server
        .http("GET", &path, "accept: text/html\r\n", b"")
        .await;
    assert!(
        page.head.contains("content-type: text/html; charset=utf-8"),
        "{}",
        page.head
    );
    let page = String::from_utf8(page.body).unwrap();
    assert!(
        page.contains("A-1 &lt;b&gt;&amp;") && !page.contains("<b>&"),
        "escaped: {page}"
    );
    let file = server
        .http("GET", &path, "accept: application/pdf\r\n", b"")
        .await;
    assert!(
        file.head.contains("content-type: application/pdf"),
        "{}",
        file.head
    );
    let text = words(&poppler(&["pdftotext", "-", "-"], &file.body).await);
    for member in [
        "creditor_name",
        "creditor_address",
        "statement",
        "ecoa_notice",
        "application_id",
        "action_date",
    ] {
        let expected = words(notice[member].as_str().unwrap());
        assert!(text.contains(&expected), "{member} is not in {text}");
    }
    for (number, reason) in (1..).zip(notice["reasons"].as_array().unwrap()) {
        let expected = format!("{number}. {}", reason["text"].as_str().unwrap());
        assert!(text.contains(&expected), "{expected} is not in {text}");
    }
    let facts = poppler(&["pdfinfo", "-"], &file.body).await;
    assert!(words(&facts).contains("Tagged: yes"), "{facts}");
    let again = server
        .http("GET", &path, "accept: application/pdf\r\n", b"")
        .await;
    assert_eq!(again.body, file.body, "the same bytes");
    assert_eq!(
        server
            .http("GET", &path, "accept: image/png\r\n", b"")
            .await
            .status,
        406
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_digest_is_over_the_canonical_members() {
    let server = Server::start().await;
    activate(&server).await;
    let id = server.decide("A-1", 20_000.0).await;
    let mut notice = server
        .get(&format!("/v1/decisions/{id}/notice"))
        .await
        .json();
    let members = notice.as_object_mut().unwrap();
    let digest = members.remove("digest").unwrap();
    // All members are texts without control characters, so sorted and compact JSON is canonical.
    let canonical =
        serde_json::to_vec(&members.iter().collect::<std::collections::BTreeMap<_, _>>()).unwrap();
    assert_eq!(digest, hex(&Sha256::digest(canonical)));
    let mut client = NoticeServiceClient::new(server.channel.clone());
    let ask = GetNoticeRequest {
        decision_id: id,
        format: NoticeFormat::Pdf.into(),
    };
    let answer = client.get_notice(ask).await.unwrap().into_inner();
    assert_eq!(
        hex(&answer.notice.unwrap().digest),
        digest.as_str().unwrap()
    );
    assert!(answer.document.starts_with(b"%PDF-") && answer.content_type == "application/pdf");
}

fn hex(bytes: &[u8]) -> String {
    Digest::try_from(bytes).unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_latest_review_decides_whether_there_is_a_notice() {
    let server = Server::start().await;
    activate(&server).await;
    let id = server.decide("A-1", 40_000.0).await;
    let (path, reviews) = (
        format!("/v1/decisions/{id}/notice"),
        format!("/v1/decisions/{id}/reviews"),
    );
    let none = server.get(&path).await;
    assert_eq!(
        (none.status, &none.json()["reason"]),
        (409, &json!("NOTICE_NOT_APPLICABLE")),
        "a referral"
    );
    let denial = json!({"reviewer": "u", "outcome": "deny", "reason_codes": ["C1-13"]});
    assert_eq!(server.post(&reviews, "r-1", &denial).await.status, 201);
    let notice = server.get(&path).await.json();
    assert_eq!(
        notice["reasons"],
        json!([{"code": "C1-13", "text": "Unable to verify residence"}])
    );
    assert!(
        !notice["statement"]
            .as_str()
            .unwrap()
            .contains("scoring system"),
        "a person denied"
    );
    let approval = json!({"reviewer": "u", "outcome": "approve"});
    assert_eq!(server.post(&reviews, "r-2", &approval).await.status, 201);
    assert_eq!(server.get(&path).await.status, 409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_is_recorded_once_and_only_of_this_notice() {
    let server = Server::start().await;
    activate(&server).await;
    let id = server.decide("A-1", 20_000.0).await;
    let notice = server
        .get(&format!("/v1/decisions/{id}/notice"))
        .await
        .json();
    let decided_at = server.get(&format!("/v1/decisions/{id}")).await.json()["decided_at"].clone();
    let path = format!("/v1/decisions/{id}/notice/deliveries");
    let delivery = |sent_at: &Value, digest: &Value| json!({"channel": "mail", "sent_at": sent_at, "notice_digest": digest});
    let good = delivery(&decided_at, &notice["digest"]);
    let first = server.post(&path, "d-1", &good).await;
    assert_eq!(first.status, 201, "{}", first.json());
    let again = server.post(&path, "d-1", &good).await;
    assert!(again.head.contains("idempotency-replayed: true") && again.json() == first.json());
    for (bad, reason) in [
        (
            delivery(&decided_at, &json!("ab".repeat(32))),
            "NOTICE_DIGEST_MISMATCH",
        ),
        (
            delivery(&json!("2001-01-01T00:00:00Z"), &notice["digest"]),
            "SENT_AT_INVALID",
        ),
        (
            delivery(&json!("2201-01-01T00:00:00Z"), &notice["digest"]),
            "SENT_AT_INVALID",
        ),
    ] {
        let answer = server.post(&path, "d-2", &bad).await;
        assert_eq!(
            (answer.status, &answer.json()["violations"][0]["reason"]),
            (400, &json!(reason))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_over_grpc_are_those_over_http() {
    let server = Server::start().await;
    activate(&server).await;
    let id = server.decide("A-1", 20_000.0).await;
    let notice = server
        .get(&format!("/v1/decisions/{id}/notice"))
        .await
        .json();
    let decision = server.get(&format!("/v1/decisions/{id}")).await.json();
    let digest: Digest = notice["digest"].as_str().unwrap().parse().unwrap();
    let mut client = NoticeServiceClient::new(server.channel.clone());
    let mut request = RecordNoticeDeliveryRequest {
        idempotency_key: "d-1".to_owned(),
        decision_id: id.clone(),
        channel: DeliveryChannel::Portal.into(),
        sent_at: decision["decided_at"].as_str().unwrap().to_owned(),
        notice_digest: digest.as_bytes().to_vec(),
    };
    let first = client
        .record_notice_delivery(request.clone())
        .await
        .unwrap();
    assert!(!first.into_inner().replayed);
    let again = client
        .record_notice_delivery(request.clone())
        .await
        .unwrap();
    assert!(again.into_inner().replayed);
    request.channel = DeliveryChannel::Unspecified.into();
    let error = api_error(&client.record_notice_delivery(request).await.unwrap_err());
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    assert_eq!(error.violations[0].pointer, "/channel");
    let ask = ListNoticeDeliveriesRequest {
        decision_id: id.clone(),
    };
    let list = client
        .list_notice_deliveries(ask)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(list.deliveries[0].channel(), DeliveryChannel::Portal);
    let path = format!("/v1/decisions/{id}/notice/deliveries");
    let told = server.get(&path).await.json()["deliveries"].clone();
    let only = &told.as_array().unwrap()[..];
    assert_eq!((only.len(), &only[0]["channel"]), (1, &json!("portal")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_begins_with_the_application_and_some_notices_are_not_written() {
    let server = Server::start().await;
    activate(&server).await;
    let score = async |key: &str, received_on: &str, income: Value| {
        let body = json!({
            "application_id": key, "received_on": received_on,
            "features": {"income": income, "housing": "own"},
        });
        server.post("/v1/applications/score", key, &body).await
    };
    let notice = async |decision: &Value| {
        let id = decision["decision_id"].as_str().unwrap();
        server.get(&format!("/v1/decisions/{id}/notice")).await
    };
    let received = score("k-1", "2026-11-20", json!(20_000)).await.json();
    assert_eq!(notice(&received).await.json()["due_by"], "2026-12-20");
    let future = score("k-2", "2999-01-01", json!(20_000)).await;
    assert_eq!(future.status, 400);
    assert_eq!(
        future.json()["violations"][0]["reason"],
        "RECEIVED_ON_IN_FUTURE",
        "{}",
        future.json()
    );
    let from_bureau = json!({"value": 20_000, "source": "bureau"});
    let disclosed = score("k-3", "2026-11-20", from_bureau).await.json();
    let refused = notice(&disclosed).await;
    assert_eq!(
        (refused.status, &refused.json()["reason"]),
        (409, &json!("NOTICE_NOT_WRITTEN"))
    );
}
