//! Signed manifests of a small model.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use fcs_core::{Digest, ModelVersion};
use fcs_decision::manifest::Manifest;
use fcs_decision::trust::DetachedSignature;
use scoring_gateway::app::port::SignedManifest;

pub(crate) const MODEL: &str = "test-card";
const KEY_ID: &str = "test-publisher";

pub(crate) fn trust_policy() -> String {
    let public_key = STANDARD.encode(key(1).verifying_key().as_bytes());
    format!(
        "[[keys]]\nkey_id = \"{KEY_ID}\"\npublic_key = \"{public_key}\"\nmodels = [\"{MODEL}\"]\n"
    )
}

/// The package of a version, signed as the trust policy wants it.
pub(crate) fn signed(version: &str) -> SignedManifest {
    signed_by(1, version)
}

/// The package of a version, signed by somebody else.
pub(crate) fn forged(version: &str) -> SignedManifest {
    signed_by(2, version)
}

pub(crate) fn version(version: &str) -> ModelVersion {
    ModelVersion::new(MODEL, version).unwrap()
}

pub(crate) fn digest(version: &str) -> Digest {
    Manifest::parse(&signed(version).manifest).unwrap().digest()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn signed_by(seed: u8, version: &str) -> SignedManifest {
    let manifest = MANIFEST.replace("VERSION", version).into_bytes();
    let signature = key(seed).sign(&manifest).to_bytes();
    let signature = DetachedSignature {
        key_id: KEY_ID.to_owned(),
        signature,
    };
    SignedManifest {
        manifest,
        signatures: vec![signature],
    }
}

const MANIFEST: &str = include_str!("model.toml");
