//! The numbers of fairlearn, statsmodels and numpy, made by `tests/golden/generate.py`.

use std::collections::BTreeMap;

use fcs_core::Probability;
use fcs_fairness::calibration::{CalibrationBin, CalibrationBins, CalibrationReport};
use fcs_fairness::report::{AttributeReport, GroupReport, attribute_report};
use fcs_fairness::{Confidence, GroupCounters, Interval, Thresholds};
use serde::Deserialize;

const TOLERANCE: f64 = 1e-12;

type Limits = [f64; 3];
type IntervalsByMetric = BTreeMap<String, Option<Limits>>;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    calibration: Vec<CalibrationCase>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    reference: String,
    counters: BTreeMap<String, GroupCounters>,
    fairlearn: Fairlearn,
    intervals: Vec<Intervals>,
}

#[derive(Deserialize)]
struct Fairlearn {
    count: BTreeMap<String, u64>,
    selection_rate: BTreeMap<String, f64>,
    ratio_to_reference: BTreeMap<String, f64>,
    demographic_parity_ratio: f64,
    demographic_parity_difference: f64,
    #[serde(default)]
    default_rate_among_approved: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Intervals {
    confidence: Confidence,
    groups: BTreeMap<String, IntervalsByMetric>,
}

#[derive(Deserialize)]
struct CalibrationCase {
    confidence: Confidence,
    /// Index, labelled, defaulted and sum of parts per million.
    bins: Vec<(usize, u64, u64, u64)>,
    /// The first applicants: predicted parts per million, and whether they defaulted.
    observations: Vec<(u32, bool)>,
    expected: NumpyNumbers,
}

#[derive(Deserialize)]
struct NumpyNumbers {
    labelled: u64,
    mean_predicted: f64,
    mean_realised: Limits,
    expected_calibration_error: f64,
    bins: Vec<ExpectedDecile>,
}

#[derive(Deserialize)]
struct ExpectedDecile {
    labelled: u64,
    mean_predicted: Option<f64>,
    realised: Option<Limits>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/golden.json")).unwrap()
}

fn report(case: &Case, confidence: Confidence) -> AttributeReport {
    let thresholds = Thresholds {
        air_floor: 0.8,
        minimum_group_size: 30,
        confidence,
    };
    attribute_report(
        &case.name,
        &case.counters,
        Some(&case.reference),
        &thresholds,
    )
    .unwrap()
}

fn group<'a>(report: &'a AttributeReport, name: &str) -> &'a GroupReport {
    report
        .groups
        .iter()
        .find(|group| group.group == name)
        .unwrap()
}

#[track_caller]
fn assert_close(actual: Option<f64>, expected: f64, what: &str) {
    let actual = actual.unwrap_or_else(|| panic!("{what}: no value, expected {expected}"));
    let bound = TOLERANCE * expected.abs().max(1.0);
    assert!(
        (actual - expected).abs() <= bound,
        "{what}: {actual}, expected {expected}"
    );
}

#[track_caller]
fn assert_interval(actual: Option<Interval>, expected: Option<Limits>, what: &str) {
    let Some([value, lower, upper]) = expected else {
        assert_eq!(actual, None, "{what}");
        return;
    };
    assert_close(actual.map(|interval| interval.value), value, what);
    assert_close(actual.map(|interval| interval.lower), lower, what);
    assert_close(actual.map(|interval| interval.upper), upper, what);
}

#[test]
fn the_file_holds_seeded_and_real_groups() {
    let names: Vec<String> = golden().cases.into_iter().map(|case| case.name).collect();
    for needed in [
        "seeded",
        "seeded-extreme",
        "boston-black",
        "boston-single",
        "taiwan-sex",
    ] {
        assert!(
            names.iter().any(|name| name == needed),
            "{needed} is missing from {names:?}"
        );
    }
}

#[test]
fn group_numbers_are_fairlearns() {
    for case in &golden().cases {
        let report = report(case, Confidence::try_from(0.95).unwrap());
        let fairlearn = &case.fairlearn;
        assert_eq!(fairlearn.count.len(), report.groups.len(), "{}", case.name);
        for (name, count) in &fairlearn.count {
            let what = format!("{} {name}", case.name);
            let group = group(&report, name);
            assert_eq!(group.decisions, *count, "{what}");
            let rate = group.approval_rate.map(|rate| rate.value);
            assert_close(rate, fairlearn.selection_rate[name], &what);
            let defaults = group.default_rate_among_approved.map(|rate| rate.value);
            match fairlearn.default_rate_among_approved.get(name) {
                Some(expected) => assert_close(defaults, *expected, &what),
                None => assert_eq!(defaults, None, "{what}"),
            }
            if let Some(comparison) = group.comparison {
                let ratio = comparison.adverse_impact_ratio.map(|ratio| ratio.value);
                assert_close(ratio, fairlearn.ratio_to_reference[name], &what);
            }
        }
        let ratio = fairlearn.demographic_parity_ratio;
        assert_close(report.demographic_parity_ratio, ratio, &case.name);
        let difference = fairlearn.demographic_parity_difference;
        assert_close(report.demographic_parity_difference, difference, &case.name);
    }
}

#[test]
fn the_default_reference_group_is_the_largest() {
    for case in golden()
        .cases
        .iter()
        .filter(|case| case.name != "seeded-extreme")
    {
        let confidence = Confidence::try_from(0.95).unwrap();
        let thresholds = Thresholds {
            air_floor: 0.8,
            minimum_group_size: 30,
            confidence,
        };
        let report = attribute_report(&case.name, &case.counters, None, &thresholds).unwrap();
        assert_eq!(report.reference_group, case.reference, "{}", case.name);
    }
}

#[test]
fn intervals_are_those_of_statsmodels_and_numpy() {
    let mut compared = 0;
    for case in &golden().cases {
        for level in &case.intervals {
            let report = report(case, level.confidence);
            for (name, metrics) in &level.groups {
                for (metric, expected) in metrics {
                    let what = format!("{} {name} {metric} {:?}", case.name, level.confidence);
                    let actual = interval_of(group(&report, name), metric);
                    assert_interval(actual, *expected, &what);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 100, "only {compared} intervals were compared");
}

fn interval_of(group: &GroupReport, metric: &str) -> Option<Interval> {
    let compared = || group.comparison.unwrap();
    match metric {
        "approval_rate" => group.approval_rate,
        "default_rate_among_approved" => group.default_rate_among_approved,
        "adverse_impact_ratio" => compared().adverse_impact_ratio,
        "approval_rate_difference" => compared().approval_rate_difference,
        "standardised_mean_difference" => compared().standardised_mean_difference,
        other => panic!("unknown metric {other}"),
    }
}

fn bins_of(case: &CalibrationCase) -> CalibrationBins {
    let mut bins = CalibrationBins::default();
    for &(index, labelled, defaulted, predicted_sum_ppm) in &case.bins {
        let bin = CalibrationBin {
            labelled,
            defaulted,
            predicted_sum_ppm,
        };
        bins.merge_bin(index, &bin).unwrap();
    }
    bins
}

#[test]
fn calibration_is_numpys() {
    for case in &golden().calibration {
        let actual = bins_of(case).report(case.confidence);
        let expected = &case.expected;
        assert_eq!(actual.labelled, expected.labelled);
        assert_close(
            actual.mean_predicted,
            expected.mean_predicted,
            "mean predicted",
        );
        assert_interval(
            actual.mean_realised,
            Some(expected.mean_realised),
            "mean realised",
        );
        let error = expected.expected_calibration_error;
        assert_close(
            actual.expected_calibration_error,
            error,
            "expected calibration error",
        );
        assert_deciles(&actual, &expected.bins);
    }
}

fn assert_deciles(actual: &CalibrationReport, expected: &[ExpectedDecile]) {
    assert_eq!(actual.bins.len(), expected.len());
    for (actual, expected) in actual.bins.iter().zip(expected) {
        let what = format!("bin from {}", actual.from);
        assert_eq!(actual.labelled, expected.labelled, "{what}");
        match expected.mean_predicted {
            Some(mean) => assert_close(actual.mean_predicted, mean, &what),
            None => assert_eq!(actual.mean_predicted, None, "{what}"),
        }
        assert_interval(actual.realised, expected.realised, &what);
    }
}

#[test]
fn recording_applicants_fills_the_same_bins() {
    let golden = golden();
    // The second case lists all of its applicants.
    let case = &golden.calibration[1];
    assert_eq!(case.observations.len() as u64, case.expected.labelled);
    let mut recorded = CalibrationBins::default();
    for &(ppm, defaulted) in &case.observations {
        recorded.record(
            Probability::try_from(f64::from(ppm) / 1e6).unwrap(),
            defaulted,
        );
    }
    assert_eq!(recorded, bins_of(case));
}
