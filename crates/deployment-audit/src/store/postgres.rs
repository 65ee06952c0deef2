//! The store on PostgreSQL.

use fcs_service::database;
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgRow;

super::sql::sql_store!(PostgresStore, PgPool, PgRow, "BEGIN");
super::sql_rollouts::rollout_store!(PostgresStore, PgRow, "BEGIN");

pub(super) fn migrator() -> Migrator {
    database::migrator(&[
        (
            1,
            "create log",
            include_str!("../../migrations/postgres/0001_create_log.sql"),
        ),
        (
            2,
            "create deployments",
            include_str!("../../migrations/postgres/0002_create_deployments.sql"),
        ),
        (
            3,
            "create rollouts",
            include_str!("../../migrations/postgres/0003_create_rollouts.sql"),
        ),
        (
            5,
            "seal log",
            include_str!("../../migrations/postgres/0005_seal_log.sql"),
        ),
    ])
}
