//! The decision record: everything that a decision was made from, in one canonical byte form.

use std::collections::BTreeMap;

use fcs_core::{ApplicationId, DecisionId, Digest, Probability, UnixMicros};
use serde::{Deserialize, Serialize};

use crate::decision::DecisionContext;
use crate::features::FeatureInput;
use crate::reasons::REASONS_MAX;

/// The format that this crate writes and reads.
pub const RECORD_FORMAT: u32 = 1;

/// One decision with its evidence. Only [`crate::decision::decide`] and [`DecisionRecord::from_bytes`] make one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DecisionRecord {
    /// Version of this layout, 1.
    pub record_format: u32,
    /// Identifier of the decision.
    pub decision_id: DecisionId,
    /// The lender's identifier of the application.
    pub application_id: ApplicationId,
    /// When the decision was made; RFC 3339 in UTC with six decimals in the byte form.
    #[serde(with = "rfc3339")]
    pub decided_at: UnixMicros,
    /// What was decided.
    pub outcome: Outcome,
    /// Which part of the policy decided.
    pub decided_by: DecidedBy,
    /// Scaled score; higher is better.
    pub score: i32,
    /// Probability of the adverse outcome.
    pub probability: Probability,
    /// Log-odds of the adverse outcome.
    pub margin: f64,
    /// Mean margin of the reference population.
    pub base_margin: f64,
    /// Every feature of the manifest with its value.
    pub features: BTreeMap<String, FeatureInput>,
    /// Shapley value of every feature in margin space; positive is adverse.
    pub contributions: BTreeMap<String, f64>,
    /// Most important first: one to four for a denial, none for an approval.
    pub principal_reasons: Vec<PrincipalReason>,
    /// Identifiers of every knock-out rule that holds, in the order of the policy; the first one denied.
    pub knock_outs: Vec<String>,
    /// The model that scored.
    pub model: RecordModel,
    /// The cut-offs in force.
    pub policy: RecordPolicy,
    /// The applicants that the contributions are measured against.
    pub reference_population: RecordPopulation,
    /// The traffic arm.
    pub arm: String,
    /// Place of the application in the cohort hash, `0..10_000`.
    pub cohort_basis_point: u16,
    /// Generation of the traffic table.
    pub traffic_generation: u64,
    /// Random bytes that keep the digest from being guessed; hexadecimal in the byte form.
    #[serde(with = "salt_hex")]
    pub salt: [u8; 16],
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Credit is granted.
    Approve,
    /// A person must decide.
    Refer,
    /// Credit is refused.
    Deny,
}

impl Outcome {
    /// Every outcome, for tables and zero-initialised counters.
    pub const ALL: [Self; 3] = [Self::Approve, Self::Refer, Self::Deny];

    /// The text form, as in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Refer => "refer",
            Self::Deny => "deny",
        }
    }
}

/// Which part of the policy decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// The score against the cut-offs.
    Score,
    /// A knock-out rule.
    KnockOut,
}

impl DecidedBy {
    /// The text form, as in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::KnockOut => "knock_out",
        }
    }
}

/// A specific reason for an adverse decision (12 CFR 1002.9(b)(2)).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalReason {
    /// 1 for the most important.
    pub rank: u8,
    /// Code in the reason map.
    pub code: String,
    /// The reason in words for the applicant.
    pub text: String,
    /// Sample reason of Regulation B, form C-1: `01` to `23`, or `other`.
    pub regb_ref: String,
    /// HMDA denial reason, 1 to 9.
    pub hmda_code: u8,
    /// Features behind the reason, in the order of the manifest; their contributions sum to `contribution`.
    pub features: Vec<String>,
    /// Summed contribution in margin space; 0 for a knock-out rule.
    pub contribution: f64,
}

/// The model that scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordModel {
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// SHA-256 of the manifest.
    pub manifest_digest: Digest,
    /// SHA-256 of the model file.
    pub model_digest: Digest,
}

/// The cut-offs in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordPolicy {
    /// Scores from here on were approved.
    pub approve_at_least: i32,
    /// Scores from here on and below `approve_at_least` went to a person.
    pub refer_at_least: i32,
}

/// The applicants that the contributions are measured against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordPopulation {
    /// Identifier in the manifest.
    pub id: String,
    /// SHA-256 of the reference file.
    pub digest: Digest,
}

/// The bytes are not a decision record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not JSON of the expected shape.
    #[error("read a decision record")]
    Malformed(#[source] serde_json::Error),
    /// A layout that this version does not know.
    #[error("read a decision record of format {found}, expected {RECORD_FORMAT}")]
    UnknownFormat {
        /// The format of the record.
        found: u32,
    },
    /// The reasons do not fit the outcome.
    #[error("a decision record with the outcome {} holds {reasons} reasons", outcome.as_str())]
    ReasonCount {
        /// The outcome.
        outcome: Outcome,
        /// Number of reasons.
        reasons: usize,
    },
    /// The same content in another byte form, so its digest would differ.
    #[error("the decision record is not in canonical form (RFC 8785)")]
    NotCanonical,
}

impl DecisionRecord {
    /// The canonical bytes (RFC 8785 JSON).
    pub fn to_canonical_bytes(&self) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(self)
            .expect("a record holds finite numbers and a time that RFC 3339 can express")
    }

    /// Reads canonical bytes; writing the result gives the same bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let record: Self = serde_json::from_slice(bytes).map_err(RecordError::Malformed)?;
        if record.record_format != RECORD_FORMAT {
            return Err(RecordError::UnknownFormat {
                found: record.record_format,
            });
        }
        let reasons = record.principal_reasons.len();
        let allowed = match record.outcome {
            Outcome::Approve => 0..=0,
            Outcome::Refer => 0..=REASONS_MAX,
            Outcome::Deny => 1..=REASONS_MAX,
        };
        if !allowed.contains(&reasons) {
            return Err(RecordError::ReasonCount {
                outcome: record.outcome,
                reasons,
            });
        }
        match serde_json_canonicalizer::to_vec(&record) {
            Ok(canonical) if canonical == bytes => Ok(record),
            _ => Err(RecordError::NotCanonical),
        }
    }

    /// The context that the decision was made in, for a replay.
    pub fn context(&self) -> DecisionContext {
        DecisionContext {
            decision_id: self.decision_id,
            application_id: self.application_id.clone(),
            decided_at: self.decided_at,
            salt: self.salt,
            arm: self.arm.clone(),
            cohort_basis_point: self.cohort_basis_point,
            traffic_generation: self.traffic_generation,
        }
    }

    /// The feature values that the decision was made from, for a replay.
    pub fn inputs(&self) -> BTreeMap<String, FeatureInput> {
        self.features.clone()
    }
}

/// SHA-256 of a record's canonical bytes, the value that the transparency log covers.
pub fn record_digest(bytes: &[u8]) -> Digest {
    crate::manifest::sha256(bytes)
}

mod rfc3339 {
    use std::fmt::Write as _;

    use fcs_core::UnixMicros;
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde calls"
    )]
    pub(super) fn serialize<S: Serializer>(
        moment: &UnixMicros,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        write!(text, "{moment}").map_err(|_| ser::Error::custom("the time is out of range"))?;
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<UnixMicros, D::Error> {
        let text = String::deserialize(deserializer)?;
        UnixMicros::parse_rfc3339(&text).map_err(de::Error::custom)
    }
}

mod salt_hex {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        salt: &[u8; 16],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(salt))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 16], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut salt = [0; 16];
        hex::decode_to_slice(text, &mut salt).map_err(de::Error::custom)?;
        Ok(salt)
    }
}
