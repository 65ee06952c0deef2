//! The store on SQLite.

use sqlx::Sqlite;
use sqlx::migrate::Migrator;

use super::body::sql_store;
use super::evidence_body::sql_evidence_store;

// BEGIN IMMEDIATE takes the one write lock of the database at once, so reading the state needs no lock of its own.
// A read sees the database as it was at its first statement.
sql_store!(
    /// The store on SQLite.
    SqliteStore,
    Sqlite,
    begin_write = "BEGIN IMMEDIATE",
    lock = "SELECT last_index FROM state WHERE id = 1",
    begin_read = "BEGIN",
);

sql_evidence_store!(
    SqliteStore,
    Sqlite,
    begin_write = "BEGIN IMMEDIATE",
    lock = "SELECT policy, last_index, last_entry FROM evidence WHERE id = 1",
);

pub(super) fn migrations() -> Migrator {
    fcs_service::database::migrator(&[
        (
            1,
            "create monitor",
            include_str!("../../migrations/sqlite/0001_create_monitor.sql"),
        ),
        (
            2,
            "watch groups",
            include_str!("../../migrations/sqlite/0002_watch_groups.sql"),
        ),
    ])
}
