//! From a model's output to a decision.

use std::fmt::Write as _;

use fcs_core::{ApplicationId, DecisionId, Probability, UnixMicros};

use crate::cohort::BASIS_POINTS;
use crate::features::FeatureRow;
use crate::manifest::{FileRole, KnockOut, Manifest};
use crate::reasons;
use crate::record::{
    DecidedBy, DecisionRecord, Outcome, PrincipalReason, RECORD_FORMAT, RecordModel, RecordPolicy,
    RecordPopulation,
};

/// How far the probability may be from the link function of the margin.
pub const PROBABILITY_TOLERANCE: f64 = 1e-12;

/// What the model says about one row. [`decide`] checks it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelOutput {
    /// Log-odds of the adverse outcome.
    pub margin: f64,
    /// Probability of the adverse outcome.
    pub probability: Probability,
    /// Mean margin of the reference population.
    pub base_margin: f64,
    /// Shapley values in margin space, one per feature in the order of the manifest.
    pub contributions: Vec<f64>,
}

/// What a decision depends on besides manifest, features and model output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionContext {
    /// Identifier of the decision.
    pub decision_id: DecisionId,
    /// The lender's identifier of the application.
    pub application_id: ApplicationId,
    /// When the decision is made.
    pub decided_at: UnixMicros,
    /// Random bytes that keep the record's digest from being guessed.
    pub salt: [u8; 16],
    /// The traffic arm that scored the application.
    pub arm: String,
    /// Place of the application in the cohort hash, `0..10_000`.
    pub cohort_basis_point: u16,
    /// Generation of the traffic table; at most 2^53.
    pub traffic_generation: u64,
}

/// Why no decision can be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecideError {
    /// The row was encoded for another manifest.
    #[error("the feature row was encoded for another manifest")]
    OtherManifest,
    /// The model's output has the wrong number of contributions.
    #[error("the model gave {found} contributions for {expected} features")]
    ContributionCount {
        /// Features of the manifest.
        expected: usize,
        /// Contributions of the output.
        found: usize,
    },
    /// A number of the model's output is infinite or not a number.
    #[error("the model's {what} is not finite")]
    NotFinite {
        /// `margin`, `base margin`, or the contribution of which feature.
        what: String,
    },
    /// Base margin and contributions do not sum to the margin.
    #[error("base margin and contributions sum to {sum}, not to the margin {margin}")]
    NotAdditive {
        /// Base margin plus contributions.
        sum: f64,
        /// The margin.
        margin: f64,
    },
    /// The probability does not belong to the margin.
    #[error("the probability {found} does not belong to the margin, which gives {expected}")]
    ProbabilityMismatch {
        /// Link function of the margin.
        expected: f64,
        /// The model's probability.
        found: f64,
    },
    /// The application would be denied, and no reason code has an adverse contribution.
    #[error("the score {score} denies, but no reason is adverse against the reference population")]
    NoAdverseReason {
        /// The scaled score.
        score: i32,
    },
    /// A value of the context cannot be recorded.
    #[error("the decision context has an invalid {what}")]
    InvalidContext {
        /// Which value.
        what: &'static str,
    },
}

/// Decides on one application: knock-out rules in order, then the score against the cut-offs.
///
/// # Errors
/// When the model's output is broken or a denial would have no reason.
pub fn decide(
    manifest: &Manifest,
    row: &FeatureRow,
    output: &ModelOutput,
    context: &DecisionContext,
) -> Result<DecisionRecord, DecideError> {
    check_context(context)?;
    check_output(manifest, row, output)?;
    let verdict = reach_verdict(manifest, row, output)?;
    let names = || manifest.features.iter().map(|feature| feature.name.clone());
    let file_digest = |role| manifest.file(role).sha256;
    Ok(DecisionRecord {
        record_format: RECORD_FORMAT,
        decision_id: context.decision_id,
        application_id: context.application_id.clone(),
        decided_at: context.decided_at,
        outcome: verdict.outcome,
        decided_by: verdict.decided_by,
        score: verdict.score,
        probability: output.probability,
        margin: output.margin,
        base_margin: output.base_margin,
        features: row.inputs().clone(),
        contributions: names().zip(output.contributions.iter().copied()).collect(),
        principal_reasons: verdict.reasons,
        knock_outs: verdict.knock_outs,
        model: RecordModel {
            name: manifest.model.name.clone(),
            version: manifest.model.version.clone(),
            manifest_digest: manifest.digest(),
            model_digest: file_digest(FileRole::Model),
        },
        policy: RecordPolicy {
            approve_at_least: manifest.policy.approve_at_least,
            refer_at_least: manifest.policy.refer_at_least,
        },
        reference_population: RecordPopulation {
            id: manifest.reference_population.id.clone(),
            digest: file_digest(FileRole::Reference),
        },
        arm: context.arm.clone(),
        cohort_basis_point: context.cohort_basis_point,
        traffic_generation: context.traffic_generation,
        salt: context.salt,
    })
}

struct Verdict {
    outcome: Outcome,
    decided_by: DecidedBy,
    score: i32,
    reasons: Vec<PrincipalReason>,
    knock_outs: Vec<String>,
}

fn reach_verdict(
    manifest: &Manifest,
    row: &FeatureRow,
    output: &ModelOutput,
) -> Result<Verdict, DecideError> {
    let score = manifest.score.scale(output.margin);
    let holding: Vec<&KnockOut> = manifest
        .policy
        .knock_outs
        .iter()
        .filter(|rule| holds(rule, row))
        .collect();
    if let Some(first) = holding.first() {
        return Ok(Verdict {
            outcome: Outcome::Deny,
            decided_by: DecidedBy::KnockOut,
            score,
            reasons: vec![reasons::by_knock_out(manifest, first)],
            knock_outs: holding.iter().map(|rule| rule.id.clone()).collect(),
        });
    }
    let outcome = if score >= manifest.policy.approve_at_least {
        Outcome::Approve
    } else if score >= manifest.policy.refer_at_least {
        Outcome::Refer
    } else {
        Outcome::Deny
    };
    let reasons = match outcome {
        Outcome::Approve => Vec::new(),
        Outcome::Refer | Outcome::Deny => reasons::by_score(manifest, &output.contributions),
    };
    if outcome == Outcome::Deny && reasons.is_empty() {
        return Err(DecideError::NoAdverseReason { score });
    }
    Ok(Verdict {
        outcome,
        decided_by: DecidedBy::Score,
        score,
        reasons,
        knock_outs: Vec::new(),
    })
}

fn holds(rule: &KnockOut, row: &FeatureRow) -> bool {
    row.inputs()
        .get(&rule.feature)
        .is_some_and(|value| rule.condition.holds(value))
}

fn check_context(context: &DecisionContext) -> Result<(), DecideError> {
    let invalid = |what| Err(DecideError::InvalidContext { what });
    // The time must survive its text form, which holds the years 0 to 9999 only.
    let mut printed = String::new();
    let prints = write!(printed, "{}", context.decided_at).is_ok();
    if !prints || UnixMicros::parse_rfc3339(&printed) != Ok(context.decided_at) {
        return invalid("time");
    }
    if context.cohort_basis_point >= BASIS_POINTS {
        return invalid("cohort basis point");
    }
    // Numbers of RFC 8785 are IEEE 754 doubles.
    if context.traffic_generation > 1 << 53 {
        return invalid("traffic generation");
    }
    Ok(())
}

fn check_output(
    manifest: &Manifest,
    row: &FeatureRow,
    output: &ModelOutput,
) -> Result<(), DecideError> {
    if row.manifest_digest() != manifest.digest() {
        return Err(DecideError::OtherManifest);
    }
    let (expected, found) = (manifest.features.len(), output.contributions.len());
    if expected != found {
        return Err(DecideError::ContributionCount { expected, found });
    }
    for (what, value) in [
        ("margin", output.margin),
        ("base margin", output.base_margin),
    ] {
        if !value.is_finite() {
            return Err(DecideError::NotFinite {
                what: what.to_owned(),
            });
        }
    }
    for (feature, contribution) in manifest.features.iter().zip(&output.contributions) {
        if !contribution.is_finite() {
            let what = format!("contribution of {}", feature.name);
            return Err(DecideError::NotFinite { what });
        }
    }
    let (margin, sum) = (
        output.margin,
        output.base_margin + output.contributions.iter().sum::<f64>(),
    );
    // A sum of finite numbers can overflow.
    if !sum.is_finite() || (sum - margin).abs() > manifest.additivity_tolerance(margin) {
        return Err(DecideError::NotAdditive { sum, margin });
    }
    let (expected, found) = (
        manifest.model.link.probability(margin),
        output.probability.get(),
    );
    if (expected - found).abs() > PROBABILITY_TOLERANCE {
        return Err(DecideError::ProbabilityMismatch { expected, found });
    }
    Ok(())
}
