//! What is kept about applicants is encrypted, and unreadable once its key is destroyed; on both engines.

use std::path::Path;
use std::sync::Arc;

use fcs_core::{ErrorCode, ReviewId, UnixMicros};
use fcs_service::OsRandom;
use fcs_service::database::Database;
use scoring_gateway::jobs::sealer::{Sealed, Sealer};
use scoring_gateway::metrics::Metrics;
use scoring_gateway::privacy::{KeyFile, Vault};
use scoring_gateway::store::{
    self, Appended, Claim, Draft, Found, PrivacyStore, Review, ReviewOutcome, ReviewReason, Stores,
};
use sqlx::{AssertSqlSafe, Row as _};
use tokio_util::sync::CancellationToken;

use crate::store::{append, claim, draft};
use crate::support::gateway::{Gateway, stores, vault};
use crate::support::{NOW, TestStore, applicant, suite};

suite!(
    no_table_holds_what_an_applicant_said,
    rows_from_before_encryption_are_read_and_then_encrypted,
    a_key_that_the_release_before_takes_meanwhile_is_found,
    keys_are_wrapped_anew_and_a_wrong_file_is_refused,
    a_destroyed_key_leaves_tombstones,
);

/// Stands in every personal value of a marked decision and review.
const MARKER: &str = "c4n4ry";

fn marked() -> Draft {
    let draft = draft(&format!("key-{MARKER}"), 1);
    let record = format!("{{\"income\":\"{MARKER}\"}}").into_bytes();
    let mut summary = draft.summary;
    summary.application_id = format!("A-{MARKER}").parse().unwrap();
    Draft {
        record: record.into(),
        summary,
        ..draft
    }
}

fn review(of: &Draft) -> Review {
    Review {
        review_id: ReviewId::new(NOW, &[1; 10]),
        decision_id: of.summary.decision_id,
        reviewer: format!("u-{MARKER}"),
        outcome: ReviewOutcome::Deny,
        reasons: vec![ReviewReason {
            code: "C1-06".to_owned(),
            text: format!("text {MARKER}"),
        }],
        note: format!("note {MARKER}"),
        reviewed_at: NOW,
    }
}

fn review_claim() -> Claim {
    claim(&format!("review-{MARKER}"), 1)
}

fn of(test: &TestStore, keks: &[(&str, &str)]) -> Stores {
    let keks = keks
        .iter()
        .map(|(id, key)| format!("[[key_encryption_keys]]\nid = \"{id}\"\nkey = \"{key}\"\n"));
    let keks = keks.collect::<Vec<_>>().concat();
    let text = format!("blind_index_key = \"{BLIND_KEY}\"\n{keks}");
    let vault = Vault::new(&KeyFile::parse(&text).unwrap(), Arc::new(OsRandom));
    store::of(&test.database, Arc::new(vault))
}

/// The first column of every row that a statement gives, as text.
pub(crate) async fn texts(database: &Database, statement: String) -> Vec<String> {
    match database {
        Database::Postgres(pool) => {
            let rows = sqlx::query(AssertSqlSafe(statement))
                .fetch_all(pool)
                .await
                .unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        }
        Database::Sqlite(pool) => {
            let rows = sqlx::query(AssertSqlSafe(statement))
                .fetch_all(pool)
                .await
                .unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        }
    }
}

pub(crate) async fn run(database: &Database, statement: &str) {
    match database {
        Database::Postgres(pool) => {
            sqlx::query(AssertSqlSafe(statement.to_owned()))
                .execute(pool)
                .await
                .unwrap();
        }
        Database::Sqlite(pool) => {
            sqlx::query(AssertSqlSafe(statement.to_owned()))
                .execute(pool)
                .await
                .unwrap();
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<Vec<_>>().concat()
}

/// Whether any row of the tables of decisions and reviews holds the marker, as text or within bytes.
async fn tables_hold_marker(database: &Database) -> bool {
    let columns = match database {
        Database::Postgres(_) => ["t::text"; 5],
        Database::Sqlite(_) => [
            "hex(application_id) || hex(record)",
            "hex(client) || hex(key)",
            "hex(reviewer) || hex(reasons) || hex(note) || hex(key) || hex(sealed)",
            "hex(tenant) || hex(application_id)",
            "hex(actor) || hex(reason)",
        ],
    };
    let tables = [
        "decisions",
        "idempotency",
        "reviews",
        "applicant_keys",
        "erasures",
    ];
    let hex = hex(MARKER.as_bytes());
    for (table, columns) in tables.into_iter().zip(columns) {
        for text in texts(database, format!("SELECT {columns} FROM {table} t")).await {
            if text.contains(MARKER) || text.to_lowercase().contains(&hex) {
                return true;
            }
        }
    }
    false
}

/// Whether any file of a folder holds the marker: of SQLite, the database and its write-ahead log.
fn files_hold_marker(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .any(|bytes| {
            bytes
                .windows(MARKER.len())
                .any(|window| window == MARKER.as_bytes())
        })
}

async fn no_table_holds_what_an_applicant_said(test: TestStore) {
    let Stores {
        decisions: log,
        cases,
        ..
    } = store::of(&test.database, vault());
    let draft = marked();
    append(&*log, std::slice::from_ref(&draft)).await;
    cases
        .record_review(&review_claim(), &review(&draft))
        .await
        .unwrap();
    let tenant = &draft.claim.tenant;
    let id = draft.summary.decision_id;
    let found = log.decision(tenant, id).await.unwrap().unwrap();
    assert_eq!(found.kept().unwrap().record, draft.record);
    assert_eq!(cases.reviews(tenant, id).await.unwrap(), [review(&draft)]);
    assert_eq!(log.feed(0, 10).await.unwrap()[0].summary, draft.summary);
    assert!(!tables_hold_marker(&test.database).await);
    assert!(!files_hold_marker(test.folder()));
    // The search finds a marker that is there.
    run(
        &test.database,
        &format!("UPDATE idempotency SET key = '{MARKER}'"),
    )
    .await;
    assert!(tables_hold_marker(&test.database).await);
    if matches!(test.database, Database::Sqlite(_)) {
        assert!(files_hold_marker(test.folder()));
    }
}

/// Puts the marked decision and its review into the store as the release before wrote them.
pub(crate) async fn write_in_the_clear(test: &TestStore) -> Draft {
    write_in_the_clear_at(test, 1).await
}

async fn write_in_the_clear_at(test: &TestStore, index: u64) -> Draft {
    let draft = marked();
    let literal = |bytes: &[u8]| match test.database {
        Database::Postgres(_) => format!("'\\x{}'", hex(bytes)),
        Database::Sqlite(_) => format!("X'{}'", hex(bytes)),
    };
    let (summary, claim, review) = (&draft.summary, &draft.claim, review(&draft));
    let record = literal(&draft.record);
    let digest = literal(summary.record_digest.as_bytes());
    let fingerprint = literal(claim.fingerprint.as_bytes());
    let (id, application, at) = (
        summary.decision_id,
        summary.application_id.as_str(),
        summary.decided_at.0,
    );
    let reasons = serde_json::to_string(&review.reasons).unwrap();
    for statement in [
        format!(
            "INSERT INTO decisions (log_index, tenant, decision_id, application_id, decided_at, outcome, score, \
             probability, model, arm, record, record_digest) VALUES ({index}, 'default', '{id}', '{application}', {at}, \
             'refer', 600, 0.1, 'test-card/1', 'stable', {record}, {digest})"
        ),
        format!(
            "INSERT INTO idempotency (tenant, client, key, fingerprint, decision_id, log_index, created_at) \
             VALUES ('default', '{}', '{}', {fingerprint}, '{id}', {index}, {at})",
            claim.client,
            claim.key.as_str()
        ),
        format!("UPDATE log_head SET last_index = {index}"),
        format!(
            "INSERT INTO reviews (review_id, decision_id, reviewer, outcome, reasons, note, reviewed_at, client, key, \
             fingerprint) VALUES ('{}', '{id}', '{}', 'deny', '{reasons}', '{}', {at}, 'default/default', 'r', \
             {fingerprint})",
            review.review_id, review.reviewer, review.note
        ),
    ] {
        run(&test.database, &statement).await;
    }
    draft
}

pub(crate) fn sealer(privacy: Arc<dyn PrivacyStore>) -> Sealer {
    Sealer {
        store: privacy,
        metrics: Metrics::default(),
        soft: CancellationToken::new(),
    }
}

async fn rows_from_before_encryption_are_read_and_then_encrypted(test: TestStore) {
    let draft = write_in_the_clear(&test).await;
    assert!(tables_hold_marker(&test.database).await);
    let stores = store::of(&test.database, vault());
    let (tenant, summary) = (&draft.claim.tenant, &draft.summary);
    let sealer = sealer(Arc::clone(&stores.privacy));
    let expected = Sealed {
        decisions: 1,
        reviews: 1,
        keys: 0,
    };
    for turn in [expected, Sealed::default()] {
        let log = &stores.decisions;
        let found = log
            .decision(tenant, summary.decision_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.kept().unwrap().record, draft.record);
        let of = log
            .page_of(tenant, &summary.application_id, 0, 10)
            .await
            .unwrap();
        assert_eq!(of, std::slice::from_ref(&found));
        let latest = log.latest(tenant, &summary.application_id).await.unwrap();
        assert_eq!(latest.as_ref(), Some(&found));
        let entry = &log.feed(0, 10).await.unwrap()[0];
        assert_eq!(entry.summary.application_id, summary.application_id);
        let reviews = stores
            .cases
            .reviews(tenant, summary.decision_id)
            .await
            .unwrap();
        assert_eq!(reviews, [review(&draft)]);
        let again = append(&**log, std::slice::from_ref(&draft)).await;
        assert!(
            again[0].same_request && again[0].decision == found,
            "a retry across the change"
        );
        assert_eq!(sealer.turn().await.unwrap(), turn);
    }
    run(&test.database, "DELETE FROM idempotency").await;
    assert!(!tables_hold_marker(&test.database).await);
}

/// While gateways are replaced, those of the release before still write, and a retry must not be decided again.
async fn a_key_that_the_release_before_takes_meanwhile_is_found(test: TestStore) {
    let log = store::of(&test.database, vault()).decisions;
    append(&*log, &[draft("k-1", 11)]).await;
    let theirs = write_in_the_clear_at(&test, 2).await;
    let again = append(&*log, &[draft("k-3", 13), theirs.clone()]).await;
    let indices = again.iter().map(|claimed| claimed.decision.log_index());
    assert_eq!(indices.collect::<Vec<_>>(), [3, 2]);
    assert!(again[1].same_request);
    // Once the keys in the clear are purged, only the primary key tells, and it does.
    let before = UnixMicros(NOW.0 + 1);
    assert_eq!(log.purge_claims(before, 10).await.unwrap(), 3);
    let after = [draft("k-4", 14)];
    for _ in 0..2 {
        assert_eq!(append(&*log, &after).await[0].decision.log_index(), 4);
    }
}

const BLIND_KEY: &str = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";
const KEY_1: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const KEY_2: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

async fn keys_are_wrapped_anew_and_a_wrong_file_is_refused(test: TestStore) {
    let first = of(&test, &[("kek-1", KEY_1)]);
    first.privacy.check_keys().await.unwrap();
    let draft = marked();
    append(&*first.decisions, std::slice::from_ref(&draft)).await;
    let refused = async |keks: &[(&str, &str)]| {
        let error = of(&test, keks).privacy.check_keys().await.unwrap_err();
        format!("{:#}", anyhow::Error::new(error))
    };
    let other = refused(&[("kek-1", KEY_2)]).await;
    assert!(other.contains("not the one"), "{other}");
    let lacking = refused(&[("kek-2", KEY_2)]).await;
    assert!(
        lacking.contains("lacks the key-encryption key \"kek-1\""),
        "{lacking}"
    );
    let both = of(&test, &[("kek-2", KEY_2), ("kek-1", KEY_1)]);
    both.privacy.check_keys().await.unwrap();
    assert_eq!(sealer(both.privacy).turn().await.unwrap().keys, 1);
    let second = of(&test, &[("kek-2", KEY_2)]);
    second.privacy.check_keys().await.unwrap();
    let id = draft.summary.decision_id;
    let found = second.decisions.decision(&draft.claim.tenant, id).await;
    assert_eq!(found.unwrap().unwrap().kept().unwrap().record, draft.record);
    let gone = first.decisions.decision(&draft.claim.tenant, id).await;
    assert!(gone.is_err(), "the former key opens nothing any more");
}

async fn a_destroyed_key_leaves_tombstones(test: TestStore) {
    let gateway = Gateway::start(stores(&test.database)).await;
    gateway.activate("1").await;
    let scored = gateway.score("a", applicant(90_000.0, 0.0)).await.unwrap();
    gateway.score("b", applicant(90_000.0, 0.0)).await.unwrap();
    let log = &gateway.app.store;
    let before = log.feed(0, 10).await.unwrap();
    let destroy = "UPDATE applicant_keys SET kek_id = NULL, wrapped_key = NULL, application_id = NULL, \
                   erased_at = 1795385965000001 WHERE applicant = (SELECT applicant FROM decisions WHERE log_index = 1)";
    run(&test.database, destroy).await;

    let (tenant, first) = (&before[0].tenant, &before[0].summary);
    let read = gateway
        .app
        .decision(tenant, first.decision_id)
        .await
        .unwrap_err();
    assert_eq!(
        (read.code, read.reason),
        (ErrorCode::Gone, "DECISION_ERASED")
    );
    let retried = gateway
        .score("a", applicant(90_000.0, 0.0))
        .await
        .unwrap_err();
    assert_eq!(retried.reason, "DECISION_ERASED");
    let latest = gateway
        .app
        .latest_decision(tenant, &first.application_id)
        .await
        .unwrap_err();
    assert_eq!(latest.reason, "DECISION_ERASED");
    let page = log.page(tenant, 0, 10).await.unwrap();
    let Found::Erased(tombstone) = page[0] else {
        unreachable!("the first decision was erased")
    };
    assert_eq!(
        (tombstone.log_index, tombstone.record_digest),
        (1, scored.decision.record_digest)
    );
    assert!(page[1].kept().is_some(), "its neighbour stays");

    let after = log.feed(0, 10).await.unwrap();
    assert_eq!((after.len(), &after[1]), (2, &before[1]));
    assert!(
        after[0]
            .summary
            .application_id
            .as_str()
            .starts_with("erased:")
    );
    assert_eq!(after[0].summary.record_digest, first.record_digest);
    let again = Draft {
        claim: claim("another", 1),
        summary: first.clone(),
        ..draft("another", 3)
    };
    let fate = log.append(&[again, draft("fine", 7)]).await.unwrap();
    assert_eq!(fate[0], Appended::ApplicationErased);
    assert!(matches!(&fate[1], Appended::Stands(stands) if stands.decision.log_index() == 3));
    let recorded = texts(
        &test.database,
        "SELECT event || ' by ' || actor FROM erasures".to_owned(),
    )
    .await;
    assert_eq!(recorded, ["executed by database"]);
}
