//! Reading a trust policy.

use std::collections::BTreeMap;

use ed25519_dalek::VerifyingKey;
use fcs_core::{ModelVersion, UnixMicros};
use serde::Deserialize;

use super::signature::{SIGNATURES_MAX, decode};
use super::{KeyModels, Revocation, TrustError, TrustPolicy, TrustedKey};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyDocument {
    #[serde(default = "one")]
    required_signatures: usize,
    keys: Vec<KeyTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    key_id: String,
    public_key: String,
    models: Vec<String>,
    not_before: Option<String>,
    not_after: Option<String>,
    revoked: Option<RevokedTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedTable {
    at: String,
    reason: String,
}

const fn one() -> usize {
    1
}

impl TrustPolicy {
    /// Reads a trust policy in TOML: `required_signatures` (1 when not given), and `[[keys]]` with `key_id`,
    /// `public_key` (base64 of 32 bytes), `models` (the names of the models that the key may sign, or `["*"]`), and
    /// optionally `not_before`, `not_after` (RFC 3339; the second is the first moment at which the key is not valid)
    /// and `revoked` with `at` and `reason`.
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
        let required_signatures = document.required_signatures;
        let mut problems = Vec::new();
        let mut keys = BTreeMap::new();
        for (index, table) in document.keys.into_iter().enumerate() {
            let path = format!("keys[{index}]");
            let key = trusted_key(&path, &table, &mut problems);
            if table.key_id.trim().is_empty() {
                problems.push(format!("{path}.key_id: must not be empty"));
            }
            if let Some(key) = &key
                && has_public_key(&keys, &key.public_key)
            {
                // One holder must not count as two signers.
                problems.push(format!("{path}.public_key: occurs twice"));
            }
            if keys.insert(table.key_id, key).is_some() {
                problems.push(format!("{path}.key_id: occurs twice"));
            }
        }
        if keys.is_empty() {
            problems.push("keys: must hold at least one key".to_owned());
        }
        if !(1..=SIGNATURES_MAX).contains(&required_signatures) {
            problems.push(format!(
                "required_signatures: must be from 1 to {SIGNATURES_MAX}"
            ));
        } else if required_signatures > keys.len().max(1) {
            problems.push("required_signatures: must not be above the number of keys".to_owned());
        }
        let keys = keys
            .into_iter()
            .map(|(key_id, key)| Some((key_id, key?)))
            .collect();
        match keys {
            Some(keys) if problems.is_empty() => Ok(Self {
                keys,
                required_signatures,
            }),
            _ => Err(TrustError::InvalidPolicy { problems }),
        }
    }
}

fn has_public_key(keys: &BTreeMap<String, Option<TrustedKey>>, wanted: &VerifyingKey) -> bool {
    keys.values().flatten().any(|key| key.public_key == *wanted)
}

fn trusted_key(path: &str, table: &KeyTable, problems: &mut Vec<String>) -> Option<TrustedKey> {
    let models = key_models(path, &table.models, problems);
    let not_before = moment(path, "not_before", table.not_before.as_deref(), problems);
    let not_after = moment(path, "not_after", table.not_after.as_deref(), problems);
    if let (Some(from), Some(to)) = (not_before, not_after)
        && from >= to
    {
        problems.push(format!("{path}.not_after: must be after not_before"));
    }
    let revoked = table.revoked.as_ref().and_then(|revoked| {
        if revoked.reason.trim().is_empty() {
            problems.push(format!("{path}.revoked.reason: must not be empty"));
        }
        Some(Revocation {
            at: moment(path, "revoked.at", Some(&revoked.at), problems)?,
            reason: revoked.reason.clone(),
        })
    });
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
        models,
        not_before,
        not_after,
        revoked,
    })
}

fn key_models(path: &str, names: &[String], problems: &mut Vec<String>) -> KeyModels {
    if names.is_empty() {
        problems.push(format!("{path}.models: must name at least one model"));
    }
    if names == ["*"] {
        return KeyModels::All;
    }
    for (index, name) in names.iter().enumerate() {
        if name == "*" {
            problems.push(format!("{path}.models[{index}]: \"*\" stands alone"));
        } else if ModelVersion::new(name, "1").is_err() {
            problems.push(format!(
                "{path}.models[{index}]: {name:?} is not a model name"
            ));
        }
    }
    KeyModels::Named(names.to_vec())
}

fn moment(
    path: &str,
    key: &str,
    text: Option<&str>,
    problems: &mut Vec<String>,
) -> Option<UnixMicros> {
    UnixMicros::parse_rfc3339(text?)
        .map_err(|error| problems.push(format!("{path}.{key}: {error}")))
        .ok()
}
