//! Types that every crate shares: typed identifiers, probability, evidence, time, secrets, digests, error
//! codes and canonical JSON.
//!
//! For: giving a value its meaning once, checked on construction.
//! Not for: anything that decides, and nothing that does I/O or reads a clock.
//!
//! Invariants: an identifier is valid when it exists; a [`Probability`] is finite and in `[0, 1]`;
//! a [`Secret`] never prints its value, and neither does an [`ApplicationId`] or an [`IdempotencyKey`].

mod canonical;
mod digest;
mod error;
mod evidence;
mod id;
mod probability;
mod secret;
mod time;
mod unreadable;

pub use canonical::{CanonicalError, to_canonical_vec};
pub use digest::{Digest, ParseDigestError};
pub use error::{ApiError, ErrorCode, Violation};
pub use evidence::{Alpha, EValue, InvalidAlpha, ln_mean_exp};
pub use id::{
    ApplicationId, DecisionId, DeploymentId, IdempotencyKey, InvalidId, ModelVersion, RandomBytes,
    ReviewId, RolloutId, TenantId,
};
pub use probability::{InvalidProbability, Probability};
pub use secret::Secret;
pub use time::{Clock, InvalidTime, UnixMicros};
pub use unreadable::UnreadableJson;
