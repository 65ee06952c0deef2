use std::collections::BTreeMap;

use fcs_decision::features::FeatureInput;
use fcs_decision::record::{DecidedBy, DecisionRecord, Outcome};
use proptest::prelude::*;

use crate::fixture::{decide_with, inputs, manifest, output, with};

/// Margin at the approval cut-off of the fixture is about -3.34, at the referral cut-off about -2.82.
const BASE_MARGIN: f64 = -3.5;

fn codes(record: &DecisionRecord) -> Vec<&str> {
    record
        .principal_reasons
        .iter()
        .map(|reason| reason.code.as_str())
        .collect()
}

#[test]
fn contributions_are_summed_by_code_before_they_are_ranked() {
    // Alone, 0.9 of the latest month would come first; with -0.5 of the month before it is third.
    let record = decide_with(
        &inputs(),
        &output(BASE_MARGIN, &[0.5, 0.9, -0.5, 0.8, 0.3, 0.1, 0.2]),
    );
    let record = record.unwrap();
    assert_eq!(record.outcome, Outcome::Deny);
    assert_eq!(
        codes(&record),
        ["BALANCE", "CREDIT-LIMIT", "DELINQUENCY", "PUBLIC-RECORD"]
    );
    let delinquency = &record.principal_reasons[2];
    assert_eq!(
        delinquency.features,
        ["months_behind", "months_behind_before"]
    );
    assert_eq!(delinquency.contribution.to_bits(), (0.9f64 - 0.5).to_bits());
    assert_eq!(delinquency.text, "Poor credit performance with us");
    assert_eq!(
        (delinquency.regb_ref.as_str(), delinquency.hmda_code),
        ("16", 3)
    );
}

#[test]
fn equal_contributions_are_ordered_by_code() {
    let record = decide_with(
        &inputs(),
        &output(BASE_MARGIN, &[1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]),
    );
    let expected = ["BALANCE", "CREDIT-LIMIT", "DELINQUENCY", "INQUIRIES"];
    assert_eq!(codes(&record.unwrap()), expected);
}

#[test]
fn rounding_errors_are_not_reasons() {
    let record = decide_with(
        &inputs(),
        &output(BASE_MARGIN, &[2.0, 0.0, 0.0, 1e-12, 0.0, 0.0, 0.0]),
    );
    assert_eq!(codes(&record.unwrap()), ["CREDIT-LIMIT"]);
}

#[test]
fn a_referral_names_what_held_the_score_down() {
    let record = decide_with(
        &inputs(),
        &output(BASE_MARGIN, &[0.4, -0.1, 0.0, 0.0, 0.0, 0.0, 0.0]),
    );
    let record = record.unwrap();
    assert_eq!(
        (record.outcome, record.decided_by),
        (Outcome::Refer, DecidedBy::Score)
    );
    assert_eq!(codes(&record), ["CREDIT-LIMIT"]);
}

#[test]
fn a_knock_out_gives_its_own_reason_and_no_other() {
    let approving = output(BASE_MARGIN, &[-1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let mut inputs = with("months_behind", FeatureInput::Number(4.0));
    let record = decide_with(&inputs, &approving).unwrap();
    assert_eq!(
        (record.outcome, record.decided_by),
        (Outcome::Deny, DecidedBy::KnockOut)
    );
    assert_eq!(record.knock_outs, ["severe-delinquency"]);
    let [reason] = record.principal_reasons.as_slice() else {
        panic!("exactly one reason")
    };
    assert_eq!(
        (reason.rank, reason.code.as_str()),
        (1, "SEVERE-DELINQUENCY")
    );
    assert_eq!(reason.features, ["months_behind"]);
    assert_eq!(reason.contribution.to_bits(), 0.0f64.to_bits());
    assert!(
        record.score.unwrap() >= record.policy.approve_at_least,
        "the score alone would approve"
    );

    inputs.insert(
        "public_record".to_owned(),
        FeatureInput::Category("bankruptcy".to_owned()),
    );
    let record = decide_with(&inputs, &approving).unwrap();
    assert_eq!(
        record.knock_outs,
        ["severe-delinquency", "bankruptcy"],
        "all that hold are kept"
    );
    assert_eq!(
        codes(&record),
        ["SEVERE-DELINQUENCY"],
        "the first one denies"
    );
}

#[test]
fn a_missing_value_knocks_nobody_out() {
    let text = crate::fixture::MANIFEST.replacen(
        "feature = \"months_behind\"",
        "feature = \"inquiries\"",
        1,
    );
    let manifest = fcs_decision::manifest::Manifest::parse(text.as_bytes()).unwrap();
    let rule = &manifest.policy.knock_outs[0];
    assert!(rule.condition.holds(&FeatureInput::Number(4.0)));
    assert!(!rule.condition.holds(&FeatureInput::Missing));
}

proptest! {
    #[test]
    fn reasons_follow_the_rules(
        contributions in proptest::collection::vec(-2.0..2.0f64, 7),
        base_margin in -6.0..-3.34f64,
    ) {
        let output = output(base_margin, &contributions);
        let record = decide_with(&inputs(), &output).unwrap();
        prop_assert_eq!(&record, &decide_with(&inputs(), &output).unwrap(), "deterministic");
        let reasons = &record.principal_reasons;
        match record.outcome {
            Outcome::Approve => prop_assert!(reasons.is_empty()),
            Outcome::Refer => prop_assert!(reasons.len() <= 4),
            _ => prop_assert!((1..=4).contains(&reasons.len())),
        }
        let manifest = manifest();
        let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
        for (feature, contribution) in manifest.features.iter().zip(&contributions) {
            *sums.entry(feature.reason.as_str()).or_default() += contribution;
        }
        for (position, reason) in reasons.iter().enumerate() {
            prop_assert_eq!(usize::from(reason.rank), position + 1);
            prop_assert!(reason.contribution > 0.0, "adverse");
            prop_assert_eq!(reason.contribution.to_bits(), sums[reason.code.as_str()].to_bits());
            let of_features: f64 =
                reason.features.iter().map(|name| record.contributions[name]).sum();
            prop_assert_eq!(reason.contribution.to_bits(), of_features.to_bits());
            let entry = manifest.reason(&reason.code).unwrap();
            prop_assert_eq!(&entry.text, &reason.text);
        }
        prop_assert!(reasons.windows(2).all(|pair| {
            (pair[1].contribution, pair[0].code.as_str()) < (pair[0].contribution, pair[1].code.as_str())
        }), "largest first");
        if record.outcome != Outcome::Approve {
            let adverse = sums.values().filter(|sum| **sum > 1e-9).count();
            prop_assert_eq!(reasons.len(), adverse.min(4), "every adverse factor up to four");
        }
        if let Some(last) = reasons.last().filter(|_| reasons.len() == 4) {
            let larger = sums.values().filter(|sum| **sum > last.contribution).count();
            prop_assert_eq!(larger, 3, "no principal factor is left out");
        }
    }
}
