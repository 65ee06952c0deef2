//! The durable state of rollouts: events in a chain, one row per rollout, who had which part, and leases.

use async_trait::async_trait;
use fcs_core::{Digest, UnixMicros};

use super::StoreError;

/// What the events of a rollout add up to, as far as the database checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutSummary {
    /// Environment whose traffic it moves.
    pub environment: String,
    /// `name/version` of the candidate.
    pub model: String,
    /// Who proposed it.
    pub requester: String,
    /// Name of the phase.
    pub phase: String,
    /// Number of approvals.
    pub approvals: u64,
    /// Whether approvals, windows and gates are skipped.
    pub has_broken_glass: bool,
}

/// What a person did that excludes other parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Identities of author, committers and requester, folded and each once.
    Makers(Vec<String>),
    /// Identity of an approver, folded.
    Approver(String),
}

/// An event to append, with its leaf.
#[derive(Debug, Clone)]
pub struct NewRolloutEvent {
    /// Rollout that the event belongs to.
    pub rollout_id: String,
    /// Position in the history, from 1; a position can be taken once.
    pub sequence: u64,
    /// When it happened.
    pub occurred_at: UnixMicros,
    /// Who did it.
    pub actor: String,
    /// Kind of event, for example `step_started`.
    pub kind: String,
    /// The event as canonical JSON.
    pub detail: String,
    /// Bytes of the event's leaf; they name the digest of the event before it.
    pub leaf: Vec<u8>,
    /// SHA-256 of the leaf.
    pub digest: Digest,
    /// What a person did with it.
    pub part: Option<Part>,
    /// The rollout after the event.
    pub summary: RolloutSummary,
}

/// A stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRolloutEvent {
    /// Position in the history, from 1.
    pub sequence: u64,
    /// When it happened.
    pub occurred_at: UnixMicros,
    /// Who did it.
    pub actor: String,
    /// The event as canonical JSON.
    pub detail: String,
    /// SHA-256 of the leaf.
    pub digest: Digest,
    /// Zero-based index of the event's leaf.
    pub leaf_index: u64,
    /// Bytes of the event's leaf.
    pub leaf: Vec<u8>,
}

/// The row of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutRow {
    /// Its identifier.
    pub rollout_id: String,
    /// What its events add up to.
    pub summary: RolloutSummary,
    /// Sequence of the last event.
    pub last_sequence: u64,
    /// When it happened.
    pub updated_at: UnixMicros,
}

/// A rollout as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRollout {
    /// Its row.
    pub row: RolloutRow,
    /// Its events, first one first.
    pub events: Vec<StoredRolloutEvent>,
}

/// A held lease: the token that a write shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is about.
    pub name: String,
    /// Who holds it.
    pub holder: String,
    /// Rises with every new holder.
    pub epoch: u64,
}

/// Who asks for a lease, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct LeaseClaim<'a> {
    /// What it is about.
    pub name: &'a str,
    /// Who asks.
    pub holder: &'a str,
    /// Now, by the claimant's clock.
    pub now: UnixMicros,
    /// Until when.
    pub until: UnixMicros,
}

/// The store of rollouts.
#[async_trait]
pub trait RolloutStore: Send + Sync {
    /// Appends events with their leaves in one transaction. With a lease, only while that epoch is the last one
    /// ([`StoreError::LeaseLost`]). A taken position is [`StoreError::Conflict`], and so is the start of a rollout
    /// while the environment's traffic is another one's or a deployment's.
    async fn append_rollout(
        &self,
        events: &[NewRolloutEvent],
        lease: Option<&Lease>,
    ) -> Result<(), StoreError>;

    /// The rollout with this identifier.
    async fn rollout(&self, rollout_id: &str) -> Result<Option<StoredRollout>, StoreError>;

    /// At most `limit` rollouts, newest first.
    async fn rollouts(&self, limit: u32) -> Result<Vec<RolloutRow>, StoreError>;

    /// Identifiers of the rollouts of an environment that time may still change, oldest first.
    async fn open_rollouts(&self, environment: &str) -> Result<Vec<String>, StoreError>;

    /// Takes a lease that is free or over, or holds it for longer; `None` while another one holds it.
    async fn claim(&self, claim: LeaseClaim<'_>) -> Result<Option<Lease>, StoreError>;

    /// The epoch of a lease's last holder; 0 before the first.
    async fn epoch(&self, name: &str) -> Result<u64, StoreError>;
}
