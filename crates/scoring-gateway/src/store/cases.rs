//! What is kept beside the decision log: reviews, deliveries of notices, and the keys that gateways share.

use async_trait::async_trait;
use fcs_core::{DecisionId, Digest, ReviewId, TenantId, UnixMicros, redacted_debug};
use serde::{Deserialize, Serialize};

use super::{Claim, StoreError};

redacted_debug!(ReviewReason, Review);

/// Rows of one decision at most that a list gives.
pub const CASE_ROWS_MAX: u32 = 100;

/// What a reviewer decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewOutcome {
    /// Credit is granted.
    Approve,
    /// Credit is refused.
    Deny,
}

impl ReviewOutcome {
    /// Every outcome.
    pub const ALL: [Self; 2] = [Self::Approve, Self::Deny];

    /// The text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// A reason that a reviewer gave.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewReason {
    /// Code of the model's reason map, or `C1-01` to `C1-23`.
    pub code: String,
    /// Text for the applicant.
    pub text: String,
}

/// A person's decision on a decision.
#[derive(Clone, PartialEq, Eq)]
pub struct Review {
    /// Identifier of the review.
    pub review_id: ReviewId,
    /// The decision that was reviewed.
    pub decision_id: DecisionId,
    /// The lender's identifier of the person.
    pub reviewer: String,
    /// What the person decided.
    pub outcome: ReviewOutcome,
    /// One to four for a denial, none for an approval; most important first.
    pub reasons: Vec<ReviewReason>,
    /// Why, in the person's words.
    pub note: String,
    /// When it was recorded.
    pub reviewed_at: UnixMicros,
}

/// How a notice went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryChannel {
    /// By mail.
    Mail,
    /// By e-mail.
    Email,
    /// In the lender's portal.
    Portal,
    /// Handed over.
    InPerson,
}

impl DeliveryChannel {
    /// Every channel.
    pub const ALL: [Self; 4] = [Self::Mail, Self::Email, Self::Portal, Self::InPerson];

    /// The text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Email => "email",
            Self::Portal => "portal",
            Self::InPerson => "in_person",
        }
    }
}

/// One delivery of a decision's notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The decision.
    pub decision_id: DecisionId,
    /// How it went out.
    pub channel: DeliveryChannel,
    /// When it went out.
    pub sent_at: UnixMicros,
    /// SHA-256 of the notice that went out.
    pub notice_digest: Digest,
    /// When the delivery was recorded.
    pub recorded_at: UnixMicros,
}

/// What a key stands for after an attempt to record something under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<T> {
    /// Whether it was recorded for the same request.
    pub same_request: bool,
    /// What is in the store.
    pub value: T,
}

/// The port to what is kept beside the log. Everything in it is only ever added to.
#[async_trait]
pub trait CaseStore: Send + Sync + 'static {
    /// The key for a purpose; the first caller's `fresh` one becomes it.
    async fn signing_key(&self, purpose: &str, fresh: [u8; 32]) -> Result<[u8; 32], StoreError>;

    /// Records a review unless its key is taken, and says what the key stands for now.
    async fn record_review(
        &self,
        claim: &Claim,
        review: &Review,
    ) -> Result<Kept<Review>, StoreError>;

    /// The review that a key stands for.
    async fn review_of(&self, claim: &Claim) -> Result<Option<Kept<Review>>, StoreError>;

    /// The reviews of a tenant's decision, the earliest first, at most [`CASE_ROWS_MAX`].
    async fn reviews(&self, tenant: &TenantId, id: DecisionId) -> Result<Vec<Review>, StoreError>;

    /// Records a delivery unless its key is taken, and says what the key stands for now.
    async fn record_delivery(
        &self,
        claim: &Claim,
        delivery: &Delivery,
    ) -> Result<Kept<Delivery>, StoreError>;

    /// The delivery that a key stands for.
    async fn delivery_of(&self, claim: &Claim) -> Result<Option<Kept<Delivery>>, StoreError>;

    /// The deliveries of a decision's notice, the earliest first, at most [`CASE_ROWS_MAX`].
    async fn deliveries(&self, id: DecisionId) -> Result<Vec<Delivery>, StoreError>;
}
