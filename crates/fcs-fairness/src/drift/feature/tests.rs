use super::*;

fn edges() -> Edges {
    Edges::try_from((0..=10).map(f64::from).collect::<Vec<_>>()).unwrap()
}

fn rules(policy: &DriftSection) -> Rules<'_> {
    Rules {
        policy,
        comparisons: 1,
        digest: Digest::from_bytes([5; 32]),
    }
}

fn drift(reference: &FeatureCounts, current: &FeatureCounts) -> FeatureDrift {
    let policy = DriftSection::default();
    let edges = edges();
    let comparison = Comparison {
        reference,
        current,
        edges: Some(&edges),
    };
    feature_drift(&comparison, &rules(&policy)).unwrap()
}

/// Values spread evenly over the bins from `first`, plus some without a value.
fn even(values: u64, first: u64, missing: u64) -> FeatureCounts {
    let mut counts = FeatureCounts::empty(10);
    for value in 0..values {
        let bin = first + value % (10 - first);
        counts.record_number(&edges(), Some(bin as f64 + 0.5));
    }
    for _ in 0..missing {
        counts.record_number(&edges(), None);
    }
    counts
}

#[test]
fn the_same_is_stable_once_there_is_enough_of_it() {
    let reference = even(10_000, 0, 0);
    let now = drift(&reference, &even(10_000, 0, 0));
    assert_eq!(now.level(), Level::Stable);
    assert_eq!(now.quality, []);
    let few = drift(&reference, &even(50, 0, 0));
    assert_eq!(few.psi.unwrap().level, Level::InsufficientEvidence);
    assert_eq!(few.level(), Level::InsufficientEvidence);
}

#[test]
fn a_shift_is_seen_by_every_distance() {
    let now = drift(&even(10_000, 0, 0), &even(10_000, 5, 0));
    assert_eq!(now.psi.unwrap().level, Level::Act);
    assert_eq!(now.jensen_shannon.unwrap().level, Level::Act);
    assert!((now.kolmogorov_smirnov.unwrap().value - 0.5).abs() < 1e-12);
    // From a mean of 5 to one of 7.5, with a deviation of sqrt(8.25).
    assert!((now.wasserstein.unwrap().value - 2.5 / 8.25_f64.sqrt()).abs() < 1e-12);
    assert_eq!((now.half_filled_bins, now.level()), (5, Level::Act));
}

#[test]
fn categories_have_no_order_and_no_distance_that_needs_one() {
    let policy = DriftSection::default();
    let (reference, current) = (
        FeatureCounts::of_bins(&[500, 500]),
        FeatureCounts::of_bins(&[900, 100]),
    );
    let comparison = Comparison {
        reference: &reference,
        current: &current,
        edges: None,
    };
    let drift = feature_drift(&comparison, &rules(&policy)).unwrap();
    assert_eq!((drift.kolmogorov_smirnov, drift.wasserstein), (None, None));
    assert_eq!(drift.psi.unwrap().level, Level::Act);
}

#[test]
fn missing_values_and_odd_ones_are_seen_beside_the_distances() {
    let reference = even(10_000, 0, 100);
    let now = drift(&reference, &even(10_000, 0, 600));
    assert_eq!(now.psi.unwrap().level, Level::Stable);
    assert_eq!(
        (now.missing.unwrap().level, now.level()),
        (Level::Act, Level::Act)
    );
    let fewer = drift(&reference, &even(10_000, 0, 0));
    assert_eq!(
        fewer.missing.unwrap().level,
        Level::Stable,
        "a fall is no harm"
    );
    let mut odd = even(10_000, 0, 100);
    odd.record_number(&edges(), Some(f64::INFINITY));
    let odd = drift(&reference, &odd);
    assert_eq!(odd.quality, [QualityFinding::Unreadable { count: 1 }]);
    assert_eq!(odd.level(), Level::Watch);
}

#[test]
fn a_feature_that_stopped_is_found() {
    let reference = even(10_000, 0, 0);
    let none = drift(&reference, &FeatureCounts::empty(10));
    assert_eq!(none.quality, [QualityFinding::NoApplicants]);
    assert_eq!(
        (none.psi, none.level()),
        (None, Level::InsufficientEvidence)
    );
    let missing = drift(&reference, &even(0, 0, 500));
    assert_eq!(missing.quality, [QualityFinding::AllMissing]);
    assert_eq!(missing.level(), Level::Act);
    let constant = drift(&reference, &even(500, 9, 0));
    assert_eq!(constant.quality, [QualityFinding::OneValue]);
}

#[test]
fn other_bins_cannot_be_compared() {
    let policy = DriftSection::default();
    let (reference, current) = (FeatureCounts::empty(10), FeatureCounts::empty(9));
    let comparison = Comparison {
        reference: &reference,
        current: &current,
        edges: None,
    };
    assert_eq!(feature_drift(&comparison, &rules(&policy)), None);
}

#[test]
fn what_chance_makes_the_same_for_everybody_is_no_finding() {
    let look = |reference: &[u64], missing: (u64, u64), current: &[u64]| {
        let reference = FeatureCounts::of_bins(reference).with_missing(missing.0);
        let current = FeatureCounts::of_bins(current).with_missing(missing.1);
        let comparison = Comparison {
            reference: &reference,
            current: &current,
            edges: None,
        };
        let policy = DriftSection::default();
        feature_drift(&comparison, &rules(&policy)).unwrap().quality
    };
    // 0.95^5 = 0.77 and 0.99^30 = 0.74 are likely; 0.95^100 = 0.006 and 0.9^60 = 0.002 are not.
    assert_eq!(look(&[500, 0], (9_500, 5), &[0, 0]), []);
    assert_eq!(
        look(&[500, 0], (9_500, 100), &[0, 0]),
        [QualityFinding::AllMissing]
    );
    assert_eq!(look(&[9_900, 100], (0, 0), &[30, 0]), []);
    assert_eq!(
        look(&[9_000, 1_000], (0, 0), &[60, 0]),
        [QualityFinding::OneValue]
    );
}
