//! The store on SQLite.

use std::future::{Ready, ready};

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, SqliteConnection};

use super::case_sql::sql_case_store;
use super::erasure_sql::sql_erasure_store;
use super::privacy_sql::sql_privacy_store;
use super::shadow_sql::sql_shadow_store;
use super::sql::{StoreFailure, sql_store};
use super::{AppendError, Appended, Draft};

// BEGIN IMMEDIATE takes the one write lock of the database at once, so reading the sequencer needs no lock of its own.
sql_store!(
    /// The store on SQLite.
    SqliteStore,
    Sqlite,
    begin = "BEGIN IMMEDIATE",
    lock = "SELECT last_index FROM log_head WHERE id = 1",
);

impl SqliteStore {
    /// There is no shorter way here: a statement is a call.
    fn append_new(
        _store: &Self,
        _connection: &mut SqliteConnection,
        _drafts: &[Draft],
    ) -> Ready<Result<Option<Vec<Appended>>, AppendError>> {
        ready(Ok(None))
    }

    /// The rows that a statement gives. Which tenant they belong to is up to the statement alone.
    async fn rows(
        &self,
        _tenant: &str,
        query: Statement<'_>,
    ) -> Result<Vec<SqliteRow>, StoreFailure> {
        Ok(query.fetch_all(&self.pool).await?)
    }
}

type Statement<'a> = sqlx::query::Query<'a, Sqlite, sqlx::sqlite::SqliteArguments>;
sql_case_store!(SqliteStore, Sqlite);
sql_shadow_store!(
    SqliteStore,
    Sqlite,
    begin = "BEGIN IMMEDIATE",
    now = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
);
sql_erasure_store!(SqliteStore, Sqlite);
sql_privacy_store!(SqliteStore, Sqlite, begin = "BEGIN IMMEDIATE");

pub(super) fn migrations() -> Migrator {
    fcs_service::database::migrator(&[
        (
            1,
            "create decision log",
            include_str!("../../migrations/sqlite/0001_create_decision_log.sql"),
        ),
        (
            2,
            "create api clients",
            include_str!("../../migrations/sqlite/0002_create_api_clients.sql"),
        ),
        (
            3,
            "add tenants",
            include_str!("../../migrations/sqlite/0003_add_tenants.sql"),
        ),
        (
            4,
            "create reviews and notices",
            include_str!("../../migrations/sqlite/0004_create_reviews_and_notices.sql"),
        ),
        (
            5,
            "create shadow decisions",
            include_str!("../../migrations/sqlite/0005_create_shadow_decisions.sql"),
        ),
        (
            6,
            "widen outcomes",
            include_str!("../../migrations/sqlite/0006_widen_outcomes.sql"),
        ),
        (
            7,
            "encrypt applicants",
            include_str!("../../migrations/sqlite/0007_encrypt_applicants.sql"),
        ),
        (
            8,
            "mark keys in the clear",
            include_str!("../../migrations/sqlite/0008_mark_keys_in_the_clear.sql"),
        ),
        (
            9,
            "keep bins",
            include_str!("../../migrations/sqlite/0009_keep_bins.sql"),
        ),
    ])
}
