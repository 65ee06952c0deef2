//! The store on PostgreSQL.

use std::fmt::Write as _;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Postgres};

use super::body::sql_store;
use super::erasure_body::sql_erasure_store;
use super::evidence_body::sql_evidence_store;
use super::examination_body::sql_examination_store;
use super::gap_body::sql_gap_store;
use super::profile_body::sql_profile_store;
use super::rebuild_body::sql_rebuild_store;
use super::rows::{Column, Engine, Find, Insert};

// READ COMMITTED is enough for writes: every batch takes the lock on the state row first, and each statement after
// it has a snapshot of its own, taken when the batches before were committed. A higher level would only add
// serialisation failures. Reads take one snapshot for all their statements. Batches look up by key and nothing else,
// but a plan made while a table is small, or not yet analysed, would read all of it, and go on doing so.
sql_store!(
    /// The store on PostgreSQL.
    PostgresStore,
    Postgres,
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED",
    lock = "SELECT last_index, set_config('enable_seqscan', 'off', true) FROM state WHERE id = 1 FOR UPDATE",
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
);

sql_evidence_store!(
    PostgresStore,
    Postgres,
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED",
    lock = "SELECT policy, last_index, last_entry FROM evidence WHERE id = 1 FOR UPDATE",
);

sql_gap_store!(
    PostgresStore,
    Postgres,
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED"
);

sql_examination_store!(
    PostgresStore,
    Postgres,
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED",
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
);

sql_profile_store!(PostgresStore, Postgres);

sql_rebuild_store!(
    PostgresStore,
    Postgres,
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED",
    lock = "SELECT last_index, set_config('enable_seqscan', 'off', true), set_config('statement_timeout', '0', true), \
            set_config('idle_in_transaction_session_timeout', '0', true) \
            FROM state WHERE id = 1 FOR UPDATE",
);

sql_erasure_store!(
    PostgresStore,
    Postgres,
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED",
    lock = "SELECT last_index, set_config('enable_seqscan', 'off', true), set_config('statement_timeout', '0', true), \
            set_config('idle_in_transaction_session_timeout', '0', true) \
            FROM state WHERE id = 1 FOR UPDATE",
);

/// A column is one parameter, an array, so that the text of a statement never changes and is planned once.
impl Engine for Postgres {
    async fn insert(
        connection: &mut PgConnection,
        insert: &Insert,
        columns: &[Column<'_>],
    ) -> Result<(), sqlx::Error> {
        let Insert {
            into,
            columns: names,
            on_conflict,
        } = insert;
        let mut arrays = String::new();
        for (place, column) in columns.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let element = match column {
                Column::Integers(_) => "bigint",
                Column::Texts(_) => "text",
            };
            let _ = write!(arrays, "{comma}${}::{element}[]", place + 1);
        }
        let statement =
            format!("INSERT INTO {into} ({names}) SELECT * FROM UNNEST({arrays}) {on_conflict}");
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for column in columns {
            query = match column {
                Column::Integers(values) => query.bind(values),
                Column::Texts(values) => query.bind(values),
            };
        }
        query.execute(connection).await?;
        Ok(())
    }

    async fn find(
        connection: &mut PgConnection,
        Find(select): &Find,
        ids: &[&str],
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let statement = format!("{select} = ANY($1)");
        let query = sqlx::query(AssertSqlSafe(statement)).bind(ids);
        query.fetch_all(connection).await
    }
}

pub(super) fn migrations() -> Migrator {
    fcs_service::database::migrator(&[
        (
            1,
            "create monitor",
            include_str!("../../migrations/postgres/0001_create_monitor.sql"),
        ),
        (
            2,
            "watch groups",
            include_str!("../../migrations/postgres/0002_watch_groups.sql"),
        ),
        (
            3,
            "count bins",
            include_str!("../../migrations/postgres/0003_count_bins.sql"),
        ),
        (
            4,
            "take group probabilities",
            include_str!("../../migrations/postgres/0004_take_group_probabilities.sql"),
        ),
        (
            5,
            "watch proxies",
            include_str!("../../migrations/postgres/0005_watch_proxies.sql"),
        ),
        (
            6,
            "compare shadows",
            include_str!("../../migrations/postgres/0006_compare_shadows.sql"),
        ),
        (
            7,
            "take overrides",
            include_str!("../../migrations/postgres/0007_take_overrides.sql"),
        ),
        (
            8,
            "follow erasures",
            include_str!("../../migrations/postgres/0008_follow_erasures.sql"),
        ),
    ])
}
