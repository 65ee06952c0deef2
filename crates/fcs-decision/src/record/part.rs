//! The parts of a decision record.

use fcs_core::Digest;
use serde::{Deserialize, Serialize};

use crate::calendar::Day;

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
    /// Other terms are offered than were asked for; from record format 2 on.
    Counteroffer,
    /// No decision was possible without what is missing; from record format 2 on.
    Incomplete,
}

impl Outcome {
    /// Every outcome, for tables and zero-initialised counters.
    pub const ALL: [Self; 5] = [
        Self::Approve,
        Self::Refer,
        Self::Deny,
        Self::Counteroffer,
        Self::Incomplete,
    ];

    /// The text form, as in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Refer => "refer",
            Self::Deny => "deny",
            Self::Counteroffer => "counteroffer",
            Self::Incomplete => "incomplete",
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
    /// A rule of the ordered list; from record format 2 on.
    PolicyRule,
}

impl DecidedBy {
    /// The text form, as in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::KnockOut => "knock_out",
            Self::PolicyRule => "policy_rule",
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
    /// Summed contribution in margin space; 0 for a rule.
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

/// The policy in force.
// Serde cannot refuse unknown members beside a flattened part; they do not survive the check for canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPolicy {
    /// Scores from here on were approved.
    pub approve_at_least: i32,
    /// Scores from here on and below `approve_at_least` went to a person.
    pub refer_at_least: i32,
    /// Which policy it was, and which rules held; from record format 2 on.
    #[serde(flatten)]
    pub applied: Option<AppliedPolicy>,
}

/// Which policy was applied, and which of its rules held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedPolicy {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SHA-256 of the policy section as canonical JSON.
    pub digest: Digest,
    /// Identifiers of every rule that held, knock-out rules first, in the order of the policy; the first one decided.
    pub rules_hit: Vec<String>,
}

/// The part of the system that an applicant failed (comment 9(b)(2)-7): reasons come from it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// The score was below the cut-off.
    Score,
    /// A rule decided; the score was not looked at.
    PolicyRule,
}

/// The notice that an applicant must get (12 CFR 1002.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Whether this decision must be notified.
    pub required: bool,
    /// The last day for it; for a referral, the last day for a decision with its notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_by: Option<Day>,
    /// The sample form that comes nearest. Forms are illustrations: the reasons of the record are what must be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form_hint: Option<FormHint>,
}

/// Sample notification forms of 12 CFR 1002, Appendix C.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FormHint {
    /// Action taken and reasons; the one form with the disclosures of both sections 615(a) and 615(b).
    #[serde(rename = "C-1")]
    C1,
    /// Action taken and reasons, as a letter.
    #[serde(rename = "C-2")]
    C2,
    /// Action taken and reasons of a credit scoring system.
    #[serde(rename = "C-3")]
    C3,
    /// Action taken, reasons and a counter-offer.
    #[serde(rename = "C-4")]
    C4,
    /// The right to request the reasons.
    #[serde(rename = "C-5")]
    C5,
    /// The application is incomplete.
    #[serde(rename = "C-6")]
    C6,
}

impl FormHint {
    /// The text form, as in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::C1 => "C-1",
            Self::C2 => "C-2",
            Self::C3 => "C-3",
            Self::C4 => "C-4",
            Self::C5 => "C-5",
            Self::C6 => "C-6",
        }
    }
}

/// Whose information an adverse decision rests on in part, as the caller declared it (15 USC 1681m).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideSources {
    /// A consumer report: the disclosure of section 615(a) is due.
    pub fcra_615a: bool,
    /// Someone else who is no consumer reporting agency: the disclosure of section 615(b) is due.
    pub fcra_615b: bool,
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
