//! What the monitor keeps: decisions, protected attributes, outcomes, and sums over them.
//!
//! One trait with two implementations, PostgreSQL and SQLite, that pass one conformance suite.

mod body;
mod postgres;
mod sql;
mod sqlite;

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use fcs_core::ModelVersion;
use fcs_service::database::Database;

use crate::app::change::{Change, Gap, Receipt};
use crate::app::report::{MonitorStatus, Tables};

pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;

/// The store did not answer, or with something else than it was given.
#[derive(Debug, thiserror::Error)]
#[error("{attempt}")]
pub struct StoreError {
    attempt: &'static str,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl StoreError {
    /// Says what was attempted, and why it failed.
    pub fn new(attempt: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            attempt,
            source: source.into(),
        }
    }
}

/// A batch was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The decisions do not follow the log; nothing of the batch is stored.
    #[error(transparent)]
    Gap(#[from] Gap),
    /// The store failed. The batch may be stored all the same; writing it again does no harm.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The port to the store. Every method answers within a limit of its own. Run them on a task and never drop their
/// futures: a transaction dropped half-way leaves its connection in an unknown state.
#[async_trait]
pub trait MonitorStore: Send + Sync + 'static {
    /// Writes a batch, its increments of the counters and the index in one transaction.
    ///
    /// Writers take one lock, in every process on the same store, so no two batches miss each other's facts. A batch
    /// that is written again changes nothing.
    async fn write(&self, change: &Change) -> Result<Receipt, WriteError>;

    /// The counters of one model or of all, summed over minutes and arms, from one snapshot.
    async fn tables(&self, model: Option<&ModelVersion>) -> Result<Tables, StoreError>;

    /// How far the log is counted, and how much is stored.
    async fn status(&self) -> Result<MonitorStatus, StoreError>;
}

/// The store of an open database.
pub fn of(database: &Database) -> Arc<dyn MonitorStore> {
    match database {
        Database::Postgres(pool) => Arc::new(PostgresStore::new(pool.clone())),
        Database::Sqlite(pool) => Arc::new(SqliteStore::new(pool.clone())),
    }
}

/// Applies the migrations that are missing.
pub async fn migrate(database: &Database) -> anyhow::Result<()> {
    database
        .migrate(&postgres::migrations(), &sqlite::migrations())
        .await
}

/// Fails unless every migration of this version is applied. A newer schema is fine: migrations only expand, and
/// the previous release must run on them.
pub async fn check_migrated(database: &Database) -> Result<(), StoreError> {
    const ATTEMPT: &str = "check the schema of the bias monitor: run `bias-monitor migrate`, or set \
                           database.migrate_on_start";
    const APPLIED: &str = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success";
    let (applied, wanted) = match database {
        Database::Postgres(pool) => (
            sqlx::query_scalar(APPLIED).fetch_one(pool).await,
            postgres::migrations(),
        ),
        Database::Sqlite(pool) => (
            sqlx::query_scalar(APPLIED).fetch_one(pool).await,
            sqlite::migrations(),
        ),
    };
    let applied: i64 = applied.map_err(|error| StoreError::new(ATTEMPT, error))?;
    let wanted = wanted
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0);
    if applied < wanted {
        let found = format!("the schema is at version {applied}, this program needs {wanted}");
        return Err(StoreError::new(ATTEMPT, found));
    }
    Ok(())
}
