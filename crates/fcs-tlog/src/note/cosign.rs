//! Cosignatures of checkpoints with Ed25519 (<https://c2sp.org/tlog-cosignature>, `cosignature/v1`).

use std::fmt;

use ed25519_dalek::Signer as _;

use super::key::{KeyType, NoteKeyName, VerifierKey};
use super::{NoteSignature, VerifyingKeyBytes};

/// Greatest time of a cosignature in seconds since the Unix epoch.
const TIME_MAX: u64 = i64::MAX.unsigned_abs();

/// A key that says of a checkpoint: I saw it at this time, and it extends all that I saw before. It never prints its
/// secret.
pub struct CosigningKey {
    secret: ed25519_dalek::SigningKey,
    public: VerifierKey,
}

impl CosigningKey {
    /// The Ed25519 key of a secret seed (RFC 8032).
    pub fn from_seed(name: NoteKeyName, seed: &[u8; 32]) -> Self {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = VerifierKey::new(name, KeyType::Cosignature, secret.verifying_key());
        Self { secret, public }
    }

    /// The public half.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.public
    }

    /// Cosigns the text of a checkpoint's note at a time in seconds since the Unix epoch, which is cut to the greatest
    /// that the format allows.
    pub fn cosign(&self, text: &str, unix_seconds: u64) -> NoteSignature {
        let time = unix_seconds.min(TIME_MAX);
        let mut signature = time.to_be_bytes().to_vec();
        signature.extend(self.secret.sign(message(text, time).as_bytes()).to_bytes());
        NoteSignature {
            name: self.public.name().clone(),
            key_id: self.public.key_id(),
            signature,
        }
    }
}

impl fmt::Debug for CosigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CosigningKey({})", self.public)
    }
}

/// The time and the Ed25519 signature of a cosignature; `None` when it is not made of these.
pub(super) fn parts(signature: &[u8]) -> Option<(u64, &[u8])> {
    let (time, signature) = signature.split_first_chunk::<8>()?;
    let time = u64::from_be_bytes(*time);
    (time <= TIME_MAX).then_some((time, signature))
}

/// What is signed.
pub(super) fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

impl VerifierKey {
    /// Whether it checks cosignatures of witnesses rather than signatures of logs.
    pub fn is_cosigner(&self) -> bool {
        self.key_type() == KeyType::Cosignature
    }

    /// The key itself, without name and type: two names for one key are one signer.
    pub fn public_key(&self) -> &VerifyingKeyBytes {
        self.key_bytes()
    }
}
