//! The store on SQLite.

use sqlx::Sqlite;
use sqlx::migrate::Migrator;

use super::sql::sql_store;

// BEGIN IMMEDIATE takes the one write lock of the database at once, so reading the sequencer needs no lock of its own.
sql_store!(
    /// The store on SQLite.
    SqliteStore,
    Sqlite,
    begin = "BEGIN IMMEDIATE",
    lock = "SELECT last_index FROM log_head WHERE id = 1",
);

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
    ])
}
