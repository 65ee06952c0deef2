//! What holds for any counts.

use std::collections::BTreeMap;

use fcs_core::Probability;
use fcs_fairness::calibration::{BINS, CalibrationBins, bin_of};
use fcs_fairness::min_max::{demographic_parity_difference, demographic_parity_ratio};
use fcs_fairness::report::{AttributeReport, attribute_report};
use fcs_fairness::{
    Confidence, GroupCounters, Interval, Thresholds, Verdict, adverse_impact_ratio, approval_rate,
    approval_rate_difference, default_rate_among_approved, standardised_mean_difference, verdict,
};
use proptest::prelude::*;

/// Counters that real decisions can produce: built from decisions, not from arbitrary sums.
fn counters() -> impl Strategy<Value = GroupCounters> {
    let decision = (0..3_u8, 300..=850_i64, 0..3_u8);
    proptest::collection::vec(decision, 0..60).prop_map(|decisions| {
        let mut counters = GroupCounters::default();
        for (decision, score, outcome) in decisions {
            counters.merge(&one_decision(decision, score, outcome));
        }
        counters
    })
}

fn one_decision(decision: u8, score: i64, outcome: u8) -> GroupCounters {
    GroupCounters {
        approved: u64::from(decision == 0),
        referred: u64::from(decision == 1),
        denied: u64::from(decision == 2),
        score_sum: score,
        score_square_sum: score * score,
        approved_repaid: u64::from(decision == 0 && outcome == 0),
        approved_defaulted: u64::from(decision == 0 && outcome == 1),
    }
}

/// Anything that a damaged store could hand over.
fn any_counters() -> impl Strategy<Value = GroupCounters> {
    let size = || prop_oneof![0..5_u64, Just(u64::MAX), any::<u64>()];
    let sum = || prop_oneof![-5..5_i64, Just(i64::MIN), Just(i64::MAX), any::<i64>()];
    (size(), size(), size(), sum(), sum(), size(), size()).prop_map(
        |(approved, referred, denied, score_sum, score_square_sum, repaid, defaulted)| {
            GroupCounters {
                approved,
                referred,
                denied,
                score_sum,
                score_square_sum,
                approved_repaid: repaid,
                approved_defaulted: defaulted,
            }
        },
    )
}

fn confidence() -> impl Strategy<Value = Confidence> {
    (0.01..0.999_f64).prop_map(|level| Confidence::try_from(level).unwrap())
}

fn merged(one: &GroupCounters, other: &GroupCounters) -> GroupCounters {
    let mut sum = *one;
    sum.merge(other);
    sum
}

fn thresholds(confidence: Confidence) -> Thresholds {
    Thresholds {
        air_floor: 0.8,
        minimum_group_size: 5,
        confidence,
    }
}

fn sheet(groups: &BTreeMap<String, GroupCounters>, confidence: Confidence) -> AttributeReport {
    attribute_report("attribute", groups, None, &thresholds(confidence)).unwrap()
}

fn assert_sound(interval: Interval, lowest: f64, highest: f64) -> Result<(), TestCaseError> {
    let Interval {
        value,
        lower,
        upper,
    } = interval;
    prop_assert!(
        value.is_finite() && lower.is_finite() && upper.is_finite(),
        "{interval:?}"
    );
    prop_assert!(lower <= value && value <= upper, "{interval:?}");
    prop_assert!(lowest <= lower && upper <= highest, "{interval:?}");
    Ok(())
}

fn all_intervals(
    group: &GroupCounters,
    reference: &GroupCounters,
    confidence: Confidence,
) -> Result<(), TestCaseError> {
    let largest = f64::MAX;
    for (interval, lowest, highest) in [
        (approval_rate(group, confidence), 0.0, 1.0),
        (default_rate_among_approved(group, confidence), 0.0, 1.0),
        (
            adverse_impact_ratio(group, reference, confidence),
            0.0,
            largest,
        ),
        (
            approval_rate_difference(group, reference, confidence),
            -1.0,
            1.0,
        ),
        (
            standardised_mean_difference(group, reference, confidence),
            -largest,
            largest,
        ),
    ] {
        if let Some(interval) = interval {
            assert_sound(interval, lowest, highest)?;
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn merging_is_commutative_and_associative(one in counters(), two in counters(), three in counters()) {
        prop_assert_eq!(merged(&one, &two), merged(&two, &one));
        prop_assert_eq!(merged(&merged(&one, &two), &three), merged(&one, &merged(&two, &three)));
        prop_assert_eq!(merged(&one, &GroupCounters::default()), one);
    }

    #[test]
    fn a_report_of_merged_counters_is_the_report_of_the_whole(
        decisions in proptest::collection::vec((0..3_u8, 300..=850_i64, 0..3_u8, 0..3_usize, any::<bool>()), 1..80),
        confidence in confidence(),
    ) {
        let names = ["a", "b", "c"];
        let mut whole = BTreeMap::<String, GroupCounters>::new();
        let mut halves = [whole.clone(), whole.clone()];
        for (decision, score, outcome, group, second) in decisions {
            let counters = one_decision(decision, score, outcome);
            let half = &mut halves[usize::from(second)];
            for groups in [half, &mut whole] {
                groups.entry(names[group].to_owned()).or_default().merge(&counters);
            }
        }
        let [mut first, second] = halves;
        for (name, counters) in &second {
            first.entry(name.clone()).or_default().merge(counters);
        }
        prop_assert_eq!(sheet(&first, confidence), sheet(&whole, confidence));
    }

    #[test]
    fn intervals_contain_their_value_within_the_legal_range(
        group in counters(), reference in counters(), confidence in confidence(),
    ) {
        all_intervals(&group, &reference, confidence)?;
        if let Some(difference) = standardised_mean_difference(&group, &reference, confidence) {
            // Two groups cannot be further apart than all spread between them allows.
            let (one, other) = (group.decisions() as f64, reference.decisions() as f64);
            let bound = (one + other) / (one * other).sqrt() * (1.0 + 1e-9);
            assert_sound(difference, -bound, bound)?;
        }
    }

    #[test]
    fn no_counters_lead_to_nan_or_panic(
        group in any_counters(), reference in any_counters(), confidence in confidence(),
    ) {
        all_intervals(&group, &reference, confidence)?;
        let groups = BTreeMap::from([("a".to_owned(), group), ("b".to_owned(), reference)]);
        let text = serde_json::to_string(&sheet(&groups, confidence)).unwrap();
        let back: AttributeReport = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back, sheet(&groups, confidence));
    }

    #[test]
    fn a_rate_is_defined_exactly_when_there_are_decisions(group in counters(), confidence in confidence()) {
        prop_assert_eq!(approval_rate(&group, confidence).is_some(), group.decisions() > 0);
        prop_assert_eq!(group.mean_score().is_some(), group.decisions() > 0);
        prop_assert_eq!(group.score_variance().is_some(), group.decisions() > 0);
    }

    #[test]
    fn a_group_compared_with_itself_is_equal(group in counters(), confidence in confidence()) {
        if let Some(ratio) = adverse_impact_ratio(&group, &group, confidence) {
            prop_assert_eq!(ratio.value.to_bits(), 1.0_f64.to_bits());
        }
        prop_assert_eq!(
            adverse_impact_ratio(&group, &group, confidence).is_some(), group.approved > 0
        );
        for difference in [
            approval_rate_difference(&group, &group, confidence),
            standardised_mean_difference(&group, &group, confidence),
        ].into_iter().flatten() {
            prop_assert_eq!(difference.value.to_bits(), 0.0_f64.to_bits());
        }
    }

    #[test]
    fn differences_are_antisymmetric(one in counters(), other in counters(), confidence in confidence()) {
        for compare in [approval_rate_difference, standardised_mean_difference] {
            let forward = compare(&one, &other, confidence);
            let backward = compare(&other, &one, confidence);
            prop_assert_eq!(forward.is_some(), backward.is_some());
            if let (Some(forward), Some(backward)) = (forward, backward) {
                prop_assert!((forward.value + backward.value).abs() < 1e-12);
                prop_assert!((forward.lower + backward.upper).abs() < 1e-12);
                prop_assert!((forward.upper + backward.lower).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn swapping_the_groups_inverts_the_ratio(one in counters(), other in counters(), confidence in confidence()) {
        let forward = adverse_impact_ratio(&one, &other, confidence);
        let backward = adverse_impact_ratio(&other, &one, confidence);
        let interior = |group: &GroupCounters| 0 < group.approved && group.approved < group.decisions();
        if let (Some(forward), Some(backward), true) = (forward, backward, interior(&one) && interior(&other)) {
            prop_assert!((forward.value * backward.value - 1.0).abs() < 1e-12);
            prop_assert!((forward.lower * backward.upper - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn more_confidence_means_a_wider_interval(group in counters(), reference in counters()) {
        let at = |level: f64| adverse_impact_ratio(&group, &reference, Confidence::try_from(level).unwrap());
        if let (Some(narrow), Some(wide)) = (at(0.8), at(0.99)) {
            prop_assert!(wide.lower <= narrow.lower && narrow.upper <= wide.upper);
        }
    }

    #[test]
    fn a_verdict_needs_enough_decisions_on_both_sides(group in counters(), reference in counters(), confidence in confidence()) {
        let thresholds = Thresholds { minimum_group_size: 20, ..thresholds(confidence) };
        if group.decisions() < 20 || reference.decisions() < 20 {
            prop_assert_eq!(verdict(&group, &reference, &thresholds), Verdict::InsufficientEvidence);
        }
    }

    #[test]
    fn parity_over_all_groups_is_the_worst_pair(groups in proptest::collection::vec(counters(), 1..5)) {
        let named: BTreeMap<String, GroupCounters> =
            groups.iter().enumerate().map(|(index, group)| (index.to_string(), *group)).collect();
        let confidence = Confidence::try_from(0.95).unwrap();
        let mut worst: Option<f64> = None;
        for (one, other) in groups.iter().flat_map(|one| groups.iter().map(move |other| (one, other))) {
            if let Some(difference) = approval_rate_difference(one, other, confidence) {
                worst = Some(worst.unwrap_or(0.0).max(difference.value));
            }
        }
        prop_assert_eq!(demographic_parity_difference(&named), worst);
        if let Some(ratio) = demographic_parity_ratio(&named) {
            prop_assert!((0.0..=1.0).contains(&ratio));
        }
    }

    #[test]
    fn calibration_merges_exactly(
        applicants in proptest::collection::vec((0.0..=1.0_f64, any::<bool>(), any::<bool>()), 0..80),
    ) {
        let mut whole = CalibrationBins::default();
        let mut halves = [whole.clone(), whole.clone()];
        for (predicted, defaulted, second) in applicants {
            let predicted = Probability::try_from(predicted).unwrap();
            whole.record(predicted, defaulted);
            halves[usize::from(second)].record(predicted, defaulted);
        }
        let [first, second] = halves;
        let (mut forward, mut backward) = (first.clone(), second.clone());
        forward.merge(&second);
        backward.merge(&first);
        prop_assert_eq!(&forward, &whole);
        prop_assert_eq!(&backward, &whole);
        let report = whole.report(Confidence::try_from(0.95).unwrap());
        prop_assert_eq!(report.expected_calibration_error.is_some(), report.labelled > 0);
        if let Some(error) = report.expected_calibration_error {
            prop_assert!((0.0..=1.0).contains(&error));
        }
        for bin in &report.bins {
            if let Some(mean) = bin.mean_predicted {
                prop_assert!(bin.from - 1e-12 <= mean && mean <= bin.to + 1e-12, "{bin:?}");
            }
        }
        let text = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(serde_json::from_str::<CalibrationBins>(&text).unwrap(), whole);
    }

    #[test]
    fn every_probability_has_a_bin_and_bins_ascend(one in 0.0..=1.0_f64, other in 0.0..=1.0_f64) {
        let bin = |probability: f64| bin_of(Probability::try_from(probability).unwrap());
        prop_assert!(bin(one) < BINS);
        prop_assert!(bin(one.min(other)) <= bin(one.max(other)));
    }
}
