//! The use cases on a real store, with the fake model server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fcs_core::{ApiError, ErrorCode, TenantId};
use fcs_decision::application::Application;
use fcs_decision::features::FeatureInput;
use fcs_decision::record::{DecisionRecord, Outcome};
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;
use fcs_testkit::wait::until;
use scoring_gateway::app::decisions::PageQuery;
use scoring_gateway::app::traffic::TrafficTable;

use crate::support::gateway::{Gateway, stores, table};
use crate::support::{TestStore, applicant, package};

const LIMIT: Duration = Duration::from_secs(10);

fn tenant() -> TenantId {
    Principal::default_tenant()
}

async fn active(test: &TestStore) -> Gateway {
    let gateway = Gateway::start(stores(&test.database)).await;
    gateway.activate("1").await;
    gateway
}

fn refused(error: &ApiError) -> (ErrorCode, &'static str) {
    (error.code, error.reason)
}

#[tokio::test]
async fn the_same_key_gets_the_same_bytes_whatever_happens_meanwhile() {
    let test = TestStore::sqlite().await;
    let gateway = active(&test).await;
    let first = gateway.score("k", applicant(20_000.0, 3.0)).await.unwrap();
    assert!(!first.replayed);
    assert_eq!(first.decision.log_index, 1);
    let record = DecisionRecord::from_bytes(&first.decision.record).unwrap();
    assert_eq!(record.outcome, Outcome::Deny);
    assert!((1..=4).contains(&record.principal_reasons.len()));
    gateway.activate("2").await;
    gateway
        .app
        .traffic
        .apply(2, TrafficTableOf::nobody(3))
        .await
        .unwrap();
    gateway.models.stop();
    let again = gateway.score("k", applicant(20_000.0, 3.0)).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.decision, first.decision);
    assert_eq!(gateway.app.store.highest_index().await.unwrap(), 1);
    // Another process on the same store gives the same answer.
    let other = Gateway::start(stores(&test.reopen().await)).await;
    assert_eq!(
        other
            .score("k", applicant(20_000.0, 3.0))
            .await
            .unwrap()
            .decision,
        first.decision
    );
}

struct TrafficTableOf;

impl TrafficTableOf {
    fn nobody(generation: u64) -> scoring_gateway::app::traffic::ProposedTable {
        scoring_gateway::app::traffic::ProposedTable {
            generation,
            salt: String::new(),
            arms: vec![],
            shadows: None,
        }
    }
}

#[tokio::test]
async fn a_key_with_another_request_is_refused() {
    let test = TestStore::sqlite().await;
    let gateway = active(&test).await;
    gateway.score("k", applicant(20_000.0, 3.0)).await.unwrap();
    let error = gateway
        .score("k", applicant(20_001.0, 3.0))
        .await
        .unwrap_err();
    assert_eq!(
        refused(&error),
        (ErrorCode::IdempotencyMismatch, "IDEMPOTENCY_MISMATCH")
    );
}

#[tokio::test]
async fn a_key_in_flight_is_told_to_come_back() {
    let test = TestStore::sqlite().await;
    let gateway = Arc::new(active(&test).await);
    gateway.models.gate.forget_permits(1_000);
    let first = tokio::spawn({
        let gateway = Arc::clone(&gateway);
        async move { gateway.score("k", applicant(90_000.0, 0.0)).await }
    });
    until(
        "the first request is with the model server",
        LIMIT,
        async || (gateway.models.scores.load(Ordering::SeqCst) == 1).then_some(()),
    )
    .await;
    let error = gateway
        .score("k", applicant(90_000.0, 0.0))
        .await
        .unwrap_err();
    assert_eq!(refused(&error), (ErrorCode::Aborted, "REQUEST_IN_FLIGHT"));
    gateway.models.gate.add_permits(1);
    let first = first.await.unwrap().unwrap();
    let again = gateway.score("k", applicant(90_000.0, 0.0)).await.unwrap();
    assert_eq!((again.replayed, again.decision), (true, first.decision));
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_key_before_the_draft_and_not_after() {
    let test = TestStore::sqlite().await;
    let (gateway, mut jobs) = Gateway::stuck(stores(&test.database), 8).await;
    gateway.activate("1").await;
    let job = tokio::select! {
        _ = gateway.score("k", applicant(90_000.0, 0.0)) => unreachable!("nobody writes"),
        job = jobs.recv() => job.unwrap(),
    };
    // The request is gone and its draft is not.
    let error = gateway
        .score("k", applicant(90_000.0, 0.0))
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::Aborted);
    drop(job);
    gateway.models.gate.forget_permits(1_000);
    let hanging = gateway.score("k", applicant(90_000.0, 0.0));
    assert!(
        tokio::time::timeout(Duration::from_millis(1), hanging)
            .await
            .is_err()
    );
    assert!(
        gateway
            .app
            .flights
            .enter(&crate::store::claim("k", 0))
            .is_ok()
    );
}

#[tokio::test]
async fn without_traffic_it_says_what_to_do() {
    let test = TestStore::sqlite().await;
    let gateway = Gateway::start(stores(&test.database)).await;
    let error = gateway.score("k", applicant(1.0, 0.0)).await.unwrap_err();
    assert_eq!(
        refused(&error),
        (ErrorCode::FailedPrecondition, "NO_ACTIVE_MODEL")
    );
    for word in ["register", "approve", "activate"] {
        assert!(error.message.contains(word), "{word}: {error}");
    }
}

#[tokio::test]
async fn every_broken_feature_is_listed_and_nothing_is_stored() {
    let test = TestStore::sqlite().await;
    let gateway = active(&test).await;
    let features = BTreeMap::from([
        ("income".to_owned(), FeatureInput::Number(-1.0)),
        (
            "housing".to_owned(),
            FeatureInput::Category("tent".to_owned()),
        ),
        ("surprise".to_owned(), FeatureInput::Number(1.0)),
    ]);
    let error = gateway.score("k", features).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    assert_eq!(error.violations.len(), 3, "{:?}", error.violations);
    let mut features = applicant(20_000.0, 0.0);
    features.insert("Sex".to_owned(), FeatureInput::Category("F".to_owned()));
    let error = gateway.score("k", features).await.unwrap_err();
    assert_eq!(
        refused(&error),
        (ErrorCode::InvalidArgument, "PROTECTED_ATTRIBUTE")
    );
    assert!(
        error.message.contains("Sex") && error.message.contains("bias monitor"),
        "{error}"
    );
    assert_eq!(gateway.app.store.highest_index().await.unwrap(), 0);
    gateway.score("k", applicant(20_000.0, 0.0)).await.unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_before_any_work() {
    let test = TestStore::sqlite().await;
    let (gateway, _jobs) = Gateway::stuck(stores(&test.database), 1).await;
    gateway.activate("1").await;
    let gateway = Arc::new(gateway);
    let waiting = tokio::spawn({
        let gateway = Arc::clone(&gateway);
        async move { gateway.score("first", applicant(90_000.0, 0.0)).await }
    });
    until("the first request is scored", LIMIT, async || {
        (gateway.models.scores.load(Ordering::SeqCst) == 1).then_some(())
    })
    .await;
    let error = gateway
        .score("second", applicant(90_000.0, 0.0))
        .await
        .unwrap_err();
    assert_eq!(
        refused(&error),
        (ErrorCode::Unavailable, "WRITER_QUEUE_FULL")
    );
    assert_eq!(error.retry_after_s, Some(1));
    assert_eq!(
        gateway.models.scores.load(Ordering::SeqCst),
        1,
        "no score for a refused request"
    );
    waiting.abort();
}

#[tokio::test]
async fn a_replay_computes_the_same_bytes_with_the_model_of_then() {
    let test = TestStore::sqlite().await;
    let gateway = active(&test).await;
    let mut ids = Vec::new();
    for (key, income, delinquencies) in [
        ("a", 20_000.0, 3.0),
        ("b", 95_000.5, 0.0),
        ("c", 90_000.0, 12.0),
    ] {
        let scored = gateway
            .score(key, applicant(income, delinquencies))
            .await
            .unwrap();
        ids.push(
            DecisionRecord::from_bytes(&scored.decision.record)
                .unwrap()
                .decision_id,
        );
    }
    let mut missing = applicant(60_000.0, 0.0);
    missing.insert("delinquencies".to_owned(), FeatureInput::Missing);
    let scored = gateway.score("d", missing).await.unwrap();
    ids.push(
        DecisionRecord::from_bytes(&scored.decision.record)
            .unwrap()
            .decision_id,
    );
    gateway.activate("2").await;
    // A gateway that starts afresh, with a model server that has loaded nothing.
    let fresh = Gateway::start(stores(&test.reopen().await)).await;
    for id in ids {
        let replay = fresh
            .app
            .replay(&tenant(), id, Deadline::after(LIMIT))
            .await
            .unwrap();
        assert!(
            replay.is_identical(),
            "{}",
            String::from_utf8_lossy(&replay.recomputed)
        );
        assert!(replay.stored.len() > 500);
    }
}

#[tokio::test]
async fn a_restarted_or_absent_model_server_is_survived() {
    let test = TestStore::sqlite().await;
    let gateway = active(&test).await;
    gateway.models.unload();
    gateway.score("a", applicant(90_000.0, 0.0)).await.unwrap();
    gateway.models.stop();
    let error = gateway
        .score("b", applicant(90_000.0, 0.0))
        .await
        .unwrap_err();
    assert_eq!(
        refused(&error),
        (ErrorCode::Unavailable, "MODEL_SERVER_UNAVAILABLE")
    );
    gateway.models.is_up.store(true, Ordering::SeqCst);
    gateway.score("b", applicant(90_000.0, 0.0)).await.unwrap();
    let command = scoring_gateway::app::command::ScoreCommand::new(
        "c",
        "A-c",
        applicant(1.0, 0.0),
        Application::default(),
    )
    .unwrap();
    gateway.models.gate.forget_permits(1_000);
    let deadline = Deadline::after(Duration::from_millis(20));
    let error = gateway
        .app
        .score(&Principal::anyone(), command, deadline)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::DeadlineExceeded);
}

#[tokio::test]
async fn only_verified_models_take_traffic() {
    let test = TestStore::sqlite().await;
    let gateway = Gateway::start(stores(&test.database)).await;
    let apply = async |version| {
        gateway
            .app
            .traffic
            .apply(0, table(1, version))
            .await
            .unwrap_err()
    };
    assert_eq!(apply("forged").await.reason, "MODEL_NOT_TRUSTED");
    assert_eq!(apply("renamed").await.reason, "MODEL_NAME_MISMATCH");
    assert_eq!(
        refused(&apply("absent").await),
        (ErrorCode::NotFound, "MODEL_NOT_FOUND")
    );
    let mut pinned = table(1, "1");
    pinned.arms[0].manifest_digest = Some(package::digest("2"));
    let error = gateway.app.traffic.apply(0, pinned).await.unwrap_err();
    assert_eq!(error.reason, "MODEL_DIGEST_MISMATCH");
    assert_eq!(*gateway.app.traffic.table(), TrafficTable::default());
    assert_eq!(
        gateway.app.store.traffic().await.unwrap(),
        TrafficTable::default()
    );
}

#[tokio::test]
async fn the_traffic_table_is_shared_and_never_goes_back() {
    let test = TestStore::sqlite().await;
    let gateway = active(&test).await;
    assert_eq!(
        gateway.app.traffic.table().arms[0].model.manifest_digest,
        package::digest("1")
    );
    let error = gateway
        .app
        .traffic
        .apply(0, table(5, "2"))
        .await
        .unwrap_err();
    assert_eq!(
        refused(&error),
        (ErrorCode::FailedPrecondition, "GENERATION_CONFLICT")
    );
    let other = Gateway::start(stores(&test.reopen().await)).await;
    assert_eq!(
        other.app.traffic.table(),
        gateway.app.traffic.table(),
        "read at the start"
    );
    other.activate("2").await;
    let again = other.app.traffic.apply(1, table(2, "2")).await.unwrap();
    assert_eq!(again.generation, 2, "the same table again is no conflict");
    assert_eq!(gateway.app.traffic.table().generation, 1);
    gateway.app.traffic.refresh().await.unwrap();
    assert_eq!(gateway.app.traffic.table(), other.app.traffic.table());
}

#[tokio::test]
async fn decisions_are_found_and_listed() {
    let test = TestStore::sqlite().await;
    let gateway = Gateway::start(stores(&test.database)).await;
    gateway.activate("1").await;
    let scored = gateway.score("a", applicant(90_000.0, 0.0)).await.unwrap();
    gateway.score("b", applicant(10_000.0, 5.0)).await.unwrap();
    let id = DecisionRecord::from_bytes(&scored.decision.record)
        .unwrap()
        .decision_id;
    assert_eq!(
        gateway.app.decision(&tenant(), id).await.unwrap(),
        scored.decision
    );
    let unknown = fcs_core::DecisionId::new(fcs_core::UnixMicros(0), &[1; 10]);
    assert_eq!(
        gateway
            .app
            .decision(&tenant(), unknown)
            .await
            .unwrap_err()
            .code,
        ErrorCode::NotFound
    );
    let latest = gateway
        .app
        .latest_decision(&tenant(), &"A-a".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(latest, scored.decision);
    let page = gateway
        .app
        .list_decisions(&tenant(), &PageQuery::default())
        .await
        .unwrap();
    assert_eq!((page.decisions.len(), page.highest_index), (2, 2));
    let too_many = PageQuery {
        page_size: 1_001,
        ..PageQuery::default()
    };
    let error = gateway
        .app
        .list_decisions(&tenant(), &too_many)
        .await
        .unwrap_err();
    assert_eq!(
        refused(&error),
        (ErrorCode::InvalidArgument, "PAGE_SIZE_INVALID")
    );
    let of = PageQuery {
        application_id: Some("A-b".parse().unwrap()),
        ..PageQuery::default()
    };
    assert_eq!(
        gateway
            .app
            .list_decisions(&tenant(), &of)
            .await
            .unwrap()
            .decisions[0]
            .log_index(),
        2
    );
}
