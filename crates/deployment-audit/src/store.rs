//! The durable state: events of deployments, leaves of the log, digests of decisions, checkpoints.
//!
//! One trait, two engines. Each write is one transaction that first takes the row lock of `log_head`,
//! so leaf indexes have no gaps and become visible in order.

mod postgres;
pub mod rollouts;
mod sql;
mod sql_rollouts;
mod sqlite;

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use fcs_core::{Digest, UnixMicros};
use fcs_service::database::Database;

/// What the events of a deployment add up to, as far as the database checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Environment that the deployment changes.
    pub environment: String,
    /// Identity of the author, in lower case.
    pub author: String,
    /// Identity of the requester, in lower case.
    pub requester: String,
    /// Identity of the approver, in lower case.
    pub approver: Option<String>,
    /// Name of the state.
    pub state: String,
}

/// An event to append, with its leaf.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Deployment that the event belongs to.
    pub deployment_id: String,
    /// Position in the deployment's history, from 1; a position can be taken once.
    pub sequence: u64,
    /// When it happened.
    pub occurred_at: UnixMicros,
    /// Who did it.
    pub actor: String,
    /// Kind of event, for example `approved`.
    pub kind: String,
    /// The event as canonical JSON.
    pub detail: String,
    /// Bytes of the event's leaf.
    pub leaf: Vec<u8>,
    /// The deployment after the event.
    pub summary: Summary,
}

/// A stored event, with the bytes of its leaf for the check that both tell the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Position in the deployment's history, from 1.
    pub sequence: u64,
    /// When it happened.
    pub occurred_at: UnixMicros,
    /// Who did it.
    pub actor: String,
    /// Kind of event.
    pub kind: String,
    /// The event as canonical JSON.
    pub detail: String,
    /// Zero-based index of the event's leaf.
    pub leaf_index: u64,
    /// Bytes of the event's leaf.
    pub leaf: Vec<u8>,
}

/// A deployment as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDeployment {
    /// Its identifier.
    pub deployment_id: String,
    /// What its events should add up to.
    pub summary: Summary,
    /// Its events, first one first.
    pub events: Vec<StoredEvent>,
}

/// A contiguous run of decisions to append, with its leaf.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// Index of the first decision in the decision log.
    pub first_index: u64,
    /// Record digests in log order; at least one.
    pub digests: Vec<Digest>,
    /// Bytes of the batch's leaf.
    pub leaf: Vec<u8>,
}

/// A stored run of decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBatch {
    /// Index of the first decision.
    pub first_index: u64,
    /// Zero-based index of the batch's leaf.
    pub leaf_index: u64,
    /// Record digests in log order.
    pub digests: Vec<Digest>,
}

impl StoredBatch {
    /// Index of the last decision.
    pub fn last_index(&self) -> u64 {
        self.first_index + self.digests.len() as u64 - 1
    }

    /// Digest of the decision at an index of the decision log, when it is in this batch.
    pub fn digest(&self, index: u64) -> Option<Digest> {
        let offset = usize::try_from(index.checked_sub(self.first_index)?).ok()?;
        self.digests.get(offset).copied()
    }
}

/// A leaf of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLeaf {
    /// Zero-based position.
    pub index: u64,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// A signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Leaves that it covers.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub created_at: UnixMicros,
}

/// The store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer was first, or the position is taken.
    #[error("another change was recorded first")]
    Conflict,
    /// A rule that the database holds, such as four eyes, forbids the row.
    #[error("the database refused the row")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// The log may not be signed and takes no more leaves.
    #[error("the log is sealed")]
    Sealed,
    /// An entry of the log has at most 65,535 bytes.
    #[error("an entry of {0} bytes is too long")]
    LeafTooLong(usize),
    /// Another process took the lease in the meantime.
    #[error("the lease was lost to another process")]
    LeaseLost,
    /// The run of decisions does not begin where the stored ones end.
    #[error("decisions must continue at index {expected}, not at {found}")]
    NotContiguous {
        /// The index after the last stored one.
        expected: u64,
        /// First index of the refused run.
        found: u64,
    },
    /// A stored row is not one that this service wrote.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// The database did not do it.
    #[error("the database did not answer as it should")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

/// A size that no log reaches: the whole log.
pub const WHOLE_LOG: u64 = i64::MAX.unsigned_abs();

/// The store of one log.
#[async_trait]
pub trait Store: Send + Sync {
    /// Appends events with their leaves in one transaction.
    async fn append_events(&self, events: &[NewEvent]) -> Result<(), StoreError>;

    /// The deployment with this identifier.
    async fn deployment(&self, deployment_id: &str)
    -> Result<Option<StoredDeployment>, StoreError>;

    /// At most `limit` deployments, newest first.
    async fn deployments(&self, limit: u32) -> Result<Vec<StoredDeployment>, StoreError>;

    /// Identifiers of the deployments that are changing traffic in the environment.
    async fn unfinished(&self, environment: &str) -> Result<Vec<String>, StoreError>;

    /// Appends a run of decisions and its leaf in one transaction; returns the leaf's index.
    async fn append_batch(&self, batch: &NewBatch) -> Result<u64, StoreError>;

    /// The run that holds the decision at this index of the decision log.
    async fn batch_of(&self, decision_index: u64) -> Result<Option<StoredBatch>, StoreError>;

    /// The highest decision index within the first `size` leaves; 0 when there is none.
    async fn last_decision_index(&self, size: u64) -> Result<u64, StoreError>;

    /// Seals the log, so that it takes no more leaves, or opens it again.
    async fn seal(&self, sealed: bool) -> Result<(), StoreError>;

    /// Number of leaves.
    async fn log_size(&self) -> Result<u64, StoreError>;

    /// At most `limit` leaves from the zero-based position `from`, in order.
    async fn leaves(&self, from: u64, limit: u32) -> Result<Vec<StoredLeaf>, StoreError>;

    /// The checkpoint with the greatest size.
    async fn last_checkpoint(&self) -> Result<Option<StoredCheckpoint>, StoreError>;

    /// Stores a checkpoint; the same checkpoint again is no error, another one of that size is
    /// [`StoreError::Conflict`].
    async fn put_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), StoreError>;
}

/// The store on an open database.
pub fn open(database: Database) -> Arc<dyn Store> {
    match database {
        Database::Postgres(pool) => Arc::new(postgres::PostgresStore::new(pool)),
        Database::Sqlite(pool) => Arc::new(sqlite::SqliteStore::new(pool)),
    }
}

/// The store of rollouts on an open database.
pub fn open_rollouts(database: Database) -> Arc<dyn rollouts::RolloutStore> {
    match database {
        Database::Postgres(pool) => Arc::new(postgres::PostgresStore::new(pool)),
        Database::Sqlite(pool) => Arc::new(sqlite::SqliteStore::new(pool)),
    }
}

/// Brings the schema up to date.
pub async fn migrate(database: &Database) -> anyhow::Result<()> {
    database
        .migrate(&postgres::migrator(), &sqlite::migrator())
        .await
}
