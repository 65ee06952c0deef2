//! The store on PostgreSQL.

use sqlx::Postgres;
use sqlx::migrate::Migrator;

use super::sql::sql_store;

// READ COMMITTED is enough: every batch takes the lock on the sequencer's row first, and each statement after it has
// a snapshot of its own, taken when the batches before were committed. So the batch sees every key that they
// claimed, and no other batch runs until it ends. A higher level would only add serialisation failures.
sql_store!(
    /// The store on PostgreSQL.
    PostgresStore,
    Postgres,
    begin = "BEGIN ISOLATION LEVEL READ COMMITTED",
    lock = "SELECT last_index FROM log_head WHERE id = 1 FOR UPDATE",
);

pub(super) fn migrations() -> Migrator {
    fcs_service::database::migrator(&[
        (
            1,
            "create decision log",
            include_str!("../../migrations/postgres/0001_create_decision_log.sql"),
        ),
        (
            2,
            "create api clients",
            include_str!("../../migrations/postgres/0002_create_api_clients.sql"),
        ),
    ])
}
