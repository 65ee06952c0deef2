use fcs_core::{Probability, UnixMicros};
use fcs_decision::decision::{DecideError, DecisionContext, ModelOutput, decide};
use fcs_decision::manifest::Manifest;
use fcs_decision::record::{DecidedBy, Outcome};

use crate::fixture::{MANIFEST, context, decide_with, inputs, manifest, output};

const CONTRIBUTIONS: [f64; 7] = [0.5, 0.9, -0.5, 0.8, 0.3, 0.1, 0.2];

fn sound() -> ModelOutput {
    output(-3.5, &CONTRIBUTIONS)
}

fn error(output: &ModelOutput) -> DecideError {
    decide_with(&inputs(), output).unwrap_err()
}

#[test]
fn cut_offs_belong_to_the_better_side() {
    let manifest = manifest();
    let points = |score: i32| {
        // A margin in the middle of the score's half-open interval.
        let margin = -f64::from(score - 600) * std::f64::consts::LN_2 / 40.0 - 20.0f64.ln();
        let record = decide_with(
            &inputs(),
            &output(-4.0, &[margin + 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        );
        let record = record.unwrap();
        assert_eq!(record.score, Some(score));
        record.outcome
    };
    assert_eq!(manifest.policy.approve_at_least, 620);
    assert_eq!([621, 620].map(points), [Outcome::Approve; 2]);
    assert_eq!([619, 590].map(points), [Outcome::Refer; 2]);
    assert_eq!([589, 580].map(points), [Outcome::Deny; 2]);
}

#[test]
fn keeps_the_evidence() {
    let (manifest, context, output) = (manifest(), context(), sound());
    let row = manifest.encode(&inputs()).unwrap();
    let record = decide(&manifest, &row, &output, &context).unwrap();
    assert_eq!(
        (record.outcome, record.decided_by),
        (Outcome::Deny, DecidedBy::Score)
    );
    assert_eq!(record.score, Some(manifest.score.scale(output.margin)));
    assert_eq!(record.inputs(), inputs());
    assert_eq!(record.context(), context);
    assert_eq!(
        record.contributions["utilization"].to_bits(),
        0.8f64.to_bits()
    );
    assert_eq!(record.contributions.len(), 7);
    assert_eq!(record.model.manifest_digest, manifest.digest());
    assert_eq!(record.model.model_digest.to_string(), "2".repeat(64));
    assert_eq!(
        record.reference_population.digest.to_string(),
        "3".repeat(64)
    );
    assert_eq!(record.reference_population.id, "example-card-7-near-cutoff");
}

#[test]
fn refuses_numbers_that_are_not_finite() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut broken = sound();
        broken.margin = bad;
        assert_eq!(
            error(&broken),
            DecideError::NotFinite {
                what: "margin".to_owned()
            }
        );
        let mut broken = sound();
        broken.base_margin = bad;
        assert_eq!(
            error(&broken),
            DecideError::NotFinite {
                what: "base margin".to_owned()
            }
        );
        let mut broken = sound();
        broken.contributions[3] = bad;
        let what = "contribution of utilization".to_owned();
        assert_eq!(error(&broken), DecideError::NotFinite { what });
    }
    let mut overflowing = sound();
    overflowing.contributions = vec![f64::MAX; 7];
    assert!(matches!(
        error(&overflowing),
        DecideError::NotAdditive { .. }
    ));
}

#[test]
fn refuses_contributions_that_do_not_add_up() {
    let mut broken = sound();
    broken.contributions.pop();
    assert_eq!(
        error(&broken),
        DecideError::ContributionCount {
            expected: 7,
            found: 6
        }
    );
    let mut broken = sound();
    broken.contributions.clear();
    assert_eq!(
        error(&broken),
        DecideError::ContributionCount {
            expected: 7,
            found: 0
        }
    );
    let mut broken = sound();
    broken.contributions[0] += 1e-8;
    assert!(matches!(error(&broken), DecideError::NotAdditive { .. }));
    let mut rounded = sound();
    rounded.contributions[0] += 1e-10;
    assert!(
        decide_with(&inputs(), &rounded).is_ok(),
        "within the tolerance"
    );
}

#[test]
fn refuses_a_probability_of_another_margin() {
    let mut broken = sound();
    broken.probability = Probability::try_from(broken.probability.get() + 1e-9).unwrap();
    assert!(matches!(
        error(&broken),
        DecideError::ProbabilityMismatch { .. }
    ));
}

#[test]
fn a_denial_without_a_reason_is_an_error() {
    let broken = output(-1.0, &[-0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert!(matches!(
        error(&broken),
        DecideError::NoAdverseReason { .. }
    ));
}

#[test]
fn refuses_a_row_of_another_manifest() {
    let other = Manifest::parse(format!("{MANIFEST}\n").as_bytes()).unwrap();
    let row = other.encode(&inputs()).unwrap();
    let result = decide(&manifest(), &row, &sound(), &context());
    assert_eq!(result.unwrap_err(), DecideError::OtherManifest);
}

#[test]
fn refuses_a_context_that_cannot_be_recorded() {
    let manifest = manifest();
    let row = manifest.encode(&inputs()).unwrap();
    let with = |context: DecisionContext| decide(&manifest, &row, &sound(), &context).map(|_| ());
    let invalid = |what| Err(DecideError::InvalidContext { what });
    for micros in [i64::MAX, i64::MIN, -99_999_999_999_999_999] {
        let context = DecisionContext {
            decided_at: UnixMicros(micros),
            ..context()
        };
        assert_eq!(with(context), invalid("time"));
    }
    let out_of_range = DecisionContext {
        cohort_basis_point: 10_000,
        ..context()
    };
    assert_eq!(with(out_of_range), invalid("cohort basis point"));
    let inexact = DecisionContext {
        traffic_generation: (1 << 53) + 1,
        ..context()
    };
    assert_eq!(with(inexact), invalid("traffic generation"));
}
