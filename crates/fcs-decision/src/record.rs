//! The decision record: everything that a decision was made from, in one canonical byte form.

mod form;
mod part;

use std::collections::BTreeMap;

use fcs_core::{
    ApplicationId, DecisionId, Digest, Probability, UnixMicros, UnreadableJson, redacted_debug,
};
use serde::{Deserialize, Serialize};

use crate::application::Application;
use crate::calendar::Day;
use crate::catalogue::TextSource;
use crate::decision::{DecisionContext, ModelOutput};
use crate::features::FeatureInput;
use crate::policy::Offer;
use crate::reasons::REASONS_MAX;

pub use part::{
    AppliedPolicy, Component, DecidedBy, FormHint, Notice, Outcome, OutsideSources,
    PrincipalReason, RecordModel, RecordPolicy, RecordPopulation,
};

redacted_debug!(DecisionRecord);

/// The format of new records. Records of every earlier format are read and replayed.
pub const RECORD_FORMAT: u32 = 2;

/// One decision with its evidence. Only [`crate::decision::decide`] and [`DecisionRecord::from_bytes`] make one.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DecisionRecord {
    /// Version of this layout, 1 or 2.
    pub record_format: u32,
    /// Identifier of the decision.
    pub decision_id: DecisionId,
    /// The lender's identifier of the application.
    pub application_id: ApplicationId,
    /// When the decision was made; RFC 3339 in UTC with six decimals in the byte form.
    #[serde(with = "form::rfc3339")]
    pub decided_at: UnixMicros,
    /// What was decided.
    pub outcome: Outcome,
    /// Which part of the policy decided.
    pub decided_by: DecidedBy,
    /// Scaled score; higher is better. An incomplete application has none, nor what follows up to the contributions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<i32>,
    /// Probability of the adverse outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<Probability>,
    /// Log-odds of the adverse outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// Mean margin of the reference population.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_margin: Option<f64>,
    /// Every feature of the manifest with its value.
    pub features: BTreeMap<String, FeatureInput>,
    /// Shapley value of every feature in margin space; positive is adverse.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contributions: BTreeMap<String, f64>,
    /// Most important first: none for an approval, up to four for a referral, else one to four.
    pub principal_reasons: Vec<PrincipalReason>,
    /// Identifiers of every knock-out rule that holds, in the order of the policy; the first one denied.
    pub knock_outs: Vec<String>,
    /// The model that scored.
    pub model: RecordModel,
    /// The policy in force.
    pub policy: RecordPolicy,
    /// What the application said besides its features; from format 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Application>,
    /// Which part the applicant failed, when the decision is adverse; from format 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_failed: Option<Component>,
    /// What is offered instead, with a counter-offer; from format 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counteroffer: Option<Offer>,
    /// The notice that is due; from format 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    /// The last day on which the record must still be there (12 CFR 1002.12(b)); from format 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<Day>,
    /// Whose information an adverse decision rests on; from format 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside_sources: Option<OutsideSources>,
    /// Where the texts of the reasons come from; from format 2 on, when the package has catalogues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_texts: Option<TextSource>,
    /// The applicants that the contributions are measured against.
    pub reference_population: RecordPopulation,
    /// The traffic arm.
    pub arm: String,
    /// Place of the application in the cohort hash, `0..10_000`.
    pub cohort_basis_point: u16,
    /// Generation of the traffic table.
    pub traffic_generation: u64,
    /// Random bytes that keep the digest from being guessed; hexadecimal in the byte form.
    #[serde(with = "form::salt_hex")]
    pub salt: [u8; 16],
}

/// The bytes are not a decision record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not JSON of the expected shape.
    #[error("read a decision record")]
    Malformed(#[source] UnreadableJson),
    /// A layout that this version does not know.
    #[error("read a decision record of format {found}, expected 1 to {RECORD_FORMAT}")]
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
    /// A part that its format or outcome must have is missing, or one that it cannot have is there.
    #[error("a decision record of format {format} with the outcome {} has a wrong or missing {part}", outcome.as_str())]
    Part {
        /// The format.
        format: u32,
        /// The outcome.
        outcome: Outcome,
        /// The part.
        part: &'static str,
    },
    /// The same content in another byte form, so its digest would differ.
    #[error("the decision record is not in canonical form (RFC 8785)")]
    NotCanonical,
}

impl DecisionRecord {
    /// The canonical bytes (RFC 8785 JSON).
    pub fn to_canonical_bytes(&self) -> Vec<u8> {
        fcs_core::to_canonical_vec(self)
            .expect("a record holds finite numbers and a time that RFC 3339 can express")
    }

    /// Reads canonical bytes; writing the result gives the same bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let record: Self =
            serde_json::from_slice(bytes).map_err(|error| RecordError::Malformed(error.into()))?;
        if !(1..=RECORD_FORMAT).contains(&record.record_format) {
            return Err(RecordError::UnknownFormat {
                found: record.record_format,
            });
        }
        let reasons = record.principal_reasons.len();
        let allowed = match record.outcome {
            Outcome::Approve => 0..=0,
            Outcome::Refer => 0..=REASONS_MAX,
            Outcome::Deny | Outcome::Counteroffer | Outcome::Incomplete => 1..=REASONS_MAX,
        };
        if !allowed.contains(&reasons) {
            return Err(RecordError::ReasonCount {
                outcome: record.outcome,
                reasons,
            });
        }
        record.check_parts()?;
        match fcs_core::to_canonical_vec(&record) {
            Ok(canonical) if canonical == bytes => Ok(record),
            _ => Err(RecordError::NotCanonical),
        }
    }

    /// Which parts are there follows from format and outcome.
    fn check_parts(&self) -> Result<(), RecordError> {
        let scored = self.outcome != Outcome::Incomplete;
        let newer = self.record_format >= 2;
        let adverse = matches!(self.outcome, Outcome::Deny | Outcome::Counteroffer);
        let parts = [
            (
                "outcome",
                newer || scored && self.outcome != Outcome::Counteroffer,
            ),
            (
                "decided_by",
                newer || self.decided_by != DecidedBy::PolicyRule,
            ),
            ("score", self.score.is_some() == scored),
            ("probability", self.probability.is_some() == scored),
            ("margin", self.margin.is_some() == scored),
            ("base_margin", self.base_margin.is_some() == scored),
            ("contributions", self.contributions.is_empty() != scored),
            ("policy", self.policy.applied.is_some() == newer),
            ("application", self.application.is_some() == newer),
            (
                "component_failed",
                self.component_failed.is_some() == (newer && adverse),
            ),
            (
                "counteroffer",
                self.counteroffer.is_some() == (self.outcome == Outcome::Counteroffer),
            ),
            ("notice", self.notice.is_some() == newer),
            ("retain_until", self.retain_until.is_some() == newer),
            (
                "outside_sources",
                self.outside_sources.is_some() == (newer && adverse),
            ),
            ("reason_texts", self.reason_texts.is_none() || newer),
        ];
        match parts.into_iter().find(|(_, fits)| !fits) {
            None => Ok(()),
            Some((part, _)) => Err(RecordError::Part {
                format: self.record_format,
                outcome: self.outcome,
                part,
            }),
        }
    }

    /// What the model said, for a decision by another policy; `None` for an incomplete application. `names` are the
    /// features in the order of the model.
    pub fn model_output<'a>(&self, names: impl Iterator<Item = &'a str>) -> Option<ModelOutput> {
        let contributions = names.map(|name| self.contributions.get(name).copied());
        Some(ModelOutput {
            margin: self.margin?,
            probability: self.probability?,
            base_margin: self.base_margin?,
            contributions: contributions.collect::<Option<_>>()?,
        })
    }

    /// The context that the decision was made in, for a replay.
    pub fn context(&self) -> DecisionContext {
        DecisionContext {
            record_format: self.record_format,
            application: self.application.clone().unwrap_or_default(),
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
