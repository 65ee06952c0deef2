//! Who may sign a model package, and the check of a signature.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, VerifyingKey};
use fcs_core::{Digest, ModelVersion};
use serde::Deserialize;

use crate::manifest::sha256;

/// The keys that may sign packages.
#[derive(Debug, Clone)]
pub struct TrustPolicy {
    keys: BTreeMap<String, TrustedKey>,
}

#[derive(Debug, Clone)]
struct TrustedKey {
    public_key: VerifyingKey,
    models: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyDocument {
    keys: Vec<KeyTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    key_id: String,
    public_key: String,
    models: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureDocument {
    key_id: String,
    signature: String,
}

/// A detached Ed25519 signature (RFC 8032) over the exact bytes of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachedSignature {
    /// Identifier of the key in the trust policy.
    pub key_id: String,
    /// The signature.
    pub signature: [u8; 64],
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
}

impl TrustPolicy {
    /// Reads a trust policy in TOML: `[[keys]]` with `key_id`, `public_key` (base64 of 32 bytes) and `models`, the
    /// names of the models that the key may sign.
    ///
    /// # Errors
    /// [`TrustError::InvalidPolicy`] with every problem.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        let document: PolicyDocument = toml::from_str(text).map_err(|error| {
            let problem = error.to_string().trim_end().to_owned();
            TrustError::InvalidPolicy {
                problems: vec![problem],
            }
        })?;
        let mut problems = Vec::new();
        let mut keys = BTreeMap::new();
        for (index, table) in document.keys.into_iter().enumerate() {
            let path = format!("keys[{index}]");
            let key = trusted_key(&path, &table, &mut problems);
            if table.key_id.trim().is_empty() {
                problems.push(format!("{path}.key_id: must not be empty"));
            }
            if keys.insert(table.key_id, key).is_some() {
                problems.push(format!("{path}.key_id: occurs twice"));
            }
        }
        if keys.is_empty() {
            problems.push("keys: must hold at least one key".to_owned());
        }
        let keys = keys
            .into_iter()
            .map(|(key_id, key)| Some((key_id, key?)))
            .collect();
        match keys {
            Some(keys) if problems.is_empty() => Ok(Self { keys }),
            _ => Err(TrustError::InvalidPolicy { problems }),
        }
    }

    /// Checks that a key which may sign `model_name` signed exactly these bytes (Ed25519, RFC 8032, with the strict
    /// rules that refuse malleable signatures and weak keys).
    pub fn verify(
        &self,
        manifest_bytes: &[u8],
        signature: &DetachedSignature,
        model_name: &str,
    ) -> Result<(), TrustError> {
        let key_id = signature.key_id.clone();
        let Some(key) = self.keys.get(&key_id) else {
            return Err(TrustError::UnknownKey { key_id });
        };
        if !key.models.iter().any(|name| name == model_name) {
            return Err(TrustError::KeyNotAllowed {
                key_id,
                model_name: model_name.to_owned(),
            });
        }
        key.public_key
            .verify_strict(manifest_bytes, &Signature::from_bytes(&signature.signature))
            .map_err(|_| TrustError::BadSignature {
                key_id,
                manifest_digest: sha256(manifest_bytes),
            })
    }
}

fn trusted_key(path: &str, table: &KeyTable, problems: &mut Vec<String>) -> Option<TrustedKey> {
    if table.models.is_empty() {
        problems.push(format!("{path}.models: must name at least one model"));
    }
    for (index, name) in table.models.iter().enumerate() {
        if ModelVersion::new(name, "1").is_err() {
            problems.push(format!(
                "{path}.models[{index}]: {name:?} is not a model name"
            ));
        }
    }
    let public_key = decode(&table.public_key)
        .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
        .filter(|key| !key.is_weak());
    if public_key.is_none() {
        problems.push(format!(
            "{path}.public_key: must be an Ed25519 key, 32 bytes in base64"
        ));
    }
    Some(TrustedKey {
        public_key: public_key?,
        models: table.models.clone(),
    })
}

fn decode<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    BASE64.decode(text).ok()?.try_into().ok()
}

impl DetachedSignature {
    /// Reads a signature file: `{"key_id": ..., "signature": ...}`, the signature being 64 bytes in base64.
    pub fn parse(json: &[u8]) -> Result<Self, TrustError> {
        let invalid = |problem: String| TrustError::InvalidSignatureFile { problem };
        let document: SignatureDocument =
            serde_json::from_slice(json).map_err(|error| invalid(error.to_string()))?;
        let signature = decode(&document.signature)
            .ok_or_else(|| invalid("signature: must be 64 bytes in base64".to_owned()))?;
        Ok(Self {
            key_id: document.key_id,
            signature,
        })
    }
}
