//! Rates of groups known by probabilities: the numbers of numpy and scipy, made by
//! `tests/golden/proxy_generate.py`, and what holds for any people.

use fcs_fairness::proxy::{
    Estimates, Membership, Pair, ProxyCounts, ReportError, Request, frechet, linear, report,
    weighted,
};
use fcs_fairness::{Confidence, Interval, Measured, Undefined};
use proptest::prelude::*;
use serde::Deserialize;

const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    reference: usize,
    probabilities: Vec<Vec<f64>>,
    approved: Vec<u8>,
    expected_members: Vec<f64>,
    weighted: Vec<f64>,
    linear: Vec<f64>,
    frechet: Vec<[f64; 2]>,
    weighted_ratio: Vec<f64>,
    linear_ratio: Vec<f64>,
    frechet_ratio: Vec<(f64, Option<f64>)>,
    weighted_limits: Vec<[f64; 2]>,
    linear_limits: Vec<[f64; 2]>,
    weighted_ratio_limits: Vec<Option<[f64; 2]>>,
    linear_ratio_limits: Vec<Option<[f64; 2]>>,
    #[serde(rename = "true")]
    truth: Option<Vec<f64>>,
}

fn golden() -> Vec<Case> {
    let golden: Golden = serde_json::from_str(include_str!("../golden/proxy_golden.json")).unwrap();
    golden.cases
}

fn count(probabilities: &[Vec<f64>], approved: &[bool]) -> ProxyCounts {
    let mut counts = ProxyCounts::new(probabilities[0].len());
    for (own, approved) in probabilities.iter().zip(approved) {
        let membership = Membership::new(own).unwrap();
        counts.count(&membership, *approved, 1).unwrap();
    }
    counts
}

fn counted(case: &Case) -> ProxyCounts {
    let approved: Vec<bool> = case.approved.iter().map(|flag| *flag == 1).collect();
    count(&case.probabilities, &approved)
}

fn confidence() -> Confidence {
    Confidence::try_from(0.95).unwrap()
}

fn weighted_rate(counts: &ProxyCounts, group: usize) -> Result<f64, Undefined> {
    weighted::selection_rate(counts, group, confidence()).map(|rate| rate.value)
}

fn linear_rates(counts: &ProxyCounts) -> Vec<Result<f64, Undefined>> {
    let rates = linear::selection_rates(counts, confidence());
    rates
        .into_iter()
        .map(|rate| rate.map(|rate| rate.value))
        .collect()
}

fn value(measured: Measured) -> Result<f64, Undefined> {
    measured
        .value()
        .ok_or_else(|| measured.undefined().unwrap())
}

fn weighted_ratio(counts: &ProxyCounts, pair: Pair) -> Result<f64, Undefined> {
    value(weighted::adverse_impact_ratio(counts, pair, confidence()))
}

fn linear_ratio(counts: &ProxyCounts, pair: Pair) -> Result<f64, Undefined> {
    value(linear::adverse_impact_ratio(counts, pair, confidence()))
}

fn assert_near(found: f64, expected: f64, place: &str) {
    let is_near = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
    assert!(is_near, "{place}: {found}, expected {expected}");
}

#[test]
fn rates_and_ratios_are_those_of_numpy_and_scipy() {
    let cases = golden();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let counts = counted(&case);
        for group in 0..counts.groups() {
            let place = format!("{}, group {group}", case.name);
            let pair = Pair {
                group,
                reference: case.reference,
            };
            let near = |found: Result<f64, Undefined>, expected, what| {
                assert_near(found.unwrap(), expected, &format!("{place}, {what}"));
            };
            near(
                Ok(counts.expected_members(group)),
                case.expected_members[group],
                "members",
            );
            near(
                weighted_rate(&counts, group),
                case.weighted[group],
                "weighted",
            );
            near(linear_rates(&counts)[group], case.linear[group], "linear");
            let ratio = weighted_ratio(&counts, pair);
            near(ratio, case.weighted_ratio[group], "weighted ratio");
            let ratio = linear_ratio(&counts, pair);
            near(ratio, case.linear_ratio[group], "linear ratio");
            let rate = frechet::selection_rate(&counts, group).unwrap();
            near(Ok(rate.lower), case.frechet[group][0], "least rate");
            near(Ok(rate.upper.unwrap()), case.frechet[group][1], "most rate");
            let ratio = frechet::adverse_impact_ratio(&counts, pair).unwrap();
            let (lower, upper) = case.frechet_ratio[group];
            near(Ok(ratio.lower), lower, "least ratio");
            assert_eq!(ratio.upper.is_some(), upper.is_some(), "{place}");
            if let (Some(found), Some(expected)) = (ratio.upper, upper) {
                near(Ok(found), expected, "greatest ratio");
            }
        }
    }
}

fn assert_limits(found: Measured, expected: Option<[f64; 2]>, place: &str) {
    match (found, expected) {
        (Measured::Interval(Interval { lower, upper, .. }), Some(expected)) => {
            assert_near(lower, expected[0], place);
            assert_near(upper, expected[1], place);
        }
        (Measured::Point { .. }, None) => {}
        (found, expected) => panic!("{place}: {found:?}, expected {expected:?}"),
    }
}

#[test]
fn limits_for_chance_are_those_of_numpy_and_scipy() {
    for case in golden() {
        let (counts, level) = (counted(&case), confidence());
        for group in 0..counts.groups() {
            let place = format!("{}, group {group}", case.name);
            let pair = Pair {
                group,
                reference: case.reference,
            };
            let rate = weighted::selection_rate(&counts, group, level).into();
            assert_limits(rate, Some(case.weighted_limits[group]), &place);
            let rate = linear::selection_rates(&counts, level)[group].into();
            assert_limits(rate, Some(case.linear_limits[group]), &place);
            let ratio = weighted::adverse_impact_ratio(&counts, pair, level);
            assert_limits(ratio, case.weighted_ratio_limits[group], &place);
            let ratio = linear::adverse_impact_ratio(&counts, pair, level);
            assert_limits(ratio, case.linear_ratio_limits[group], &place);
        }
    }
}

/// The true ratio lies between the weighted and the linear one in the worlds of the golden numbers, which
/// hold 2,000 people each, up to what chance does to so few.
#[test]
fn each_estimator_errs_to_its_own_side() {
    for case in golden() {
        let Some(truth) = &case.truth else { continue };
        let ratio = truth[0] / truth[1];
        assert!(
            case.linear_ratio[0] - 0.06 < ratio && ratio < case.weighted_ratio[0] + 0.06,
            "{}: {ratio}",
            case.name
        );
        let (least, greatest) = case.frechet_ratio[0];
        assert!(least <= ratio && ratio <= greatest.unwrap());
    }
}

/// The probabilities of a person, and whether the application was approved.
type Person = (Vec<f64>, bool);

/// Probabilities of three groups in hundredths.
fn hundredths() -> impl Strategy<Value = Vec<f64>> {
    (0..=100_u32, 0..=100_u32).prop_map(|(one, other)| {
        let (low, high) = (one.min(other), one.max(other));
        [low, high - low, 100 - high]
            .map(|part| f64::from(part) / 100.0)
            .to_vec()
    })
}

fn people() -> impl Strategy<Value = Vec<Person>> {
    proptest::collection::vec((hundredths(), any::<bool>()), 1..60)
}

fn known() -> impl Strategy<Value = Vec<(usize, bool)>> {
    proptest::collection::vec((0..3_usize, any::<bool>()), 1..60)
}

/// People who share a cell of equal probabilities: how many of them belong to each of three groups, and
/// who of them is approved. The probabilities of the cell are the shares, so that the assignment agrees
/// with them.
fn assigned() -> impl Strategy<Value = Vec<(usize, bool, Vec<f64>)>> {
    let cell = proptest::collection::vec((0..3_usize, any::<bool>()), 1..12);
    proptest::collection::vec(cell, 1..12).prop_map(|cells| {
        let mut people = Vec::new();
        for cell in cells {
            let share = |group| {
                cell.iter().filter(|(own, _)| *own == group).count() as f64 / cell.len() as f64
            };
            let shares: Vec<f64> = (0..3).map(share).collect();
            people.extend(cell.iter().map(|(g, d)| (*g, *d, shares.clone())));
        }
        people
    })
}

/// The plain rate of a group whose members are known.
fn plain_rate(people: impl Iterator<Item = (usize, bool)>, group: usize) -> Option<f64> {
    let own: Vec<bool> = people
        .filter(|(g, _)| *g == group)
        .map(|(_, d)| d)
        .collect();
    let approved = own.iter().filter(|approved| **approved).count();
    (!own.is_empty()).then(|| approved as f64 / own.len() as f64)
}

fn counted_people(people: &[Person]) -> ProxyCounts {
    let (probabilities, approved): (Vec<_>, Vec<_>) = people.iter().cloned().unzip();
    count(&probabilities, &approved)
}

proptest! {
    #[test]
    fn no_assignment_that_agrees_with_the_probabilities_leaves_the_bounds(people in assigned()) {
        let counts = counted_people(
            &people.iter().map(|(_, d, b)| (b.clone(), *d)).collect::<Vec<_>>(),
        );
        let rate = |group| plain_rate(people.iter().map(|(g, d, _)| (*g, *d)), group);
        for group in 0..3 {
            let Some(truth) = rate(group) else {
                prop_assert_eq!(frechet::selection_rate(&counts, group), Err(Undefined::NoDecisions));
                continue;
            };
            let bounds = frechet::selection_rate(&counts, group).unwrap();
            prop_assert!(bounds.lower <= truth + TOLERANCE);
            prop_assert!(truth <= bounds.upper.unwrap() + TOLERANCE);
            for reference in 0..3 {
                let Some(other) = rate(reference).filter(|rate| *rate > 0.0) else { continue };
                let bounds = frechet::adverse_impact_ratio(&counts, Pair { group, reference });
                let bounds = bounds.unwrap();
                let slack = TOLERANCE * (truth / other).max(1.0);
                prop_assert!(bounds.lower <= truth / other + slack, "{:?}", bounds);
                let is_below = bounds.upper.is_none_or(|upper| truth / other <= upper + slack);
                prop_assert!(is_below, "{:?}", bounds);
            }
        }
    }

    #[test]
    fn with_known_groups_all_three_are_the_plain_rates(people in known()) {
        let certain = |group: usize| (0..3).map(|own| f64::from(u8::from(own == group))).collect();
        let counts = counted_people(
            &people.iter().map(|(g, d)| (certain(*g), *d)).collect::<Vec<_>>(),
        );
        for group in 0..3 {
            let found = [
                weighted_rate(&counts, group),
                linear_rates(&counts)[group],
                frechet::selection_rate(&counts, group).map(|bounds| bounds.lower),
                frechet::selection_rate(&counts, group).map(|bounds| bounds.upper.unwrap()),
            ];
            let Some(rate) = plain_rate(people.iter().copied(), group) else {
                prop_assert_eq!(found, [Err(Undefined::NoDecisions); 4]);
                continue;
            };
            for found in found {
                prop_assert!((found.unwrap() - rate).abs() < TOLERANCE);
            }
        }
    }

    #[test]
    fn the_weighted_rate_lies_within_the_bounds(people in people()) {
        let counts = counted_people(&people);
        for group in 0..3 {
            let (Ok(rate), Ok(bounds)) = (
                weighted_rate(&counts, group),
                frechet::selection_rate(&counts, group),
            ) else {
                continue;
            };
            prop_assert!(bounds.lower <= rate + TOLERANCE);
            prop_assert!(rate <= bounds.upper.unwrap() + TOLERANCE);
        }
    }

    #[test]
    fn for_two_groups_the_difference_is_the_slope_of_a_line(people in people()) {
        let people: Vec<Person> =
            people.into_iter().map(|(b, d)| (vec![b[0], b[1] + b[2]], d)).collect();
        let counts = counted_people(&people);
        let size = people.len() as f64;
        let mean = |of: &dyn Fn(&Person) -> f64| people.iter().map(of).sum::<f64>() / size;
        let decision = |person: &Person| f64::from(u8::from(person.1));
        let (b, d) = (mean(&|person| person.0[0]), mean(&decision));
        let variance = mean(&|person| (person.0[0] - b).powi(2));
        prop_assume!(variance > 1e-4);
        let covariance = mean(&|person| (person.0[0] - b) * (decision(person) - d));
        let rates = linear_rates(&counts);
        if let (Ok(one), Ok(other)) = (rates[0], rates[1]) {
            prop_assert!((one - other - covariance / variance).abs() < 1e-6);
        }
    }

    #[test]
    fn merging_is_exact_in_any_order(one in people(), other in people()) {
        let whole = counted_people(&[one.clone(), other.clone()].concat());
        for (first, second) in [(&one, &other), (&other, &one)] {
            let mut merged = counted_people(first);
            merged.merge(&counted_people(second)).unwrap();
            prop_assert_eq!(&merged, &whole);
        }
    }
}

#[test]
fn equal_probabilities_tell_no_groups_apart() {
    let counts = count(&vec![vec![0.25, 0.75]; 10], &[true; 10]);
    let inseparable = Err(Undefined::Inseparable);
    assert_eq!(linear_rates(&counts), [inseparable; 2]);
    let pair = Pair {
        group: 0,
        reference: 1,
    };
    assert_eq!(linear_ratio(&counts, pair), inseparable);
    assert_near(weighted_ratio(&counts, pair).unwrap(), 1.0, "weighted");
}

#[test]
fn a_group_without_people_leaves_the_others_their_rates() {
    let probabilities = [
        vec![1.0, 0.0, 0.0],
        vec![0.2, 0.0, 0.8],
        vec![0.7, 0.0, 0.3],
    ];
    let counts = count(&probabilities, &[true, false, false]);
    let rates = linear_rates(&counts);
    assert!(rates[0].is_ok() && rates[2].is_ok());
    assert_eq!(rates[1], Err(Undefined::NoDecisions));
    let pair = Pair {
        group: 0,
        reference: 1,
    };
    let missing = Err(Undefined::NoReferenceGroup);
    assert_eq!(weighted_ratio(&counts, pair), missing);
    assert_eq!(linear_ratio(&counts, pair), missing);
    assert_eq!(
        frechet::adverse_impact_ratio(&counts, pair),
        Err(Undefined::NoReferenceGroup)
    );
}

#[test]
fn no_ratio_to_a_reference_that_approved_nobody_and_no_limit_where_it_may_have() {
    let pair = Pair {
        group: 0,
        reference: 1,
    };
    let nobody = count(&[vec![1.0, 0.0], vec![0.0, 1.0]], &[true, false]);
    let zero = Undefined::ZeroDenominator;
    assert_eq!(weighted_ratio(&nobody, pair), Err(zero));
    assert_eq!(frechet::adverse_impact_ratio(&nobody, pair), Err(zero));
    let perhaps = count(&vec![vec![0.6, 0.4]; 10], &[true, false].repeat(5));
    let bounds = frechet::adverse_impact_ratio(&perhaps, pair).unwrap();
    assert_eq!(bounds.upper, None);
    assert!(bounds.lower > 0.0);
}

fn request(reference: Option<&str>, minimum_cell_size: u32) -> Request {
    Request {
        groups: ["a", "b", "c"].map(str::to_owned).to_vec(),
        reference: reference.map(str::to_owned),
        minimum_cell_size,
        confidence: confidence(),
    }
}

#[test]
fn a_report_compares_with_the_largest_group_and_leaves_out_small_ones() {
    let three = [[0.3, 0.6, 0.1], [0.5, 0.45, 0.05], [0.1, 0.7, 0.2]];
    let probabilities: Vec<Vec<f64>> = three.repeat(20).iter().map(|own| own.to_vec()).collect();
    let counts = count(&probabilities, &[true, false, true, false, true].repeat(12));
    let found = report(&counts, &request(None, 10)).unwrap();
    assert_eq!((found.reference.as_str(), found.decisions), ("b", 60));
    let ratio = |place: usize| match &found.groups[place].estimates {
        Estimates::Shown {
            adverse_impact_ratio,
            ..
        } => adverse_impact_ratio.clone(),
        Estimates::Suppressed => panic!("suppressed"),
    };
    assert!(ratio(0).unwrap().weighted.value().is_some());
    assert_eq!(ratio(1), None, "the reference group");
    assert_eq!(found.groups[2].estimates, Estimates::Suppressed);
    let to_a_small_one = report(&counts, &request(Some("c"), 10)).unwrap();
    let json = serde_json::to_value(&to_a_small_one.groups[0]).unwrap();
    assert_eq!(json["state"], "shown");
    for estimator in ["weighted", "linear", "frechet"] {
        let reason = &json["adverse_impact_ratio"][estimator]["reason"];
        assert_eq!(reason, "reference_suppressed");
    }
    let bounds = &json["selection_rate"]["frechet"];
    assert_eq!(bounds["state"], "bounds");
    assert!(bounds["lower"].is_f64() && bounds["upper"].is_f64());
}

#[test]
fn a_report_needs_the_names_of_the_groups() {
    let counts = count(&[vec![0.5, 0.5]], &[true]);
    let refused = report(&counts, &request(None, 1)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "3 groups are named, but 2 were counted"
    );
    let counts = count(&[vec![0.5, 0.2, 0.3]], &[true]);
    let refused = report(&counts, &request(Some("z"), 1)).unwrap_err();
    assert!(matches!(refused, ReportError::Reference { .. }));
    assert_eq!(refused.to_string(), "no group is called \"z\", but a, b, c");
}
