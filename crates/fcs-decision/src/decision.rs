//! From a model's output to a decision.

mod notice;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fcs_core::{ApplicationId, DecisionId, Probability, UnixMicros, redacted_debug};

use crate::application::Application;
use crate::calendar::Day;
use crate::catalogue::{Catalogue, NoTexts, TextSource};
use crate::cohort::BASIS_POINTS;
use crate::features::{self, FeatureInput, FeatureRow, IncompleteRow};
use crate::manifest::{FileRole, Manifest};
use crate::policy::{Action, KnockOut, Offer, Policy, Rule};
use crate::reasons::{self, ReasonSource};
use crate::record::{
    AppliedPolicy, DecidedBy, DecisionRecord, Outcome, PrincipalReason, RECORD_FORMAT, RecordModel,
    RecordPolicy, RecordPopulation,
};

redacted_debug!(ModelOutput);

/// How far the probability may be from the link function of the margin.
pub const PROBABILITY_TOLERANCE: f64 = 1e-12;

/// What the model says about one row. [`decide`] checks it.
#[derive(Clone, PartialEq)]
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
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionContext {
    /// Layout of the record: [`RECORD_FORMAT`], or that of the record which is replayed.
    pub record_format: u32,
    /// What the application says besides its features; format 1 does not keep it.
    pub application: Application,
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
    /// The package has no reason texts in the language on this day.
    #[error(transparent)]
    NoTexts(#[from] NoTexts),
    /// A value of the context cannot be recorded.
    #[error("the decision context has an invalid {what}")]
    InvalidContext {
        /// Which value.
        what: &'static str,
    },
}

/// Decides on one application: knock-out rules, then the rules in order, then the score against the cut-offs.
///
/// # Errors
/// When the model's output is broken, a denial would have no reason, or there are no texts in the language.
pub fn decide(
    manifest: &Manifest,
    row: &FeatureRow,
    output: &ModelOutput,
    context: &DecisionContext,
) -> Result<DecisionRecord, DecideError> {
    check_context(context)?;
    check_output(manifest, row, output)?;
    let source = reason_source(manifest, context)?;
    let verdict = reach_verdict(source, row, output, context)?;
    let mut record = record(source, context, verdict, row.inputs());
    let names = manifest.features.iter().map(|feature| feature.name.clone());
    record.score = Some(manifest.score.scale(output.margin));
    record.probability = Some(output.probability);
    record.margin = Some(output.margin);
    record.base_margin = Some(output.base_margin);
    record.contributions = names.zip(output.contributions.iter().copied()).collect();
    Ok(record)
}

/// Records that no decision was possible on an application: required values are missing.
///
/// # Errors
/// When the context cannot be recorded, or there are no texts in the language.
pub fn decide_incomplete(
    manifest: &Manifest,
    row: &IncompleteRow,
    context: &DecisionContext,
) -> Result<DecisionRecord, DecideError> {
    check_context(context)?;
    if row.manifest_digest != manifest.digest() {
        return Err(DecideError::OtherManifest);
    }
    let source = reason_source(manifest, context)?;
    let first = row.rules_hit.first();
    let mut rules = manifest.policy.completeness_rules();
    let rule = rules
        .find(|rule| Some(&rule.id) == first)
        .expect("an incomplete row is made by a rule of its manifest");
    let is_missing = |name: &&String| row.inputs.get(*name) == Some(&FeatureInput::Missing);
    let missing = || rule.features.iter().filter(is_missing).cloned().collect();
    let reason = |code: &String| reasons::by_rule(source, code, missing());
    let verdict = Verdict {
        outcome: Outcome::Incomplete,
        decided_by: DecidedBy::PolicyRule,
        reasons: rule.reason.iter().map(reason).collect(),
        knock_outs: Vec::new(),
        rules_hit: row.rules_hit.clone(),
        offer: None,
    };
    Ok(record(source, context, verdict, &row.inputs))
}

/// The record without what a score gives.
fn record(
    source: ReasonSource<'_>,
    context: &DecisionContext,
    verdict: Verdict,
    inputs: &BTreeMap<String, FeatureInput>,
) -> DecisionRecord {
    let manifest = source.manifest;
    let file_digest = |role| manifest.file(role).sha256;
    let newer = context.record_format >= 2;
    let facts = notice::Facts::of(&verdict, inputs, context, &manifest.policy);
    let text_source = |catalogue: &Catalogue| TextSource {
        language: catalogue.language.clone(),
        version: catalogue.version.clone(),
    };
    DecisionRecord {
        record_format: context.record_format,
        decision_id: context.decision_id,
        application_id: context.application_id.clone(),
        decided_at: context.decided_at,
        outcome: verdict.outcome,
        decided_by: verdict.decided_by,
        score: None,
        probability: None,
        margin: None,
        base_margin: None,
        features: inputs.clone(),
        contributions: BTreeMap::new(),
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
            applied: newer.then(|| AppliedPolicy {
                name: manifest.policy.name.clone(),
                version: manifest.policy.version.clone(),
                digest: manifest.policy.digest,
                rules_hit: verdict.rules_hit,
            }),
        },
        application: newer.then(|| context.application.clone()),
        component_failed: facts.component().filter(|_| newer),
        counteroffer: verdict.offer.filter(|_| newer),
        notice: newer.then(|| facts.notice()),
        retain_until: newer.then(|| facts.retain_until()),
        outside_sources: facts.outside_sources().filter(|_| newer),
        reason_texts: source.texts.filter(|_| newer).map(text_source),
        reference_population: RecordPopulation {
            id: manifest.reference_population.id.clone(),
            digest: file_digest(FileRole::Reference),
        },
        arm: context.arm.clone(),
        cohort_basis_point: context.cohort_basis_point,
        traffic_generation: context.traffic_generation,
        salt: context.salt,
    }
}

/// The reason map with its texts for a request.
fn reason_source<'a>(
    manifest: &'a Manifest,
    context: &DecisionContext,
) -> Result<ReasonSource<'a>, DecideError> {
    let language = context.application.language.as_deref();
    let texts = manifest.texts(language, Day::of(context.decided_at))?;
    Ok(ReasonSource { manifest, texts })
}

struct Verdict {
    outcome: Outcome,
    decided_by: DecidedBy,
    reasons: Vec<PrincipalReason>,
    knock_outs: Vec<String>,
    rules_hit: Vec<String>,
    offer: Option<Offer>,
}

fn reach_verdict(
    source: ReasonSource<'_>,
    row: &FeatureRow,
    output: &ModelOutput,
    context: &DecisionContext,
) -> Result<Verdict, DecideError> {
    let policy = &source.manifest.policy;
    let score = source.manifest.score.scale(output.margin);
    let scored = Some((score, output.probability.get()));
    let facts = features::facts(row.inputs(), scored, &context.application);
    let knock_outs: Vec<&KnockOut> = policy
        .knock_outs
        .iter()
        .filter(|rule| holds(rule, row))
        .collect();
    let rules: Vec<&Rule> = policy
        .decision_rules()
        .filter(|rule| rule.holds(&facts))
        .collect();
    let (outcome, decided_by, reasons) = match (knock_outs.first(), rules.first()) {
        (Some(rule), _) => {
            let features = vec![rule.feature.clone()];
            let reason = reasons::by_rule(source, &rule.reason, features);
            (Outcome::Deny, DecidedBy::KnockOut, vec![reason])
        }
        (None, Some(rule)) => {
            let reason = |code| reasons::by_rule(source, code, rule.features.clone());
            let reasons = rule.reason.iter().map(|code| reason(code)).collect();
            (outcome_of(&rule.action), DecidedBy::PolicyRule, reasons)
        }
        (None, None) => {
            let outcome = by_cut_offs(policy, score);
            let reasons = match outcome {
                Outcome::Approve => Vec::new(),
                _ => reasons::by_score(source, &output.contributions),
            };
            if outcome == Outcome::Deny && reasons.is_empty() {
                return Err(DecideError::NoAdverseReason { score });
            }
            (outcome, DecidedBy::Score, reasons)
        }
    };
    let offer = match (decided_by, rules.first().map(|rule| &rule.action)) {
        (DecidedBy::PolicyRule, Some(Action::Counteroffer(offer))) => Some(offer.clone()),
        _ => None,
    };
    let knock_outs: Vec<String> = knock_outs.iter().map(|rule| rule.id.clone()).collect();
    let rules_hit = knock_outs
        .iter()
        .chain(rules.iter().map(|rule| &rule.id))
        .cloned()
        .collect();
    Ok(Verdict {
        outcome,
        decided_by,
        reasons,
        knock_outs,
        rules_hit,
        offer,
    })
}

fn by_cut_offs(policy: &Policy, score: i32) -> Outcome {
    if score >= policy.approve_at_least {
        Outcome::Approve
    } else if score >= policy.refer_at_least {
        Outcome::Refer
    } else {
        Outcome::Deny
    }
}

const fn outcome_of(action: &Action) -> Outcome {
    match action {
        Action::Deny => Outcome::Deny,
        Action::Refer => Outcome::Refer,
        Action::Counteroffer(_) => Outcome::Counteroffer,
        Action::Incomplete => Outcome::Incomplete,
    }
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
    if !(1..=RECORD_FORMAT).contains(&context.record_format) {
        return invalid("record format");
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
