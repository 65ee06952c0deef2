//! What the monitor keeps: decisions, protected attributes, outcomes, and sums over them.
//!
//! One trait with two implementations, PostgreSQL and SQLite, that pass one conformance suite.

mod body;
mod erasure_body;
mod erasure_sql;
mod evidence_body;
mod evidence_sql;
mod examination_body;
mod examination_sql;
mod gap_body;
mod postgres;
mod profile_body;
mod profile_sql;
mod rebuild_body;
mod rebuild_sql;
mod rows;
mod sql;
mod sqlite;

use std::error::Error;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use fcs_core::{Digest, ModelVersion, UnixMicros};
use fcs_fairness::alarm::{Event, Rejection};
use fcs_fairness::policy::AlarmSection;
use fcs_service::database::Database;

use crate::app::change::{Change, Gap, Receipt};
use crate::app::document::OverridePart;
use crate::app::drift::{ModelCounts, Variable, Windows};
use crate::app::erasure::Erased;
use crate::app::evidence::{News, Turn, Turned, Watched, WatchedGroup};
use crate::app::examination::{Found, Scope};
use crate::app::facts::Override;
use crate::app::gaps::{GapTurn, GapTurned, ShadowArm};
use crate::app::rebuild::Rebuilt;
use crate::app::report::{MonitorStatus, Tables};
use crate::app::rollup::FineFrom;

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

/// All minutes.
pub const EVER: Range<i64> = i64::MIN..i64::MAX;

/// The port to the store. Every method answers within a limit of its own. Run them on a task and never drop their
/// futures: a transaction dropped half-way leaves its connection in an unknown state.
#[async_trait]
pub trait MonitorStore: Send + Sync + 'static {
    /// Writes a batch, its increments of the counters and the index in one transaction.
    ///
    /// Writers take one lock, in every process on the same store, so no two batches miss each other's facts. A batch
    /// that is written again changes nothing.
    async fn write(&self, change: &Change) -> Result<Receipt, WriteError>;

    /// The counters of one model or of all, summed over some minutes since the Unix epoch and over arms, from one
    /// snapshot. The calibration is of all minutes.
    async fn tables(
        &self,
        model: Option<&ModelVersion>,
        minutes: Range<i64>,
    ) -> Result<Tables, StoreError>;

    /// The same, with sums of probabilities, by whole hours; they cost more to read.
    async fn tables_with_proxies(
        &self,
        model: Option<&ModelVersion>,
        minutes: Range<i64>,
    ) -> Result<Tables, StoreError>;

    /// How far the log is counted, and how much is stored.
    async fn status(&self) -> Result<MonitorStatus, StoreError>;
}

/// What is known of groups that are watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Highest log index that is in the evidence.
    pub last_index: u64,
    /// Ordered by model, attribute and group.
    pub watched: Vec<(WatchedGroup, Watched)>,
}

/// Something that happened to an alarm, with its place among all of that.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredNews {
    /// From 1 without gaps.
    pub sequence: u64,
    /// What happened.
    pub news: News,
}

/// Why an alarm was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// Nothing is known of the group.
    #[error("there is no such group")]
    Unknown,
    /// The alarm does not allow it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

/// The port to what is kept of evidence and alarms. The same holds as for [`MonitorStore`].
#[async_trait]
pub trait EvidenceStore: Send + Sync + 'static {
    /// Loads everything that is watched and the next decisions, takes the turn, and stores what it led to, in one
    /// transaction under one lock. Under another policy than the last turn's it begins with the first decision.
    async fn take_turn(&self, turn: &Turn<'_>) -> Result<Turned, StoreError>;

    /// Has a person do something about an alarm.
    async fn act(
        &self,
        id: &WatchedGroup,
        event: Event,
        at: UnixMicros,
        rules: &AlarmSection,
    ) -> Result<Result<(), ActError>, StoreError>;

    /// What is known of the groups of a model; of every model if it is empty.
    async fn standing(&self, model: &str) -> Result<Standing, StoreError>;

    /// What happened to alarms after a place, in order; at most so many.
    async fn news(&self, after: u64, limit: u32) -> Result<Vec<StoredNews>, StoreError>;
}

/// The port to evidence on gaps. The same holds as for [`MonitorStore`].
#[async_trait]
pub trait GapStore: Send + Sync + 'static {
    /// How far an arm's outcomes are in the evidence under a policy.
    async fn position(&self, arm: &ShadowArm, policy: Digest) -> Result<u64, StoreError>;

    /// Loads what is known of the arm's model, takes the turn, and stores what it led to, in one transaction under the
    /// lock of [`EvidenceStore::take_turn`]. `None` if the page does not begin where the evidence ends: then another
    /// process has taken it.
    async fn take_gap_turn(&self, turn: &GapTurn<'_>) -> Result<Option<GapTurned>, StoreError>;
}

/// The port to what examinations read, and to overrides. The same holds as for [`MonitorStore`].
#[async_trait]
pub trait ExaminationStore: Send + Sync + 'static {
    /// Counts the decisions of a scope by everything that is asked for, from one snapshot.
    async fn examine(&self, scope: &Scope) -> Result<Found, StoreError>;

    /// Counts the overrides in force of decisions of some minutes, by what model and person decided and by reason.
    async fn overrides(
        &self,
        model: Option<&ModelVersion>,
        minutes: Range<i64>,
    ) -> Result<Vec<OverridePart>, StoreError>;

    /// Records overrides; one whose event is known changes nothing.
    async fn record(&self, overrides: &[Override]) -> Result<Receipt, StoreError>;
}

/// The port to erasures. The same holds as for [`MonitorStore`].
#[async_trait]
pub trait ErasureStore: Send + Sync + 'static {
    /// The place of the latest erasure that is followed.
    async fn place(&self) -> Result<u64, StoreError>;

    /// Puts pseudonyms in the place of application ids, wherever they stand; says how many ids there were. What is
    /// counted stays as it is. One that is followed again changes nothing.
    async fn follow(&self, erased: &[Erased]) -> Result<u64, StoreError>;
}

/// The port to a recount. The same holds as for [`MonitorStore`], but it may take half an hour, and writers fail meanwhile.
#[async_trait]
pub trait RebuildStore: Send + Sync + 'static {
    /// Counts every decision again from what is stored of it, and compares, both by day before `fine_from`. With `apply`,
    /// counters that differ are replaced, in the same transaction.
    async fn rebuild(&self, apply: bool, fine_from: FineFrom) -> Result<Rebuilt, StoreError>;

    /// Rolls the counters of one old day up, the earliest that has any finer than a day; says whether there was one.
    async fn roll_up(&self, fine_from: FineFrom) -> Result<bool, StoreError>;
}

/// The recount of an open database.
pub fn rebuild_of(database: &Database) -> Arc<dyn RebuildStore> {
    match database {
        Database::Postgres(pool) => Arc::new(PostgresStore::new(pool.clone())),
        Database::Sqlite(pool) => Arc::new(SqliteStore::new(pool.clone())),
    }
}

/// A model with counts of bins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedModel {
    /// The model.
    pub model: ModelVersion,
    /// Whether it is known what it was built on.
    pub is_described: bool,
}

/// The port to counts of bins and to what models were built on. The same holds as for [`MonitorStore`].
#[async_trait]
pub trait ProfileStore: Send + Sync + 'static {
    /// The models with counts from an hour on, ordered.
    async fn models(&self, from_hour: i64) -> Result<Vec<CountedModel>, StoreError>;

    /// Keeps what a model was built on.
    async fn put_profile(
        &self,
        model: &ModelVersion,
        variables: &[Variable],
    ) -> Result<(), StoreError>;

    /// A model's counts of a window and of the time before it.
    async fn counts(
        &self,
        model: &ModelVersion,
        windows: Windows,
    ) -> Result<ModelCounts, StoreError>;
}

/// The store of profiles of an open database.
pub fn profiles_of(database: &Database) -> Arc<dyn ProfileStore> {
    match database {
        Database::Postgres(pool) => Arc::new(PostgresStore::new(pool.clone())),
        Database::Sqlite(pool) => Arc::new(SqliteStore::new(pool.clone())),
    }
}

/// The store of evidence of an open database.
pub fn evidence_of(database: &Database) -> Arc<dyn EvidenceStore> {
    match database {
        Database::Postgres(pool) => Arc::new(PostgresStore::new(pool.clone())),
        Database::Sqlite(pool) => Arc::new(SqliteStore::new(pool.clone())),
    }
}

/// The store that follows erasures of an open database.
pub fn erasures_of(database: &Database) -> Arc<dyn ErasureStore> {
    match database {
        Database::Postgres(pool) => Arc::new(PostgresStore::new(pool.clone())),
        Database::Sqlite(pool) => Arc::new(SqliteStore::new(pool.clone())),
    }
}

/// The store of examinations of an open database.
pub fn examinations_of(database: &Database) -> Arc<dyn ExaminationStore> {
    match database {
        Database::Postgres(pool) => Arc::new(PostgresStore::new(pool.clone())),
        Database::Sqlite(pool) => Arc::new(SqliteStore::new(pool.clone())),
    }
}

/// The store of evidence on gaps of an open database.
pub fn gaps_of(database: &Database) -> Arc<dyn GapStore> {
    match database {
        Database::Postgres(pool) => Arc::new(PostgresStore::new(pool.clone())),
        Database::Sqlite(pool) => Arc::new(SqliteStore::new(pool.clone())),
    }
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
