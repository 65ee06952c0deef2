//! What shadow arms would have decided, and how far each of them is.

use std::time::Duration;

use async_trait::async_trait;
use fcs_core::{ModelVersion, TenantId};
use fcs_decision::record::Outcome;
use fcs_decision::shadow::{DropReason, Side};

use super::StoreError;
use crate::app::traffic::ShadowArm;

/// A live decision with what a shadow arm would have decided, or why that is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowDecision {
    /// The live decision's place in the log.
    pub log_index: u64,
    /// Whose decision it is.
    pub tenant: TenantId,
    /// Name of the shadow arm.
    pub arm: String,
    /// The model of the shadow arm.
    pub model: ModelVersion,
    /// The live arm.
    pub live_arm: String,
    /// What was decided. Without a result it has no reason codes.
    pub live: Side,
    /// What the shadow arm would have decided.
    pub result: Result<Side, DropReason>,
}

/// How far a shadow arm is with its present model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowProgress {
    /// Generation of the table that brought the arm with this model.
    pub since_generation: u64,
    /// The model.
    pub model: ModelVersion,
    /// It looks at decisions with a greater index.
    pub after_index: u64,
    /// Every sampled decision up to this index has its row.
    pub position: u64,
}

/// What a shadow arm would have decided about the application of a live decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShadowOutcome {
    /// The live decision's place in the log.
    pub log_index: u64,
    /// Nothing where it was dropped.
    pub outcome: Option<Outcome>,
}

/// One step of a shadow arm: from one position to the next, with a row for each sampled decision between them.
#[derive(Debug)]
pub struct ShadowStep<'a> {
    /// The arm.
    pub arm: &'a ShadowArm,
    /// Position that the step begins at.
    pub from: u64,
    /// Position that it ends at.
    pub to: u64,
    /// The rows.
    pub rows: &'a [ShadowDecision],
}

/// The port to the shadow decisions. Every method answers within a limit of its own. Nothing here shares a
/// transaction or a lock of rows with the decision log.
#[async_trait]
pub trait ShadowStore: Send + Sync + 'static {
    /// Begins an arm at the head of the log, unless it has begun already. An arm of another table or model ends.
    async fn begin(&self, arm: &ShadowArm) -> Result<(), StoreError>;

    /// Takes or keeps an arm for a gateway, for so long; gives its position, or `None` while another one has it.
    async fn hold(
        &self,
        arm: &ShadowArm,
        holder: &str,
        time: Duration,
    ) -> Result<Option<u64>, StoreError>;

    /// Writes a step in one transaction if the arm is still where it begins; says whether it was.
    async fn advance(&self, step: ShadowStep<'_>) -> Result<bool, StoreError>;

    /// How far an arm is, if there ever was one with this name.
    async fn progress(&self, arm: &str) -> Result<Option<ShadowProgress>, StoreError>;

    /// At most `limit` outcomes of an arm's present model with a greater index, ascending, of every tenant; none for
    /// what was dropped. Nothing above the arm's position is read.
    async fn outcome_page(
        &self,
        arm: &str,
        progress: &ShadowProgress,
        after_index: u64,
        limit: u32,
    ) -> Result<Vec<ShadowOutcome>, StoreError>;

    /// At most `limit` rows of a tenant with a greater index, ascending.
    async fn shadow_page(
        &self,
        tenant: &TenantId,
        arm: &str,
        after_index: u64,
        limit: u32,
    ) -> Result<Vec<ShadowDecision>, StoreError>;
}
