//! The store on PostgreSQL.

use sqlx::Postgres;
use sqlx::migrate::Migrator;

use super::body::sql_store;
use super::evidence_body::sql_evidence_store;

// READ COMMITTED is enough for writes: every batch takes the lock on the state row first, and each statement after
// it has a snapshot of its own, taken when the batches before were committed. A higher level would only add
// serialisation failures. Reads take one snapshot for all their statements.
sql_store!(
    /// The store on PostgreSQL.
    PostgresStore,
    Postgres,
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED",
    lock = "SELECT last_index FROM state WHERE id = 1 FOR UPDATE",
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
);

sql_evidence_store!(
    PostgresStore,
    Postgres,
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED",
    lock = "SELECT policy, last_index, last_entry FROM evidence WHERE id = 1 FOR UPDATE",
);

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
    ])
}
