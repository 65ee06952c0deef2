//! Who may sign a model package, and the check of its signatures.

mod policy;
mod signature;

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::{Signature, VerifyingKey};
use fcs_core::{Digest, UnixMicros};

use crate::manifest::sha256;

pub use signature::{DetachedSignature, SIGNATURES_MAX};

/// The keys that may sign packages, and how many of them must.
#[derive(Debug, Clone)]
pub struct TrustPolicy {
    keys: BTreeMap<String, TrustedKey>,
    required_signatures: usize,
}

#[derive(Debug, Clone)]
struct TrustedKey {
    public_key: VerifyingKey,
    models: KeyModels,
    not_before: Option<UnixMicros>,
    not_after: Option<UnixMicros>,
    revoked: Option<Revocation>,
}

#[derive(Debug, Clone)]
enum KeyModels {
    All,
    Named(Vec<String>),
}

/// Why and when a key was withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Revocation {
    at: UnixMicros,
    reason: String,
}

/// Why a package is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The trust policy cannot be used; every problem is listed.
    #[error("read the trust policy: {}", problems.join("; "))]
    InvalidPolicy {
        /// What is wrong, each with its key path.
        problems: Vec<String>,
    },
    /// The signature file cannot be read.
    #[error("read the detached signature: {problem}")]
    InvalidSignatureFile {
        /// What is wrong.
        problem: String,
    },
    /// The trust policy does not know the key.
    #[error("the trust policy holds no key {key_id:?}")]
    UnknownKey {
        /// The key that the signature names.
        key_id: String,
    },
    /// The key may not sign this model.
    #[error("key {key_id:?} may not sign the model {model_name:?}")]
    KeyNotAllowed {
        /// The key that the signature names.
        key_id: String,
        /// The model.
        model_name: String,
    },
    /// The key was withdrawn.
    #[error("key {key_id:?} was revoked at {at}: {reason}")]
    KeyRevoked {
        /// The key that the signature names.
        key_id: String,
        /// When it was withdrawn.
        at: UnixMicros,
        /// Why.
        reason: String,
    },
    /// The key is not valid yet.
    #[error("key {key_id:?} is not valid before {not_before}")]
    KeyNotYetValid {
        /// The key that the signature names.
        key_id: String,
        /// From when on it is.
        not_before: UnixMicros,
    },
    /// The key is not valid any more.
    #[error("key {key_id:?} expired at {not_after}; have the package signed by a valid key")]
    KeyExpired {
        /// The key that the signature names.
        key_id: String,
        /// Until when it was.
        not_after: UnixMicros,
    },
    /// The signature does not belong to these bytes.
    #[error(
        "the signature of key {key_id:?} does not match the manifest (SHA-256 {manifest_digest})"
    )]
    BadSignature {
        /// The key that the signature names.
        key_id: String,
        /// Digest of the bytes that were checked.
        manifest_digest: Digest,
    },
    /// Fewer keys than required vouch for the package.
    #[error(
        "{valid} of {required} required signatures are valid{}",
        listed(problems)
    )]
    TooFewSignatures {
        /// How many the policy asks for.
        required: usize,
        /// How many there are.
        valid: usize,
        /// What is wrong with the others.
        problems: Vec<TrustError>,
    },
}

/// Each problem after a separator.
fn listed(problems: &[TrustError]) -> String {
    let mut text = String::new();
    for problem in problems {
        text.push_str("; ");
        text.push_str(&problem.to_string());
    }
    text
}

impl TrustPolicy {
    /// Checks at a moment that enough keys which may sign `model_name` signed exactly these bytes (Ed25519, RFC
    /// 8032, with the strict rules that refuse malleable signatures and weak keys).
    ///
    /// A key's dates are held against the moment of this check, not of the signing, which nobody can prove: a package
    /// whose keys have expired or are revoked is not trusted any more. A signature by an unknown, expired or revoked
    /// key does not count, so that packages can carry old and new keys while keys rotate; a signature that a known
    /// key did not make is a sign of tampering, and nothing then counts.
    ///
    /// # Errors
    /// What is wrong with the one signature, or [`TrustError::TooFewSignatures`] with what is wrong with each.
    pub fn verify(
        &self,
        manifest_bytes: &[u8],
        signatures: &[DetachedSignature],
        model_name: &str,
        at: UnixMicros,
    ) -> Result<(), TrustError> {
        let mut valid = BTreeSet::new();
        let mut problems = Vec::new();
        for signature in signatures.iter().take(SIGNATURES_MAX) {
            match self.verify_one(manifest_bytes, signature, model_name, at) {
                Ok(()) => {
                    valid.insert(&signature.key_id);
                }
                Err(error @ TrustError::BadSignature { .. }) => return Err(error),
                Err(error) => problems.push(error),
            }
        }
        let required = self.required_signatures;
        if valid.len() >= required {
            return Ok(());
        }
        if required == 1 && problems.len() == 1 {
            return Err(problems.remove(0));
        }
        Err(TrustError::TooFewSignatures {
            required,
            valid: valid.len(),
            problems,
        })
    }

    /// How many keys must sign a package.
    pub fn required_signatures(&self) -> usize {
        self.required_signatures
    }

    /// The identifier of a public key (32 bytes), when the policy holds it.
    pub fn key_id_of(&self, public_key: &[u8; 32]) -> Option<&str> {
        self.keys
            .iter()
            .find(|(_, key)| key.public_key.as_bytes() == public_key)
            .map(|(key_id, _)| key_id.as_str())
    }

    fn verify_one(
        &self,
        manifest_bytes: &[u8],
        signature: &DetachedSignature,
        model_name: &str,
        at: UnixMicros,
    ) -> Result<(), TrustError> {
        let key_id = signature.key_id.clone();
        let Some(key) = self.keys.get(&key_id) else {
            return Err(TrustError::UnknownKey { key_id });
        };
        key.public_key
            .verify_strict(manifest_bytes, &Signature::from_bytes(&signature.signature))
            .map_err(|_| TrustError::BadSignature {
                key_id: key_id.clone(),
                manifest_digest: sha256(manifest_bytes),
            })?;
        key.vouches(key_id, model_name, at)
    }
}

impl TrustedKey {
    /// Whether a good signature of this key counts for a model at a moment.
    fn vouches(&self, key_id: String, model_name: &str, at: UnixMicros) -> Result<(), TrustError> {
        if let KeyModels::Named(names) = &self.models
            && !names.iter().any(|name| name == model_name)
        {
            return Err(TrustError::KeyNotAllowed {
                key_id,
                model_name: model_name.to_owned(),
            });
        }
        if let Some(Revocation { at, reason }) = self.revoked.clone() {
            return Err(TrustError::KeyRevoked { key_id, at, reason });
        }
        match (self.not_before, self.not_after) {
            (Some(not_before), _) if at < not_before => {
                Err(TrustError::KeyNotYetValid { key_id, not_before })
            }
            (_, Some(not_after)) if at >= not_after => {
                Err(TrustError::KeyExpired { key_id, not_after })
            }
            _ => Ok(()),
        }
    }
}
