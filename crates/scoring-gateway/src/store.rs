//! What the gateway keeps: the decision log, the claims of idempotency keys and the traffic table.
//!
//! One trait with two implementations, PostgreSQL and SQLite, that pass one conformance suite.

mod case_sql;
mod cases;
mod clients;
mod columns;
mod erasure_sql;
mod erasures;
mod fleet;
mod found;
mod notice;
mod place;
mod postgres;
mod privacy;
mod privacy_sql;
mod shadow;
mod shadow_sql;
mod sql;
mod sqlite;
mod statements;

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use fcs_core::{
    ApplicationId, DecisionId, Digest, IdempotencyKey, ModelVersion, Probability, TenantId,
    UnixMicros, redacted_debug,
};
use fcs_decision::calendar::Day;
use fcs_decision::record::{DecisionRecord, Outcome, record_digest};
use fcs_service::database::Database;

use crate::app::traffic::TrafficTable;
use crate::privacy::Vault;

pub use cases::{
    CASE_ROWS_MAX, CaseStore, Delivery, DeliveryChannel, Kept, Review, ReviewOutcome, ReviewReason,
};
pub use clients::{ClientStore, clients_of};
use erasures::pseudonym;
pub use erasures::{Erasure, ErasureRequest, ErasureStore, ExecutedErasure, Requested};
use fleet::fleet_of;
pub use fleet::{FleetStore, Instance};
pub use found::{Appended, Claimed, Found, StoredDecision, Tombstone};
pub use postgres::PostgresStore;
pub use privacy::PrivacyStore;
pub use shadow::{ShadowDecision, ShadowOutcome, ShadowProgress, ShadowStep, ShadowStore};
pub use sqlite::SqliteStore;

redacted_debug!(Claim, Draft);

/// Whose idempotency keys these are where callers do not show who they are.
pub const DEFAULT_CLIENT: &str = "default";

/// A client's key with the fingerprint of the request that it stands for.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose decision it is about.
    pub tenant: TenantId,
    /// Scope of the key within the tenant.
    pub client: String,
    /// The client's key.
    pub key: IdempotencyKey,
    /// SHA-256 over the canonical form of the request.
    pub fingerprint: Digest,
}

impl Claim {
    /// The scope of the key among those of every tenant; no tenant's name holds a slash.
    pub(crate) fn scope(&self) -> String {
        format!("{}/{}", self.tenant, self.client)
    }
}

/// A decision that waits for its place in the log.
#[derive(Clone)]
pub struct Draft {
    /// The key that it answers.
    pub claim: Claim,
    /// Columns that the feed needs without reading the record.
    pub summary: Summary,
    /// The canonical record.
    pub record: Arc<[u8]>,
    /// The last day on which the record must still be there.
    pub retain_until: Day,
}

/// Months from a decision to the last day of its record, where the record does not say (12 CFR 1002.12(b)(1)): 25, and
/// one for the notice.
const RETENTION_MONTHS: u8 = 26;

/// The last day on which a record must still be there.
pub(crate) fn retain_until(record: &DecisionRecord) -> Day {
    let assumed = || Day::of(record.decided_at).plus_months(RETENTION_MONTHS);
    record.retain_until.unwrap_or_else(assumed)
}

impl Draft {
    /// Takes the columns and the canonical bytes from a record; `bins` as in [`Summary::bins`].
    pub fn new(claim: Claim, record: &DecisionRecord, bins: Vec<u16>) -> Self {
        let bytes: Arc<[u8]> = record.to_canonical_bytes().into();
        let model = ModelVersion::new(&record.model.name, &record.model.version)
            .expect("a record is made from a manifest, whose name and version are valid");
        let summary = Summary {
            decision_id: record.decision_id,
            application_id: record.application_id.clone(),
            decided_at: record.decided_at,
            outcome: record.outcome,
            score: record.score.unwrap_or_default(),
            probability: record.probability.map_or(0.0, Probability::get),
            model,
            arm: record.arm.clone(),
            record_digest: record_digest(&bytes),
            bins,
        };
        Self {
            claim,
            summary,
            record: bytes,
            retain_until: retain_until(record),
        }
    }
}

/// What downstream services need of a decision. It holds no feature values, only the coarse bins they fall into.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Identifier of the decision.
    pub decision_id: DecisionId,
    /// The lender's identifier of the application; after its erasure, `erased:` and its blind index.
    pub application_id: ApplicationId,
    /// When it was decided.
    pub decided_at: UnixMicros,
    /// What was decided.
    pub outcome: Outcome,
    /// Scaled score; higher is better; 0 for an incomplete application.
    pub score: i32,
    /// Probability of the adverse outcome; 0 for an incomplete application.
    pub probability: f64,
    /// The model that scored.
    pub model: ModelVersion,
    /// The traffic arm that scored.
    pub arm: String,
    /// SHA-256 of the record.
    pub record_digest: Digest,
    /// The bins of features and score, as [`fcs_decision::manifest::Manifest::bins_of`] gives them; none for an
    /// incomplete application, after erasure, and for decisions from before they were kept.
    pub bins: Vec<u16>,
}

/// One entry of the feed.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedEntry {
    /// Place in the log, from 1 without gaps.
    pub log_index: u64,
    /// Whose decision it is.
    pub tenant: TenantId,
    /// The decision.
    pub summary: Summary,
}

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
pub enum AppendError {
    /// The transaction ended before its commit was sent; nothing of it is in the log.
    #[error("the batch was not written")]
    NotWritten(#[source] StoreError),
    /// The commit was sent and not confirmed as durable; the batch may be in the log. Ask [`DecisionStore::settle`].
    #[error("the outcome of the commit is unknown")]
    Unknown(#[source] StoreError),
}

/// The port to the store. Every method answers within a limit of its own.
#[async_trait]
pub trait DecisionStore: Send + Sync + 'static {
    /// Writes a batch in one transaction and says, per draft, which decision its key stands for now.
    ///
    /// A key that stands for a decision already keeps it: its draft is not written and takes no index. So does
    /// the second of two drafts with one key. Look at the record to tell these cases apart. Nothing is written about an
    /// application that was erased.
    ///
    /// Only the writer task calls this, and never drops the future: a dropped transaction is an unknown outcome.
    async fn append(&self, drafts: &[Draft]) -> Result<Vec<Appended>, AppendError>;

    /// Finds out, after an unknown outcome, what each key stands for, once no earlier batch is in flight any more.
    ///
    /// It takes the sequencer's lock, so it waits for a commit that the server may still be working on, and it
    /// commits a write of its own, so what it found is as durable as that write.
    async fn settle(&self, claims: &[Claim]) -> Result<Vec<Option<Claimed>>, StoreError>;

    /// The decision that a client's key stands for.
    async fn claimed(&self, claim: &Claim) -> Result<Option<Claimed>, StoreError>;

    /// One decision of a tenant.
    async fn decision(
        &self,
        tenant: &TenantId,
        id: DecisionId,
    ) -> Result<Option<Found>, StoreError>;

    /// The latest decision on an application of a tenant.
    async fn latest(
        &self,
        tenant: &TenantId,
        id: &ApplicationId,
    ) -> Result<Option<Found>, StoreError>;

    /// At most `limit` decisions of a tenant with a greater index, ascending.
    async fn page(
        &self,
        tenant: &TenantId,
        after_index: u64,
        limit: u32,
    ) -> Result<Vec<Found>, StoreError>;

    /// At most `limit` decisions on an application with a greater index, ascending.
    async fn page_of(
        &self,
        tenant: &TenantId,
        id: &ApplicationId,
        after_index: u64,
        limit: u32,
    ) -> Result<Vec<Found>, StoreError>;

    /// At most `limit` feed entries of all tenants with a greater index, ascending. Reads no record.
    async fn feed(&self, after_index: u64, limit: u32) -> Result<Vec<FeedEntry>, StoreError>;

    /// Highest index in the log, 0 for an empty one.
    async fn highest_index(&self) -> Result<u64, StoreError>;

    /// Highest index of a tenant's decisions, 0 when it has none.
    async fn highest_index_of(&self, tenant: &TenantId) -> Result<u64, StoreError>;

    /// The traffic table.
    async fn traffic(&self) -> Result<TrafficTable, StoreError>;

    /// Replaces the traffic table if its generation is the expected one; says whether it did.
    async fn swap_traffic(&self, expected: u64, table: &TrafficTable) -> Result<bool, StoreError>;

    /// Forgets at most `limit` idempotency keys that are older than a moment; says how many.
    async fn purge_claims(&self, before: UnixMicros, limit: u32) -> Result<u64, StoreError>;
}

/// The stores of a database, which keep what they hold of applicants encrypted with the keys of a vault.
#[derive(Clone)]
pub struct Stores {
    /// The decision log.
    pub decisions: Arc<dyn DecisionStore>,
    /// Reviews, deliveries of notices, shared keys.
    pub cases: Arc<dyn CaseStore>,
    /// The keys of applicants' data.
    pub privacy: Arc<dyn PrivacyStore>,
    /// Erasures of applications.
    pub erasures: Arc<dyn ErasureStore>,
    /// What shadow arms would have decided.
    pub shadows: Arc<dyn ShadowStore>,
    /// What gateways tell each other.
    pub fleet: Arc<dyn FleetStore>,
}

/// The stores of an open database.
pub fn of(database: &Database, vault: Arc<Vault>) -> Stores {
    let fleet = fleet_of(database);
    match database {
        Database::Postgres(pool) => stores(PostgresStore::new(pool.clone(), vault), fleet),
        Database::Sqlite(pool) => stores(SqliteStore::new(pool.clone(), vault), fleet),
    }
}

fn stores<S>(store: S, fleet: Arc<dyn FleetStore>) -> Stores
where
    S: DecisionStore + CaseStore + PrivacyStore + ErasureStore + ShadowStore,
{
    let store = Arc::new(store);
    Stores {
        decisions: Arc::clone(&store) as _,
        cases: Arc::clone(&store) as _,
        erasures: Arc::clone(&store) as _,
        shadows: Arc::clone(&store) as _,
        privacy: store,
        fleet,
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
    const ATTEMPT: &str = "check the schema of the decision log: run `scoring-gateway migrate`, or set \
                           database.migrate_on_start";
    const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";
    let (applied, wanted) = match database {
        Database::Postgres(pool) => (
            sqlx::query_scalar(APPLIED).fetch_all(pool).await,
            postgres::migrations(),
        ),
        Database::Sqlite(pool) => (
            sqlx::query_scalar(APPLIED).fetch_all(pool).await,
            sqlite::migrations(),
        ),
    };
    let applied: Vec<i64> = applied.map_err(|error| StoreError::new(ATTEMPT, error))?;
    // A release may add a migration below the highest one, so that is not enough to look at.
    let missing = wanted
        .iter()
        .map(|migration| migration.version)
        .find(|version| !applied.contains(version));
    if let Some(missing) = missing {
        let found = format!("the schema has no migration {missing}, which this program needs");
        return Err(StoreError::new(ATTEMPT, found));
    }
    Ok(())
}
