//! One conformance suite for both engines.

use std::sync::Arc;

use fcs_core::{DecisionId, Digest, TenantId, UnixMicros};
use fcs_decision::calendar::Day;
use fcs_decision::cohort::Cohort;
use fcs_decision::record::{Outcome, record_digest};
use fcs_service::auth::Principal;
use fcs_service::database::Database;
use scoring_gateway::app::traffic::{Arm, PinnedModel, TrafficTable};
use scoring_gateway::store::{
    self, AppendError, Appended, Claim, Claimed, DEFAULT_CLIENT, DecisionStore, Draft, Found,
    Summary,
};
use sqlx::Executor as _;
use tokio::task::JoinSet;

use crate::support::gateway::stores;
use crate::support::{NOW, TestStore, suite};

suite!(
    a_batch_gets_contiguous_indices,
    two_writers_leave_no_gap,
    a_taken_key_keeps_its_decision_and_takes_no_index,
    a_key_occurs_twice_in_one_batch,
    two_writers_with_one_key_write_one_decision,
    pages_and_feed_go_by_index,
    an_applications_decisions_are_found,
    the_traffic_table_is_compared_and_set,
    old_keys_are_purged_and_decisions_stay,
    settling_finds_what_is_there,
    a_failed_batch_leaves_nothing,
    a_schema_without_migrations_is_refused,
);

/// A draft of its own for each number, with a record that is only text.
pub(crate) fn draft(key: &str, number: u64) -> Draft {
    draft_at(key, number, NOW)
}

fn draft_at(key: &str, number: u64, decided_at: UnixMicros) -> Draft {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    let record = format!("{{\"key\":\"{key}\",\"number\":{number}}}").into_bytes();
    let summary = Summary {
        decision_id: DecisionId::new(decided_at, &random),
        application_id: format!("A-{}", number % 10).parse().unwrap(),
        decided_at,
        outcome: Outcome::ALL[usize::try_from(number % 5).unwrap()],
        score: 600,
        probability: 0.1,
        model: "test-card/1".parse().unwrap(),
        arm: "stable".to_owned(),
        record_digest: record_digest(&record),
        bins: vec![0, u16::try_from(number).unwrap(), 300],
    };
    Draft {
        claim: claim(key, 1),
        summary,
        record: record.into(),
        retain_until: Day::of(decided_at),
    }
}

/// Appends drafts, none of which is about an application that was erased.
pub(crate) async fn append(store: &dyn DecisionStore, drafts: &[Draft]) -> Vec<Claimed> {
    standing(store.append(drafts).await.unwrap())
}

pub(crate) fn standing(appended: Vec<Appended>) -> Vec<Claimed> {
    let standing = |appended| match appended {
        Appended::Stands(claimed) => claimed,
        Appended::ApplicationErased => unreachable!("the application was erased"),
    };
    appended.into_iter().map(standing).collect()
}

fn record(found: &Found) -> Arc<[u8]> {
    found.kept().unwrap().record.clone()
}

fn tenant() -> TenantId {
    Principal::default_tenant()
}

pub(crate) fn claim(key: &str, fingerprint: u8) -> Claim {
    Claim {
        tenant: Principal::default_tenant(),
        client: DEFAULT_CLIENT.to_owned(),
        key: key.parse().unwrap(),
        fingerprint: Digest::from_bytes([fingerprint; 32]),
    }
}

fn drafts(from: u64, to: u64) -> Vec<Draft> {
    (from..to)
        .map(|number| draft(&format!("key-{number}"), number))
        .collect()
}

fn indices(claimed: &[Claimed]) -> Vec<u64> {
    claimed
        .iter()
        .map(|claimed| claimed.decision.log_index())
        .collect()
}

/// The log holds 1 to `count`, without a gap, and the head agrees.
async fn assert_gap_free(store: &dyn DecisionStore, count: u64) {
    let mut seen = Vec::new();
    loop {
        let page = store
            .feed(seen.last().copied().unwrap_or(0), 500)
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.iter().map(|entry| entry.log_index));
    }
    assert_eq!(seen, (1..=count).collect::<Vec<_>>());
    assert_eq!(store.highest_index().await.unwrap(), count);
}

async fn a_batch_gets_contiguous_indices(test: TestStore) {
    let store = stores(&test.database).decisions;
    assert_eq!(store.highest_index().await.unwrap(), 0);
    assert_eq!(append(&*store, &[]).await, []);
    assert_eq!(indices(&append(&*store, &drafts(0, 3)).await), [1, 2, 3]);
    assert_eq!(indices(&append(&*store, &drafts(3, 5)).await), [4, 5]);
    let third = &drafts(0, 3)[2];
    let stored = store
        .decision(&tenant(), third.summary.decision_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (stored.log_index(), record(&stored)),
        (3, third.record.clone())
    );
    assert_eq!(stored.record_digest(), third.summary.record_digest);
    let claimed = store.claimed(&third.claim).await.unwrap().unwrap();
    assert_eq!((claimed.same_request, claimed.decision), (true, stored));
    let elsewhere = Claim {
        client: "another-client".to_owned(),
        ..third.claim.clone()
    };
    assert_eq!(store.claimed(&elsewhere).await.unwrap(), None);
    assert_gap_free(&*store, 5).await;
}

async fn two_writers_leave_no_gap(test: TestStore) {
    let writers = [
        stores(&test.database).decisions,
        stores(&test.reopen().await).decisions,
    ];
    let mut tasks = JoinSet::new();
    for (writer, store) in writers.iter().enumerate() {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            for batch in 0..20 {
                let from = writer as u64 * 1_000 + batch * 10;
                let written = indices(&append(&*store, &drafts(from, from + 7)).await);
                let contiguous = (written[0]..written[0] + 7).collect::<Vec<_>>();
                assert_eq!(written, contiguous, "a batch is one run");
            }
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
    assert_gap_free(&*writers[0], 2 * 20 * 7).await;
}

async fn a_taken_key_keeps_its_decision_and_takes_no_index(test: TestStore) {
    let store = stores(&test.database).decisions;
    let first = append(&*store, &[draft("known", 1)]).await.remove(0);
    let batch = [draft("new-1", 2), draft("known", 3), draft("new-2", 4)];
    let claimed = append(&*store, &batch).await;
    assert_eq!(indices(&claimed), [2, 1, 3]);
    assert_eq!(claimed[1], first, "the first decision, byte for byte");
    let mismatch = Draft {
        claim: claim("known", 9),
        ..draft("known", 5)
    };
    let claimed = append(&*store, &[mismatch]).await;
    assert_eq!(claimed[0].decision, first.decision);
    assert!(
        !claimed[0].same_request,
        "the key stands for the first request"
    );
    assert_gap_free(&*store, 3).await;
}

async fn a_key_occurs_twice_in_one_batch(test: TestStore) {
    let store = stores(&test.database).decisions;
    let batch = [draft("twice", 1), draft("once", 2), draft("twice", 3)];
    let claimed = append(&*store, &batch).await;
    assert_eq!(indices(&claimed), [1, 2, 1]);
    assert_eq!(claimed[2], claimed[0]);
    assert_eq!(record(&claimed[2].decision), batch[0].record);
    assert_gap_free(&*store, 2).await;
}

async fn two_writers_with_one_key_write_one_decision(test: TestStore) {
    let writers = [
        stores(&test.database).decisions,
        stores(&test.reopen().await).decisions,
    ];
    for round in 0..20 {
        let key = format!("contested-{round}");
        let (left, right) = ([draft(&key, round * 2)], [draft(&key, round * 2 + 1)]);
        let (left, right) = tokio::join!(writers[0].append(&left), writers[1].append(&right));
        assert_eq!(left.unwrap(), right.unwrap());
    }
    assert_gap_free(&*writers[0], 20).await;
}

async fn pages_and_feed_go_by_index(test: TestStore) {
    let store = stores(&test.database).decisions;
    let drafts = drafts(0, 10);
    append(&*store, &drafts).await;
    let page = store.page(&tenant(), 4, 3).await.unwrap();
    assert_eq!(
        page.iter().map(Found::log_index).collect::<Vec<_>>(),
        [5, 6, 7]
    );
    assert_eq!(record(&page[0]), drafts[4].record);
    let feed = store.feed(8, 100).await.unwrap();
    assert_eq!(feed.len(), 2);
    assert_eq!(
        (feed[1].log_index, &feed[1].summary),
        (10, &drafts[9].summary)
    );
    for beyond in [10, 1_000, u64::MAX] {
        assert_eq!(store.feed(beyond, 10).await.unwrap(), []);
        assert_eq!(store.page(&tenant(), beyond, 10).await.unwrap(), []);
    }
}

async fn an_applications_decisions_are_found(test: TestStore) {
    let store = stores(&test.database).decisions;
    append(&*store, &drafts(0, 35)).await;
    let id = "A-3".parse().unwrap();
    assert_eq!(
        store
            .latest(&tenant(), &id)
            .await
            .unwrap()
            .unwrap()
            .log_index(),
        34
    );
    let of = store.page_of(&tenant(), &id, 4, 2).await.unwrap();
    assert_eq!(
        of.iter().map(Found::log_index).collect::<Vec<_>>(),
        [14, 24]
    );
    assert_eq!(
        store
            .latest(&tenant(), &"unknown".parse().unwrap())
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        store
            .decision(&tenant(), draft("none", 99).summary.decision_id)
            .await
            .unwrap(),
        None
    );
}

async fn the_traffic_table_is_compared_and_set(test: TestStore) {
    let store = stores(&test.database).decisions;
    assert_eq!(store.traffic().await.unwrap(), TrafficTable::default());
    let model = PinnedModel {
        version: "test-card/1".parse().unwrap(),
        manifest_digest: Digest::from_bytes([7; 32]),
    };
    let arms = vec![Arm {
        name: "stable".to_owned(),
        model,
        weight_basis_points: 10_000,
        cohort: Cohort::default(),
    }];
    let table = TrafficTable::after(&TrafficTable::default(), 3, "s\"'".to_owned(), arms, vec![]);
    assert!(
        !store.swap_traffic(1, &table).await.unwrap(),
        "another generation is in force"
    );
    assert!(store.swap_traffic(0, &table).await.unwrap());
    assert_eq!(store.traffic().await.unwrap(), table);
    let others: Vec<_> = (4..8)
        .map(|generation| TrafficTable {
            generation,
            ..table.clone()
        })
        .collect();
    let swaps = others.iter().map(|other| store.swap_traffic(3, other));
    let won = futures::future::join_all(swaps)
        .await
        .into_iter()
        .filter(|swap| *swap.as_ref().unwrap());
    assert_eq!(won.count(), 1, "one of several wins");
    let fleet = stores(&test.database).fleet;
    assert_eq!(fleet.table(0).await.unwrap(), Some(TrafficTable::default()));
    assert_eq!(
        fleet.table(3).await.unwrap(),
        Some(table),
        "earlier tables are kept"
    );
    assert_eq!(fleet.table(2).await.unwrap(), None);
    let current = store.traffic().await.unwrap();
    assert_eq!(
        fleet.table(current.generation).await.unwrap(),
        Some(current)
    );
}

async fn old_keys_are_purged_and_decisions_stay(test: TestStore) {
    let store = stores(&test.database).decisions;
    let aged =
        |number: u64, age: i64| draft_at(&format!("k-{number}"), number, UnixMicros(NOW.0 - age));
    append(&*store, &[aged(1, 10), aged(2, 9), aged(3, 8), aged(4, 0)]).await;
    let before = UnixMicros(NOW.0 - 5);
    assert_eq!(store.purge_claims(before, 2).await.unwrap(), 2);
    assert_eq!(store.purge_claims(before, 2).await.unwrap(), 1);
    assert_eq!(store.purge_claims(before, 2).await.unwrap(), 0);
    let known = async |number: u64| {
        store
            .claimed(&aged(number, 0).claim)
            .await
            .unwrap()
            .is_some()
    };
    assert!(!known(1).await && !known(3).await && known(4).await);
    assert_gap_free(&*store, 4).await;
}

async fn settling_finds_what_is_there(test: TestStore) {
    let store = stores(&test.database).decisions;
    let written = append(&*store, &drafts(0, 2)).await;
    let claims = [claim("never", 1), claim("key-1", 1), claim("key-0", 1)];
    let settled = store.settle(&claims).await.unwrap();
    assert_eq!(
        settled,
        [None, Some(written[1].clone()), Some(written[0].clone())]
    );
    assert_eq!(store.settle(&[]).await.unwrap(), []);
    assert_gap_free(&*store, 2).await;
}

/// The second insert of the transaction fails, so the first one and the index must not stay.
async fn a_failed_batch_leaves_nothing(test: TestStore) {
    let store = stores(&test.database).decisions;
    append(&*store, &drafts(0, 1)).await;
    let clash = Draft {
        claim: claim("another-key", 1),
        ..drafts(0, 1).remove(0)
    };
    let error = store.append(&[draft("fine", 7), clash]).await.unwrap_err();
    assert!(matches!(error, AppendError::NotWritten(_)), "{error:?}");
    assert_gap_free(&*store, 1).await;
    assert_eq!(indices(&append(&*store, &[draft("fine", 7)]).await), [2]);
}

const FORGET: &str = "UPDATE _sqlx_migrations SET success = FALSE";

async fn a_schema_without_migrations_is_refused(test: TestStore) {
    store::check_migrated(&test.database).await.unwrap();
    match &test.database {
        Database::Postgres(pool) => drop(pool.execute(FORGET).await.unwrap()),
        Database::Sqlite(pool) => drop(pool.execute(FORGET).await.unwrap()),
    }
    let error = store::check_migrated(&test.database).await.unwrap_err();
    assert!(
        error.to_string().contains("scoring-gateway migrate"),
        "{error}"
    );
}

/// PostgreSQL says "canceling wait for synchronous replication" as a warning of a commit that succeeds. Such a
/// commit is not an answer; what it wrote is found once a commit is confirmed without a warning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_with_a_warning_is_not_confirmed() {
    let test = TestStore::postgres().await;
    let Database::Postgres(pool) = &test.database else {
        unreachable!("opened as PostgreSQL")
    };
    pool.execute(
        "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           RAISE WARNING 'canceling wait for synchronous replication due to user request'; RETURN NULL; \
         END $$; \
         CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON decisions \
           DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION warn()",
    )
    .await
    .unwrap();
    let store = stores(&test.database).decisions;
    let draft = draft("warned", 1);
    let error = store
        .append(std::slice::from_ref(&draft))
        .await
        .unwrap_err();
    let AppendError::Unknown(source) = error else {
        panic!("the outcome is unknown: {error:?}")
    };
    let cause = std::error::Error::source(&source).unwrap().to_string();
    assert!(cause.contains("synchronous replication"), "{cause}");
    let settled = store
        .settle(std::slice::from_ref(&draft.claim))
        .await
        .unwrap();
    assert_eq!(record(&settled[0].as_ref().unwrap().decision), draft.record);
    pool.execute("DROP TRIGGER warn ON decisions")
        .await
        .unwrap();
    assert_eq!(indices(&append(&*store, &drafts(2, 3)).await), [2]);
}

/// The server ends the connection while it works on the commit: nobody is told whether it was done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_on_the_commit_leaves_the_outcome_unknown() {
    let test = TestStore::postgres().await;
    let Database::Postgres(pool) = &test.database else {
        unreachable!("opened as PostgreSQL")
    };
    pool.execute(
        "CREATE FUNCTION hang_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; \
         END $$; \
         CREATE CONSTRAINT TRIGGER hang_up AFTER INSERT ON decisions \
           DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hang_up()",
    )
    .await
    .unwrap();
    let store = stores(&test.database).decisions;
    let draft = draft("cut-off", 1);
    let error = store
        .append(std::slice::from_ref(&draft))
        .await
        .unwrap_err();
    assert!(matches!(error, AppendError::Unknown(_)), "{error:?}");
    assert_eq!(
        store
            .settle(std::slice::from_ref(&draft.claim))
            .await
            .unwrap(),
        [None]
    );
    pool.execute("DROP TRIGGER hang_up ON decisions")
        .await
        .unwrap();
    assert_eq!(indices(&append(&*store, &[draft]).await), [1]);
}
