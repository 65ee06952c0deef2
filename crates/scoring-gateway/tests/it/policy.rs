//! The rules of a policy, and reason texts by language, through the whole gateway.

use std::time::Duration;

use fcs_core::ErrorCode;
use fcs_decision::application::{Amount, Application};
use fcs_decision::features::FeatureInput;
use fcs_decision::record::{DecidedBy, DecisionRecord, Outcome};
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;

use crate::support::gateway::{Gateway, stores};
use crate::support::{TestStore, applicant};

async fn with_rules(test: &TestStore) -> Gateway {
    let gateway = Gateway::start(stores(&test.database)).await;
    gateway.activate("rules").await;
    gateway
}

/// Decides, checks that a replay gives the same bytes, and that the feed tells the outcome.
async fn decide(
    gateway: &Gateway,
    key: &str,
    income: FeatureInput,
    application: Application,
) -> DecisionRecord {
    let mut features = applicant(90_000.0, 0.0);
    features.insert("income".to_owned(), income);
    let scored = gateway.apply(key, features, application).await.unwrap();
    let record = DecisionRecord::from_bytes(&scored.decision.record).unwrap();
    let deadline = Deadline::after(Duration::from_secs(10));
    let replay = gateway
        .app
        .replay(&Principal::default_tenant(), record.decision_id, deadline)
        .await
        .unwrap();
    assert!(replay.is_identical(), "{key}");
    let before = scored.decision.log_index - 1;
    let feed = gateway.app.store.feed(before, 1).await.unwrap();
    assert_eq!(feed[0].summary.outcome, record.outcome);
    record
}

fn asks(value: &str, currency: &str) -> Application {
    Application {
        amount: Some(Amount {
            value: value.to_owned(),
            currency: currency.to_owned(),
        }),
        ..Application::default()
    }
}

#[tokio::test]
async fn every_action_is_decided_recorded_and_replayed() {
    let test = TestStore::sqlite().await;
    let gateway = with_rules(&test).await;
    let rich = || FeatureInput::Number(90_000.0);
    let approved = decide(&gateway, "a", rich(), Application::default()).await;
    assert_eq!(
        (approved.outcome, approved.decided_by),
        (Outcome::Approve, DecidedBy::Score)
    );
    let offered = decide(&gateway, "b", rich(), asks("5000.01", "USD")).await;
    assert_eq!(
        (offered.outcome, offered.decided_by),
        (Outcome::Counteroffer, DecidedBy::PolicyRule)
    );
    assert_eq!(
        offered.counteroffer.unwrap().amount.unwrap().value,
        "5000.00"
    );
    let other_currency = decide(&gateway, "c", rich(), asks("5000.01", "EUR")).await;
    assert_eq!(other_currency.outcome, Outcome::Approve);
    let card = Application {
        product: Some("card".to_owned()),
        ..Application::default()
    };
    assert_eq!(
        decide(&gateway, "d", rich(), card).await.outcome,
        Outcome::Refer
    );
    let incomplete = decide(&gateway, "e", FeatureInput::Missing, Application::default()).await;
    assert_eq!(
        (incomplete.outcome, incomplete.score),
        (Outcome::Incomplete, None)
    );
    let denied = decide(
        &gateway,
        "f",
        FeatureInput::Number(10_000.0),
        Application::default(),
    )
    .await;
    assert_eq!(
        (denied.outcome, denied.decided_by),
        (Outcome::Deny, DecidedBy::Score)
    );
    assert_eq!(denied.policy.applied.unwrap().name, "test-policy");
    assert_eq!(gateway.app.store.highest_index().await.unwrap(), 6);
}

#[tokio::test]
async fn reasons_come_in_the_language_of_the_request() {
    let test = TestStore::sqlite().await;
    let gateway = with_rules(&test).await;
    let language = |tag: &str| Application {
        language: Some(tag.to_owned()),
        ..Application::default()
    };
    let poor = || FeatureInput::Number(10_000.0);
    let english = decide(&gateway, "a", poor(), Application::default()).await;
    assert_eq!(english.principal_reasons[0].text, "Income insufficient");
    let spanish = decide(&gateway, "b", poor(), language("es-MX")).await;
    assert_eq!(spanish.principal_reasons[0].text, "Ingresos insuficientes");
    let source = spanish.reason_texts.unwrap();
    assert_eq!(
        (source.language.as_str(), source.version.as_str()),
        ("es", "2")
    );
    let refused = gateway
        .apply("c", applicant(10_000.0, 0.0), language("fr"))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code, refused.reason),
        (ErrorCode::InvalidArgument, "LANGUAGE_NOT_AVAILABLE")
    );
    assert!(refused.message.contains("en, es"), "{}", refused.message);
    assert_eq!(refused.violations[0].pointer, "/language");
}

#[tokio::test]
async fn a_missing_value_without_a_rule_is_refused_as_before() {
    let test = TestStore::sqlite().await;
    let gateway = Gateway::start(stores(&test.database)).await;
    gateway.activate("1").await;
    let mut features = applicant(1.0, 0.0);
    features.remove("income");
    let error = gateway.score("k", features).await.unwrap_err();
    assert_eq!(error.violations[0].reason, "FEATURE_REQUIRED");
    assert_eq!(gateway.app.store.highest_index().await.unwrap(), 0);
}
