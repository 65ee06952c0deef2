//! Against `tests/golden/statistics.json`, which its generator makes with mpmath and scipy.

use fcs_rollout::statistics::arm::{FAILURE_FACTORS, LATENCY_FACTORS, worse_than};
use fcs_rollout::statistics::{
    Arms, BlockTest, Buckets, Latencies, MeanQuestion, Means, Signs, is_rate_above, is_rate_below,
    is_ratio_below, rate_interval, risk_ratio, sample_ratio_mismatch,
};
use serde::Deserialize;

use super::{alpha, assert_close, counts, limit, ratio, tally, weight};

const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct Golden {
    comparisons: Vec<Comparison>,
    rates: Vec<Rate>,
    mismatches: Vec<Mismatch>,
    signs: Vec<SignCase>,
    means: Vec<MeanCase>,
    blocks: BlockCase,
    latencies: LatencyCase,
}

#[derive(Deserialize)]
struct Comparison {
    cells: Vec<(u32, u64, u64)>,
    tolerated: f64,
    alpha: f64,
    ln_worse: String,
    ln_worse_latency: String,
    estimate: Option<String>,
    lower: String,
    upper: Option<String>,
}

#[derive(Deserialize)]
struct Rate {
    bad: u64,
    requests: u64,
    alpha: f64,
    lower: String,
    upper: String,
}

#[derive(Deserialize)]
struct Mismatch {
    cells: Vec<(u32, u64, u64)>,
    ln: String,
}

#[derive(Deserialize)]
struct SignCase {
    slower: u64,
    faster: u64,
    ln: String,
}

#[derive(Deserialize)]
struct MeanCase {
    values: u64,
    difference: f64,
    null: f64,
    variance: f64,
    prior_variance: f64,
    ln: String,
}

#[derive(Deserialize)]
struct BlockCase {
    rows: Vec<[(u64, u64); 2]>,
    ln: String,
}

#[derive(Deserialize)]
struct LatencyCase {
    weight: u32,
    bounds_s: Vec<f64>,
    candidate: Vec<u64>,
    stable: Vec<u64>,
    ln: String,
}

fn golden() -> Golden {
    let text = include_str!("../../golden/statistics.json");
    serde_json::from_str(text).unwrap()
}

/// An absolute error of the logarithm is a relative one of the e-value.
fn assert_evidence(ln: f64, expected: &str) {
    let expected: f64 = expected.parse().unwrap();
    let close = (ln - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
    assert!(close, "{ln} is not {expected}");
}

fn assert_number(actual: f64, expected: &str) {
    assert_close(actual, expected.parse().unwrap(), TOLERANCE);
}

#[test]
fn comparisons_of_arms() {
    let cases = golden().comparisons;
    assert!(cases.len() > 40);
    for case in cases {
        let counts = counts(&case.cells);
        let tolerated = ratio(case.tolerated);
        let worse = |factors: &[f64]| worse_than(&counts, tolerated, factors).ln();
        assert_evidence(worse(&FAILURE_FACTORS), &case.ln_worse);
        assert_evidence(worse(&LATENCY_FACTORS), &case.ln_worse_latency);
        let interval = risk_ratio(&counts, alpha(case.alpha));
        assert_number(interval.lower, &case.lower);
        assert_eq!(interval.upper.is_some(), case.upper.is_some());
        if let (Some(upper), Some(expected)) = (interval.upper, &case.upper) {
            assert_number(upper, expected);
        }
        if let (Some(estimate), Some(expected)) = (interval.estimate, &case.estimate) {
            assert_number(estimate, expected);
        }
        let Some(upper) = interval.upper.filter(|upper| (0.02..90.0).contains(upper)) else {
            continue;
        };
        let is_below = |limit: f64| is_ratio_below(&counts, ratio(limit), alpha(case.alpha));
        assert!(is_below(upper * 1.000_001) && !is_below(upper * 0.999_999));
    }
}

#[test]
fn shares_of_one_arm() {
    for case in golden().rates {
        let tally = tally(case.requests, case.bad);
        let level = alpha(case.alpha);
        let interval = rate_interval(tally, level).unwrap();
        assert_number(interval.lower, &case.lower);
        assert_number(interval.upper, &case.upper);
        let below = |share: f64| is_rate_below(tally, limit(share), level);
        let above = |share: f64| is_rate_above(tally, limit(share), level);
        if interval.upper < 1.0 {
            let middle = f64::midpoint(interval.upper, 1.0);
            assert!(below(middle) && !below(interval.upper * 0.999_999) && !above(middle));
        }
        if interval.lower > 0.0 {
            let half = interval.lower / 2.0;
            assert!(above(half) && !above(interval.lower * 1.000_001) && !below(half));
        }
    }
}

#[test]
fn wrong_assignments() {
    for case in golden().mismatches {
        let mismatch = sample_ratio_mismatch(&counts(&case.cells));
        assert_evidence(mismatch.ln(), &case.ln);
    }
}

#[test]
fn signs_and_means() {
    let golden = golden();
    for case in golden.signs {
        let (slower, faster) = (case.slower, case.faster);
        assert_evidence(Signs { slower, faster }.evidence().ln(), &case.ln);
    }
    for case in golden.means {
        let means = Means {
            values: case.values,
            difference: case.difference,
            variance: case.variance,
        };
        let question = MeanQuestion {
            difference: case.null,
            prior_variance: case.prior_variance,
        };
        assert_evidence(means.evidence(question).unwrap().ln(), &case.ln);
        let unknown = Means {
            difference: f64::NAN,
            ..means
        };
        assert_eq!(unknown.evidence(question), None);
        let without = Means {
            variance: 0.0,
            ..means
        };
        assert_eq!(without.evidence(question), None);
    }
}

#[test]
fn blocks_that_are_not_assigned_at_random() {
    let case = golden().blocks;
    let mut test = BlockTest::default();
    for [candidate, stable] in case.rows {
        test.add(Arms {
            candidate: tally(candidate.0, candidate.1),
            stable: tally(stable.0, stable.1),
        });
    }
    assert_evidence(test.evidence().ln(), &case.ln);
    let before = test;
    test.add(Arms {
        candidate: tally(5, 5),
        ..Arms::default()
    });
    assert_eq!(test, before, "a block with one arm says nothing");
}

#[test]
fn latencies_in_buckets() {
    let case = golden().latencies;
    let mut latencies = Latencies::new(case.bounds_s).unwrap();
    let buckets = Buckets {
        candidate: case.candidate,
        stable: case.stable,
    };
    latencies.add(weight(case.weight), &buckets).unwrap();
    let evidence = latencies.slower_anywhere(ratio(1.0));
    assert_evidence(evidence.ln(), &case.ln);
    let slow = latencies.slower_than(2).at(weight(case.weight));
    assert_eq!(
        (slow.candidate, slow.stable),
        (tally(1_000, 20), tally(3_000, 20))
    );
}
