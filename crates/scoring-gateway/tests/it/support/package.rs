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
    let manifest = MANIFEST.replace("VERSION", version);
    let manifest = if version == "rules" {
        with_rules(&manifest)
    } else {
        manifest
    };
    let manifest = manifest.into_bytes();
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

/// The manifest in format 3, with rules of every action and texts in two languages.
fn with_rules(manifest: &str) -> String {
    let (head, rest) = manifest.split_once("[[policy.knock_outs]]").unwrap();
    let (_, tail) = rest.split_once("[reference_population]").unwrap();
    let head = head
        .replace("manifest_format = 1", "manifest_format = 3")
        .replace(
            "[policy]",
            "[policy]\nname = \"test-policy\"\nversion = \"7\"",
        );
    let lines = head.lines().filter(|line| !line.starts_with("text = "));
    let head: String = lines.flat_map(|line| [line, "\n"]).collect();
    format!("{head}{RULES}[reference_population]{tail}{CATALOGUES}")
}

const RULES: &str = r#"
[[policy.rules]]
id = "no-income-given"
when = "!has(features.income)"
action = "incomplete"
reason = "INCOME"

[[policy.rules]]
id = "smaller"
when = 'has(request.amount) && request.amount > 5000 && has(request.currency) && request.currency == "USD"'
action = "counteroffer"
reason = "INCOME"
offer = { amount = "5000.00", currency = "USD" }
overrides = ["look"]

[[policy.rules]]
id = "look"
when = 'has(request.product) && request.product == "card"'
action = "refer"
"#;

const CATALOGUES: &str = r#"
[[catalogues]]
language = "en"
version = "1"
effective_from = "2020-01-01"
[catalogues.texts]
INCOME = "Income insufficient"
DELINQUENCY = "Payments overdue"
HOUSING = "Housing"

[[catalogues]]
language = "es"
version = "2"
effective_from = "2020-01-01"
[catalogues.texts]
INCOME = "Ingresos insuficientes"
DELINQUENCY = "Pagos atrasados"
HOUSING = "Vivienda"
"#;
