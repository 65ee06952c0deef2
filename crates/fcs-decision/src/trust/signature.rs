//! The file with the signatures of a package.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

use super::TrustError;

/// Signatures of one package, at most.
pub const SIGNATURES_MAX: usize = 16;

/// A detached Ed25519 signature (RFC 8032) over the exact bytes of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachedSignature {
    /// Identifier of the key in the trust policy.
    pub key_id: String,
    /// The signature.
    pub signature: [u8; 64],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureDocument {
    key_id: String,
    signature: String,
}

impl DetachedSignature {
    /// Reads a signature file: `{"key_id": ..., "signature": ...}`, the signature being 64 bytes in base64, or a list
    /// of one to [`SIGNATURES_MAX`] of these, each by another key.
    ///
    /// # Errors
    /// [`TrustError::InvalidSignatureFile`].
    pub fn parse_file(json: &[u8]) -> Result<Vec<Self>, TrustError> {
        let invalid = |problem: String| TrustError::InvalidSignatureFile { problem };
        let document: Value =
            serde_json::from_slice(json).map_err(|error| invalid(error.to_string()))?;
        let documents = match document {
            Value::Array(documents) => documents,
            other => vec![other],
        };
        if !(1..=SIGNATURES_MAX).contains(&documents.len()) {
            return Err(invalid(format!(
                "must hold 1 to {SIGNATURES_MAX} signatures"
            )));
        }
        let mut signatures: Vec<Self> = Vec::with_capacity(documents.len());
        for document in documents {
            let signature = Self::from_document(document).map_err(invalid)?;
            if signatures
                .iter()
                .any(|other| other.key_id == signature.key_id)
            {
                return Err(invalid(format!(
                    "key_id: {:?} occurs twice",
                    signature.key_id
                )));
            }
            signatures.push(signature);
        }
        Ok(signatures)
    }

    /// The text of a signature file: one object, or a list when there is more than one signature.
    pub fn file_text(signatures: &[Self]) -> String {
        let document =
            |it: &Self| json!({"key_id": it.key_id, "signature": BASE64.encode(it.signature)});
        let document = match signatures {
            [only] => document(only),
            several => several.iter().map(document).collect(),
        };
        format!("{document}\n")
    }

    fn from_document(document: Value) -> Result<Self, String> {
        let document: SignatureDocument =
            serde_json::from_value(document).map_err(|error| error.to_string())?;
        let signature = decode(&document.signature)
            .ok_or_else(|| "signature: must be 64 bytes in base64".to_owned())?;
        Ok(Self {
            key_id: document.key_id,
            signature,
        })
    }
}

pub(super) fn decode<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    BASE64.decode(text).ok()?.try_into().ok()
}
