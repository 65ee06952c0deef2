//! Erasures: asked for, on hold, executed, and what is left; on both engines and both transports.

use std::sync::Arc;

use fcs_core::{DecisionId, ErrorCode, UnixMicros};
use fcs_decision::calendar::Day;
use fcs_proto::scoring::v1::privacy_service_client::PrivacyServiceClient;
use fcs_proto::scoring::v1::{EraseApplicationRequest, ErasureState, ListErasuresRequest};
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;
use scoring_gateway::app::decisions::REPLAY_TIMEOUT;
use scoring_gateway::jobs::eraser::Eraser;
use scoring_gateway::metrics::Metrics;
use scoring_gateway::store::{self, Draft, ErasureRequest, ErasureStore, Requested};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::privacy::{run, sealer, texts, write_in_the_clear};
use crate::store::{append, claim, draft};
use crate::support::gateway::{Gateway, stores, vault};
use crate::support::server::Server;
use crate::support::{StoppedClock, TestStore, applicant, suite};
use crate::transport::activate;

suite!(
    an_erasure_waits_for_the_end_of_its_hold,
    a_later_decision_prolongs_the_hold,
    nothing_is_erased_while_decisions_are_in_the_clear,
);

const REASON: &str = "asked for by letter";
const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// What the job does at noon of a day, or of the day after it.
async fn erased(store: &Arc<dyn ErasureStore>, day: Day, days_later: i64) -> u64 {
    let noon = UnixMicros::parse_rfc3339(&format!("{day}T12:00:00Z")).unwrap();
    let eraser = Eraser {
        store: Arc::clone(store),
        clock: Arc::new(StoppedClock(UnixMicros(noon.0 + days_later * DAY_MICROS))),
        metrics: Metrics::default(),
        soft: CancellationToken::new(),
    };
    eraser.turn().await.unwrap()
}

/// Nothing gives an erased decision.
async fn assert_gone(gateway: &Gateway, id: DecisionId) {
    let (app, caller) = (&gateway.app, Principal::anyone());
    let deadline = || Deadline::after(REPLAY_TIMEOUT);
    let refusals = [
        app.decision(&caller.tenant, id).await.unwrap_err(),
        app.replay(&caller.tenant, id, deadline())
            .await
            .unwrap_err(),
        app.explain(&caller.tenant, id, deadline())
            .await
            .unwrap_err(),
        app.notice(&caller.tenant, id).await.unwrap_err(),
        gateway
            .score("a", applicant(20_000.0, 3.0))
            .await
            .unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(
            (refusal.code, refusal.reason),
            (ErrorCode::Gone, "DECISION_ERASED")
        );
    }
}

/// The erasure is told to its tenant alone, however often it is asked for.
async fn assert_recorded(gateway: &Gateway) {
    let (app, caller) = (&gateway.app, Principal::anyone());
    let once_more = app.erase(&caller, "A-a", REASON).await.unwrap();
    assert!(once_more.erased_at.is_some());
    assert_eq!(
        app.erasures(&caller.tenant, 0, 10).await.unwrap(),
        std::slice::from_ref(&once_more)
    );
    assert_eq!(
        app.erasures(&caller.tenant, once_more.place, 10)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        app.erasures(&"other".parse().unwrap(), 0, 10)
            .await
            .unwrap(),
        []
    );
    let unknown = app.erase(&caller, "A-nobody", REASON).await.unwrap_err();
    assert_eq!(
        (unknown.code, unknown.reason),
        (ErrorCode::NotFound, "APPLICATION_NOT_FOUND")
    );
}

/// Services that keep application ids are told of which decisions they must forget them, in the words of the feed.
async fn assert_told(gateway: &Gateway) {
    let app = &gateway.app;
    let executed = app.executed_erasures(0, 10).await.unwrap();
    assert_eq!(executed.len(), 1, "{executed:?}");
    let erasure = &executed[0];
    assert_eq!(erasure.log_indices, [1]);
    let entries = app.store.feed(0, 10).await.unwrap();
    assert_eq!(
        entries[0].summary.application_id.as_str(),
        erasure.pseudonym()
    );
    assert_eq!(app.executed_erasures(erasure.place, 10).await.unwrap(), []);
    let error = app.executed_erasures(u64::MAX, 10).await.unwrap_err();
    assert_eq!(error.reason, "AFTER_PLACE_INVALID");
}

async fn an_erasure_waits_for_the_end_of_its_hold(test: TestStore) {
    let gateway = Gateway::start(stores(&test.database)).await;
    gateway.activate("1").await;
    for key in ["a", "b"] {
        gateway.score(key, applicant(20_000.0, 3.0)).await.unwrap();
    }
    let (app, caller) = (&gateway.app, Principal::anyone());
    let before = app.store.feed(0, 10).await.unwrap();
    let id = before[0].summary.decision_id;
    assert!(!before[0].summary.bins.is_empty(), "bins are told");
    let asked = app.erase(&caller, "A-a", REASON).await.unwrap();
    let due = Day::of(before[0].summary.decided_at).plus_months(25);
    assert!(asked.retain_until >= due, "25 months at least");
    assert_eq!(asked.erased_at, None, "on hold");
    assert_eq!(
        (asked.actor.as_str(), asked.reason.as_str()),
        (caller.subject.as_str(), REASON)
    );
    let again = app.erase(&caller, "A-a", "asked for again").await.unwrap();
    assert_eq!(again, asked, "the first request stands");
    assert_eq!(erased(&app.erasures, asked.retain_until, 0).await, 0);
    assert!(app.decision(&caller.tenant, id).await.is_ok());

    assert_eq!(erased(&app.erasures, asked.retain_until, 1).await, 1);
    assert_eq!(erased(&app.erasures, asked.retain_until, 1).await, 0);
    assert_gone(&gateway, id).await;
    assert_told(&gateway).await;
    let after = app.store.feed(0, 10).await.unwrap();
    let digests = |entries: &[store::FeedEntry]| {
        let digests = entries.iter().map(|entry| entry.summary.record_digest);
        digests.collect::<Vec<_>>()
    };
    assert_eq!(digests(&after), digests(&before), "proofs stay");
    let pseudonym = format!("erased:{}", asked.applicant);
    assert_eq!(after[0].summary.application_id.as_str(), pseudonym);
    assert!(after[0].summary.bins.is_empty(), "bins are gone");
    assert_eq!(after[1].summary.bins, before[1].summary.bins);
    assert_recorded(&gateway).await;
    let recorded = texts(
        &test.database,
        "SELECT event FROM erasures ORDER BY place".to_owned(),
    );
    assert_eq!(recorded.await, ["requested", "executed"]);
}

async fn a_later_decision_prolongs_the_hold(test: TestStore) {
    let stores = store::of(&test.database, vault());
    let first = draft("first", 1);
    append(&*stores.decisions, std::slice::from_ref(&first)).await;
    let tenant = first.claim.tenant.clone();
    let request = ErasureRequest {
        tenant: &tenant,
        application_id: &first.summary.application_id,
        actor: "officer",
        reason: REASON,
        at: first.summary.decided_at,
    };
    let asked = stores.erasures.erase(&request).await.unwrap();
    assert!(matches!(&asked, Requested::Noted(erasure) if erasure.erased_at.is_none()));
    let mut second = draft("second", 2);
    second.summary.application_id = first.summary.application_id.clone();
    let second = Draft {
        claim: claim("second", 2),
        retain_until: first.retain_until.plus_months(1),
        ..second
    };
    append(&*stores.decisions, &[second]).await;
    assert_eq!(erased(&stores.erasures, first.retain_until, 1).await, 0);
    let later = first.retain_until.plus_months(1);
    assert_eq!(erased(&stores.erasures, later, 1).await, 1);
}

async fn nothing_is_erased_while_decisions_are_in_the_clear(test: TestStore) {
    let clear = write_in_the_clear(&test).await;
    let stores = store::of(&test.database, vault());
    let tenant = clear.claim.tenant.clone();
    let far = clear.retain_until.plus_months(60);
    let request = ErasureRequest {
        tenant: &tenant,
        application_id: &clear.summary.application_id,
        actor: "officer",
        reason: REASON,
        at: UnixMicros::parse_rfc3339(&format!("{far}T00:00:00Z")).unwrap(),
    };
    assert_eq!(
        stores.erasures.erase(&request).await.unwrap(),
        Requested::InTheClear
    );
    sealer(Arc::clone(&stores.privacy)).turn().await.unwrap();
    let asked = stores.erasures.erase(&request).await.unwrap();
    assert!(
        matches!(&asked, Requested::Noted(erasure) if erasure.erased_at == Some(request.at)),
        "its hold has ended: {asked:?}"
    );
    run(&test.database, "DELETE FROM idempotency").await;
    let left = stores
        .decisions
        .decision(&tenant, clear.summary.decision_id);
    assert!(left.await.unwrap().unwrap().kept().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_transports_ask_and_list() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let body = json!({
        "application_id": "A-9",
        "features": {"income": 20_000, "delinquencies": 3, "housing": "own"},
    });
    let body = body.to_string();
    let scored = server.http(
        "POST",
        "/v1/applications/score",
        "idempotency-key: e-1\r\n",
        body.as_bytes(),
    );
    assert_eq!(scored.await.status, 200);
    let ask = async |body: serde_json::Value| {
        let body = body.to_string();
        server
            .http("POST", "/v1/erasures", "", body.as_bytes())
            .await
    };
    let asked = ask(json!({"application_id": "A-9", "reason": REASON})).await;
    assert_eq!(
        (asked.status, &asked.json()["state"]),
        (200, &json!("scheduled"))
    );
    assert!(!asked.json().to_string().contains("A-9"));
    let bad = ask(json!({"application_id": "A-9", "reason": "about A-9"})).await;
    assert_eq!(
        (bad.status, &bad.json()["reason"]),
        (400, &json!("ERASURE_INVALID"))
    );
    assert_eq!(
        ask(json!({"application_id": "A-0", "reason": REASON}))
            .await
            .status,
        404
    );
    let listed = server
        .http("GET", "/v1/erasures?page_size=10", "", b"")
        .await;
    assert_eq!(listed.json()["erasures"], json!([asked.json()]));
    let odd = server.http("GET", "/v1/erasures?page=2", "", b"").await;
    assert_eq!(odd.status, 400);

    let mut client = PrivacyServiceClient::new(server.channel.clone());
    let request = EraseApplicationRequest {
        application_id: "A-9".to_owned(),
        reason: REASON.to_owned(),
    };
    let answer = client.erase_application(request.clone()).await.unwrap();
    let erasure = answer.into_inner().erasure.unwrap();
    assert_eq!(erasure.state(), ErasureState::Scheduled);
    assert_eq!(json!(erasure.applicant), asked.json()["applicant"]);
    assert_eq!(json!(erasure.on_hold_until), asked.json()["on_hold_until"]);
    let all = client
        .list_erasures(ListErasuresRequest::default())
        .await
        .unwrap();
    assert_eq!(all.into_inner().erasures, [erasure]);
    let empty = EraseApplicationRequest {
        reason: String::new(),
        ..request
    };
    let refused = client.erase_application(empty).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}
