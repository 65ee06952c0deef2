//! The port to the erasures.

use async_trait::async_trait;
use fcs_core::{ApplicationId, Digest, TenantId, UnixMicros};
use fcs_decision::calendar::Day;

use super::StoreError;

/// Who asks for the erasure of what.
#[derive(Debug, Clone, Copy)]
pub struct ErasureRequest<'a> {
    /// Whose application it is.
    pub tenant: &'a TenantId,
    /// The application.
    pub application_id: &'a ApplicationId,
    /// Who asks.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub at: UnixMicros,
}

/// An erasure, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Place among the erasures, ascending, with gaps.
    pub place: u64,
    /// Blind index of the application.
    pub applicant: Digest,
    /// Who asked for it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it was asked for.
    pub requested_at: UnixMicros,
    /// The last day on which the application's records must still be there.
    pub retain_until: Day,
    /// When its key was destroyed; `None` while it is on hold.
    pub erased_at: Option<UnixMicros>,
}

/// What became of a request for an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requested {
    /// It is noted, now or earlier.
    Noted(Erasure),
    /// There is no such application.
    Unknown,
    /// There may be such an application among the decisions from before encryption.
    InTheClear,
}

/// An application whose key is destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutedErasure {
    /// Place of the execution among the erasures, ascending, with gaps.
    pub place: u64,
    /// Blind index of the application.
    pub applicant: Digest,
    /// The places in the log of its decisions, ascending.
    pub log_indices: Vec<u64>,
}

impl ExecutedErasure {
    /// What stands for the application id from now on.
    pub fn pseudonym(&self) -> String {
        pseudonym(&self.applicant)
    }
}

/// What stands for the id of an application that was erased.
pub(super) fn pseudonym(applicant: &Digest) -> String {
    format!("erased:{applicant}")
}

/// The port to the erasures, which are only ever added to.
#[async_trait]
pub trait ErasureStore: Send + Sync + 'static {
    /// Notes a request once, and destroys the application's key unless it is on hold.
    async fn erase(&self, request: &ErasureRequest<'_>) -> Result<Requested, StoreError>;

    /// Destroys at most `limit` keys whose erasure was asked for and whose hold has ended; says how many. While
    /// decisions from before encryption are in the clear it destroys none, because they would stay.
    async fn erase_due(&self, now: UnixMicros, limit: u32) -> Result<u64, StoreError>;

    /// At most `limit` erasures of a tenant with a greater place, ascending.
    async fn erasures(
        &self,
        tenant: &TenantId,
        after_place: u64,
        limit: u32,
    ) -> Result<Vec<Erasure>, StoreError>;

    /// At most `limit` executed erasures of every tenant with a greater place, ascending.
    async fn executed_erasures(
        &self,
        after_place: u64,
        limit: u32,
    ) -> Result<Vec<ExecutedErasure>, StoreError>;
}
