//! What gateways tell each other through the store, on both engines.

use std::time::Duration;

use fcs_service::database::Database;
use fcs_testkit::wait::until;
use sqlx::{AssertSqlSafe, Executor as _};

use crate::support::gateway::stores;
use crate::support::{TestStore, suite};

const LIMIT: Duration = Duration::from_secs(10);

suite!(
    gateways_say_which_table_they_serve,
    tables_without_cohorts_are_read,
);

async fn gateways_say_which_table_they_serve(test: TestStore) {
    let fleet = stores(&test.database).fleet;
    assert_eq!(fleet.instances().await.unwrap(), []);
    fleet.beat("gw_2", 7).await.unwrap();
    fleet.beat("gw_1", 6).await.unwrap();
    let seen = async || -> Vec<(String, u64)> {
        let instances = fleet.instances().await.unwrap();
        instances
            .into_iter()
            .map(|it| (it.id, it.generation))
            .collect()
    };
    assert_eq!(
        seen().await,
        [("gw_1".to_owned(), 6), ("gw_2".to_owned(), 7)]
    );
    let first = fleet.instances().await.unwrap().remove(0);
    assert!(!first.is_stale(), "{first:?}");
    until("its age grows until it speaks again", LIMIT, async || {
        let now = fleet.instances().await.unwrap().remove(0);
        assert_eq!(now.seen_at, first.seen_at);
        (now.age > first.age).then_some(())
    })
    .await;
    fleet.beat("gw_1", 7).await.unwrap();
    let again = fleet.instances().await.unwrap().remove(0);
    assert!(
        again.seen_at > first.seen_at && again.generation == 7,
        "{again:?}"
    );
    fleet.leave("gw_1").await.unwrap();
    fleet.leave("gw_1").await.unwrap();
    assert_eq!(seen().await, [("gw_2".to_owned(), 7)]);
    let forget = "UPDATE gateway_instances SET seen_at = seen_at - 86400000001";
    match &test.database {
        Database::Postgres(pool) => drop(pool.execute(forget).await.unwrap()),
        Database::Sqlite(pool) => drop(pool.execute(forget).await.unwrap()),
    }
    fleet.beat("gw_3", 7).await.unwrap();
    assert_eq!(
        seen().await,
        [("gw_3".to_owned(), 7)],
        "who is long gone is forgotten"
    );
}

/// The row of a release that knew no cohorts, and one that nobody can have written.
async fn tables_without_cohorts_are_read(test: TestStore) {
    let put = async |arms: &str| {
        let update = format!("UPDATE traffic SET generation = generation + 1, arms = '{arms}'");
        match &test.database {
            Database::Postgres(pool) => drop(pool.execute(AssertSqlSafe(update)).await.unwrap()),
            Database::Sqlite(pool) => drop(pool.execute(AssertSqlSafe(update)).await.unwrap()),
        }
    };
    let arm = |name: &str, weight: u32| {
        let model = format!(
            r#"{{"version": "test-card/1", "manifest_digest": "{}"}}"#,
            "0".repeat(64)
        );
        format!(r#"{{"name": "{name}", "model": {model}, "weight_basis_points": {weight}}}"#)
    };
    put(&format!(
        "[{}, {}]",
        arm("canary", 500),
        arm("stable", 9_500)
    ))
    .await;
    let store = stores(&test.database).decisions;
    let table = store.traffic().await.unwrap();
    let cohorts = table.arms.iter().flat_map(|arm| arm.cohort.ranges());
    assert!(cohorts.eq(&[0..500, 500..10_000]));
    put(&format!("[{}]", arm("canary", 500))).await;
    let error = format!(
        "{:#}",
        anyhow::Error::new(store.traffic().await.unwrap_err())
    );
    assert!(error.contains("do not cover the traffic"), "{error}");
}
