//! What the service needs of the scoring gateway, the metric store, the bias monitor and witnesses.

use async_trait::async_trait;
use fcs_core::{Digest, ModelVersion, UnixMicros};
use fcs_rollout::TrafficTable;
use fcs_rollout::rollout::BiasAlarm;
use fcs_tlog::note::NoteSignature;
use fcs_tlog::policy::PolicyWitness;
use fcs_tlog::witness::AddCheckpoint;
use futures::stream::BoxStream;

/// What the transparency log needs of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedDecision {
    /// Index in the decision log, from 1.
    pub log_index: u64,
    /// SHA-256 of the record.
    pub record_digest: Digest,
}

/// The gateway did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// It does not answer, or not in time; the same call may succeed later.
    #[error("the gateway does not answer: {0}")]
    Unavailable(String),
    /// It understood and refused; the same call will be refused again.
    #[error("the gateway refused: {0}")]
    Refused(String),
    /// Its answer breaks the contract.
    #[error("the gateway's answer is malformed: {0}")]
    Malformed(String),
}

/// Runs of decisions in log order.
pub type DecisionStream = BoxStream<'static, Result<Vec<FeedDecision>, GatewayError>>;

/// The decision log as a stream.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Every decision after an index, first the stored ones and then new ones; never ends by itself.
    async fn subscribe(&self, after_index: u64) -> Result<DecisionStream, GatewayError>;
}

/// The table that says which model versions take traffic.
#[async_trait]
pub trait Traffic: Send + Sync {
    /// The table in force.
    async fn table(&self) -> Result<TrafficTable, GatewayError>;

    /// Replaces the table if its generation is the expected one; returns the table in force.
    async fn apply(
        &self,
        expected_generation: u64,
        table: &TrafficTable,
    ) -> Result<TrafficTable, GatewayError>;

    /// Whether every live gateway serves this generation or a later one.
    async fn is_everywhere(&self, generation: u64) -> Result<bool, GatewayError>;
}

/// Moments at which a query is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first one.
    pub from: UnixMicros,
    /// The last one or just after it.
    pub until: UnixMicros,
    /// Between two of them, in microseconds.
    pub step_micros: u64,
}

/// The metric store did not answer, or not as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the metric store does not answer: {0}")]
pub struct MetricError(pub String);

/// Numbers of metrics.
#[async_trait]
pub trait MetricSource: Send + Sync {
    /// The number at a moment; `None` without a series, for what is not finite, and for a number of another time.
    async fn value(&self, query: &str, at: UnixMicros) -> Result<Option<f64>, MetricError>;

    /// The numbers at a moment by the label `le`, lowest bound first and infinity last; those that are not finite are
    /// left out.
    async fn buckets(&self, query: &str, at: UnixMicros) -> Result<Vec<(f64, f64)>, MetricError>;

    /// The numbers at moments of a span, oldest first; those that are missing or not finite are left out.
    async fn range(&self, query: &str, span: Span) -> Result<Vec<(UnixMicros, f64)>, MetricError>;
}

/// The bias monitor did not answer, or not as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bias monitor does not answer: {0}")]
pub struct MonitorError(pub String);

/// What is known of the bias of models.
#[async_trait]
pub trait BiasMonitor: Send + Sync {
    /// The groups of a model whose alarm fires.
    async fn firing(&self, model: &ModelVersion) -> Result<Vec<BiasAlarm>, MonitorError>;
}

/// What a witness answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Signature lines, yet to be checked.
    Cosigned(Vec<NoteSignature>),
    /// The size that it cosigned last is this one; for the size that was asked about it is the root that differs.
    OtherSize(u64),
    /// The proof does not hold for what it cosigned last.
    Inconsistent,
}

/// A witness did not answer, or not as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the witness does not answer: {0}")]
pub struct WitnessError(pub String);

/// Somebody else's process that cosigns checkpoints which extend what it has seen.
#[async_trait]
pub trait Witness: Send + Sync {
    /// Its name and key in the policy.
    fn identity(&self) -> &PolicyWitness;

    /// Asks it to cosign.
    async fn ask(&self, request: &AddCheckpoint) -> Result<Answer, WitnessError>;
}
