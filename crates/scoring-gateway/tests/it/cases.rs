//! What is kept beside the log, one conformance suite for both engines.

use fcs_core::{Digest, ReviewId, UnixMicros};
use fcs_service::database::Database;
use scoring_gateway::store::{
    DEFAULT_CLIENT, Delivery, DeliveryChannel, Draft, Review, ReviewOutcome, ReviewReason,
};

use crate::store::{append, claim, draft};
use crate::support::gateway::stores;
use crate::support::{NOW, TestStore, suite};

suite!(
    a_review_is_kept_once_under_its_key,
    reviews_come_in_the_order_of_their_recording,
    deliveries_are_kept_and_read_back,
    nothing_is_changed_or_deleted,
    the_first_signing_key_stays,
    a_review_needs_its_decision,
);

async fn decided(test: &TestStore) -> Draft {
    let draft = draft("k", 1);
    append(
        &*stores(&test.database).decisions,
        std::slice::from_ref(&draft),
    )
    .await;
    draft
}

fn review(of: &Draft, number: u8) -> Review {
    Review {
        review_id: ReviewId::new(NOW, &[number; 10]),
        decision_id: of.summary.decision_id,
        reviewer: "u-1".to_owned(),
        outcome: ReviewOutcome::Deny,
        reasons: vec![ReviewReason {
            code: "C1-06".to_owned(),
            text: "Unable to verify \"it\"".to_owned(),
        }],
        note: "line\none".to_owned(),
        reviewed_at: NOW,
    }
}

async fn a_review_is_kept_once_under_its_key(test: TestStore) {
    let cases = stores(&test.database).cases;
    let of = decided(&test).await;
    let key = claim("r-1", 1);
    assert_eq!(cases.review_of(&key).await.unwrap(), None);
    let first = cases.record_review(&key, &review(&of, 1)).await.unwrap();
    assert_eq!(
        (first.value.clone(), first.same_request),
        (review(&of, 1), true)
    );
    let second = cases
        .record_review(&claim("r-1", 2), &review(&of, 2))
        .await
        .unwrap();
    assert_eq!(
        second.value, first.value,
        "the key stands for the first one"
    );
    assert!(!second.same_request);
    assert_eq!(cases.review_of(&key).await.unwrap(), Some(first));
    assert_eq!(
        cases
            .reviews(&of.claim.tenant, of.summary.decision_id)
            .await
            .unwrap()
            .len(),
        1
    );
}

async fn reviews_come_in_the_order_of_their_recording(test: TestStore) {
    let cases = stores(&test.database).cases;
    let of = decided(&test).await;
    // The later one has the smaller identifier, as from a gateway whose clock is behind.
    for number in [9, 3] {
        cases
            .record_review(&claim(&format!("r-{number}"), 1), &review(&of, number))
            .await
            .unwrap();
    }
    let kept = cases
        .reviews(&of.claim.tenant, of.summary.decision_id)
        .await
        .unwrap();
    assert_eq!(kept, [review(&of, 9), review(&of, 3)]);
}

async fn deliveries_are_kept_and_read_back(test: TestStore) {
    let cases = stores(&test.database).cases;
    let of = decided(&test).await;
    let delivery = |channel| Delivery {
        decision_id: of.summary.decision_id,
        channel,
        sent_at: NOW,
        notice_digest: Digest::from_bytes([7; 32]),
        recorded_at: UnixMicros(NOW.0 + 1),
    };
    for (number, channel) in (1..).zip(DeliveryChannel::ALL) {
        let key = claim(&format!("d-{number}"), number);
        let kept = cases
            .record_delivery(&key, &delivery(channel))
            .await
            .unwrap();
        assert_eq!((kept.value, kept.same_request), (delivery(channel), true));
        assert!(cases.delivery_of(&key).await.unwrap().is_some());
    }
    let kept = cases.deliveries(of.summary.decision_id).await.unwrap();
    assert_eq!(kept, DeliveryChannel::ALL.map(delivery));
}

async fn nothing_is_changed_or_deleted(test: TestStore) {
    let cases = stores(&test.database).cases;
    let of = decided(&test).await;
    cases
        .record_review(&claim("r-1", 1), &review(&of, 1))
        .await
        .unwrap();
    for statement in ["UPDATE reviews SET reviewer = 'x'", "DELETE FROM reviews"] {
        let refused = match &test.database {
            Database::Postgres(pool) => sqlx::query(statement).execute(pool).await.map(drop),
            Database::Sqlite(pool) => sqlx::query(statement).execute(pool).await.map(drop),
        };
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{statement}: {error}");
    }
}

async fn the_first_signing_key_stays(test: TestStore) {
    let here = stores(&test.database).cases;
    let there = stores(&test.reopen().await).cases;
    assert_eq!(
        here.signing_key("page-token", [1; 32]).await.unwrap(),
        [1; 32]
    );
    assert_eq!(
        there.signing_key("page-token", [2; 32]).await.unwrap(),
        [1; 32]
    );
    assert_eq!(
        there.signing_key("another", [3; 32]).await.unwrap(),
        [3; 32]
    );
}

async fn a_review_needs_its_decision(test: TestStore) {
    let cases = stores(&test.database).cases;
    let nowhere = draft("k", 5);
    assert_eq!(nowhere.claim.client, DEFAULT_CLIENT);
    assert!(
        cases
            .record_review(&claim("r-1", 1), &review(&nowhere, 1))
            .await
            .is_err()
    );
}
