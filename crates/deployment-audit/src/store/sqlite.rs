//! The store on SQLite. A transaction takes the write lock at once: a read that turns into a write
//! later would fail instead of waiting.

use fcs_service::database;
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteRow;

super::sql::sql_store!(SqliteStore, SqlitePool, SqliteRow, "BEGIN IMMEDIATE");
super::sql_rollouts::rollout_store!(SqliteStore, SqliteRow, "BEGIN IMMEDIATE");

pub(super) fn migrator() -> Migrator {
    database::migrator(&[
        (
            1,
            "create log",
            include_str!("../../migrations/sqlite/0001_create_log.sql"),
        ),
        (
            2,
            "create deployments",
            include_str!("../../migrations/sqlite/0002_create_deployments.sql"),
        ),
        (
            3,
            "create rollouts",
            include_str!("../../migrations/sqlite/0003_create_rollouts.sql"),
        ),
        (
            5,
            "seal log",
            include_str!("../../migrations/sqlite/0005_seal_log.sql"),
        ),
    ])
}
