//! Published group counts and the ratios printed beside them: the adverse impact table for a sample
//! of 20,000 mortgage applications under the Home Mortgage Disclosure Act of 2018 (SolasAI's public
//! example), and Wilson and Newcombe limits from Newcombe's papers.

use fcs_fairness::{
    Confidence, GroupCounters, Interval, adverse_impact_ratio, approval_rate,
    approval_rate_difference,
};

fn group(approved: u64, total: u64) -> GroupCounters {
    GroupCounters {
        approved,
        denied: total - approved,
        ..GroupCounters::default()
    }
}

fn confidence() -> Confidence {
    Confidence::try_from(0.95).unwrap()
}

#[test]
fn adverse_impact_ratios_are_the_published_ones() {
    let white = (1854, 3623);
    for (name, own, reference, published) in [
        ("Black", (141, 340), white, 0.810_399),
        ("Asian", (243, 327), white, 1.452_169),
        ("Native American", (9, 20), white, 0.879_369),
        ("Hispanic", (167, 508), (2072, 3808), 0.604_171),
        ("Female", (414, 1034), (808, 1622), 0.803_747),
    ] {
        let (own, reference) = (group(own.0, own.1), group(reference.0, reference.1));
        let ratio = adverse_impact_ratio(&own, &reference, confidence()).unwrap();
        assert!(
            (ratio.value - published).abs() <= 5e-7,
            "{name}: {}",
            ratio.value
        );
        assert!(
            ratio.lower < ratio.value && ratio.value < ratio.upper,
            "{name}"
        );
    }
}

#[test]
fn significance_of_the_published_groups_is_the_published_one() {
    let white = group(1854, 3623);
    // Published p-values: .001 for Black, .657 for Native American applicants.
    let black = adverse_impact_ratio(&group(141, 340), &white, confidence()).unwrap();
    assert!(black.upper < 1.0);
    let native = adverse_impact_ratio(&group(9, 20), &white, confidence()).unwrap();
    assert!(native.lower < 1.0 && native.upper > 1.0);
}

fn assert_limits(actual: Interval, lower: f64, upper: f64) {
    // The papers print four decimals.
    assert!((actual.lower - lower).abs() <= 5e-5, "{actual:?}");
    assert!((actual.upper - upper).abs() <= 5e-5, "{actual:?}");
}

/// Newcombe (1998), "Two-sided confidence intervals for the single proportion: comparison of seven
/// methods", Statistics in Medicine 17, 857-872, table I, method 3.
#[test]
fn wilson_limits_are_newcombes_examples() {
    assert_limits(
        approval_rate(&group(81, 263), confidence()).unwrap(),
        0.2553,
        0.3662,
    );
    assert_limits(
        approval_rate(&group(15, 148), confidence()).unwrap(),
        0.0624,
        0.1605,
    );
    assert_limits(
        approval_rate(&group(0, 20), confidence()).unwrap(),
        0.0,
        0.1611,
    );
    assert_limits(
        approval_rate(&group(1, 29), confidence()).unwrap(),
        0.0061,
        0.1718,
    );
}

/// Newcombe (1998), "Interval estimation for the difference between independent proportions",
/// table II, method 10.
#[test]
fn hybrid_score_limits_are_newcombes_examples() {
    let difference = |one: GroupCounters, other: GroupCounters| {
        approval_rate_difference(&one, &other, confidence()).unwrap()
    };
    assert_limits(difference(group(56, 70), group(48, 80)), 0.0524, 0.3339);
    assert_limits(difference(group(9, 10), group(3, 10)), 0.1705, 0.8090);
    assert_limits(difference(group(10, 10), group(0, 20)), 0.6791, 1.0);
}
