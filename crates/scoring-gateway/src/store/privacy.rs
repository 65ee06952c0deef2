//! The port to the keys of applicants' data.

use async_trait::async_trait;

use super::StoreError;

/// What is done with the keys of applicants' data. Every step is small, does no harm when it is repeated, and says how
/// much it did, 0 once nothing is left.
#[async_trait]
pub trait PrivacyStore: Send + Sync + 'static {
    /// Compares the keys of the file with those that this store has been used with, so that nothing is written with
    /// wrong ones. Keys that are new to the store are noted.
    async fn check_keys(&self) -> Result<(), StoreError>;

    /// Encrypts at most `limit` decisions that are from before encryption.
    async fn seal_decisions(&self, limit: u32) -> Result<u64, StoreError>;

    /// Encrypts at most `limit` reviews that are from before encryption and whose decisions are encrypted.
    async fn seal_reviews(&self, limit: u32) -> Result<u64, StoreError>;

    /// Wraps at most `limit` data keys by the first key-encryption key of the file that were wrapped by another one of it.
    async fn rewrap_keys(&self, limit: u32) -> Result<u64, StoreError>;
}
