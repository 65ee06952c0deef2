//! What must hold of any counts.

use fcs_rollout::statistics::arm::{FAILURE_FACTORS, LATENCY_FACTORS, worse_than};
use fcs_rollout::statistics::{
    Arms, BlockTest, Buckets, Counts, Latencies, Signs, Tally, is_ratio_below, rate_interval,
    risk_ratio, sample_ratio_mismatch,
};
use proptest::prelude::*;

use super::{alpha, bad, counts, ratio, tally, weight};

type Cells = Vec<(u32, u64, u64)>;

fn cells() -> impl Strategy<Value = Cells> {
    let cell = (1..10_000_u32, 0..200_u64, 0..200_u64)
        .prop_map(|(weight, candidate, stable)| (weight, candidate, candidate + stable));
    prop::collection::vec(cell, 0..5)
}

fn with(counts: &Counts, at: u32, arms: Arms) -> Counts {
    let mut counts = counts.clone();
    counts.add(weight(at), arms);
    counts
}

proptest! {
    /// The supermartingale itself: whatever came before, the mean after the next bad request is at most what it
    /// was, and the same at the tolerated risk.
    #[test]
    fn no_bad_request_is_expected_to_add_evidence(
        before in cells(), at in 1..10_000_u32, tolerated in 0.5..4.0_f64, part in 0.0..1.0_f64,
    ) {
        let counts = counts(&before);
        let chance = |risk: f64| {
            let candidate = weight(at).share() * risk;
            candidate / (1.0 - weight(at).share() + candidate)
        };
        for factors in [&FAILURE_FACTORS[..], &LATENCY_FACTORS[..]] {
            let ln = |counts: &Counts| worse_than(counts, ratio(tolerated), factors).ln();
            let now = ln(&counts);
            let candidate = (ln(&with(&counts, at, bad(1, 1))) - now).exp();
            let stable = (ln(&with(&counts, at, bad(0, 1))) - now).exp();
            prop_assert!(candidate >= 1.0 && stable <= 1.0, "evidence rises with the candidate's only");
            let mean = |risk: f64| chance(risk) * candidate + (1.0 - chance(risk)) * stable;
            prop_assert!((mean(tolerated) - 1.0).abs() < 1e-9, "{}", mean(tolerated));
            prop_assert!(mean(tolerated * part) <= 1.0 + 1e-9);
        }
    }

    #[test]
    fn shards_and_orders_give_the_same_bits(before in cells(), cut in 0..5_usize) {
        let whole = counts(&before);
        let (left, right) = before.split_at(cut.min(before.len()));
        let mut merged = counts(right);
        merged.merge(&counts(left));
        let backwards: Cells = before.iter().rev().copied().collect();
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(&counts(&backwards), &whole);
        let one = worse_than(&whole, ratio(1.0), &FAILURE_FACTORS).ln();
        let other = worse_than(&merged, ratio(1.0), &FAILURE_FACTORS).ln();
        prop_assert_eq!(one.to_bits(), other.to_bits());
    }

    #[test]
    fn intervals_hold_their_estimate_and_widen_with_confidence(before in cells()) {
        let counts = counts(&before);
        let narrow = risk_ratio(&counts, alpha(0.1));
        let wide = risk_ratio(&counts, alpha(0.001));
        prop_assert!(wide.lower <= narrow.lower);
        prop_assert!(wide.upper.unwrap_or(f64::INFINITY) >= narrow.upper.unwrap_or(f64::INFINITY));
        if let Some(estimate) = narrow.estimate {
            prop_assert!(narrow.lower <= estimate);
            prop_assert!(estimate <= narrow.upper.unwrap());
        }
        if is_ratio_below(&counts, ratio(1.5), alpha(0.001)) {
            prop_assert!(is_ratio_below(&counts, ratio(1.5), alpha(0.1)));
            prop_assert!(is_ratio_below(&counts, ratio(1.6), alpha(0.001)));
        }
    }

    #[test]
    fn shares_of_one_arm_hold_their_estimate(good in 0..5_000_u64, bad in 0..5_000_u64) {
        let counted = tally(good + bad, bad);
        let Some(narrow) = rate_interval(counted, alpha(0.1)) else {
            prop_assert!(good + bad == 0);
            return Ok(());
        };
        let wide = rate_interval(counted, alpha(0.001)).unwrap();
        prop_assert!(wide.lower <= narrow.lower && narrow.lower <= narrow.estimate);
        prop_assert!(narrow.estimate <= narrow.upper && narrow.upper <= wide.upper);
    }

    /// Requests that are assigned as they should be are not expected to add evidence of the contrary.
    #[test]
    fn the_guard_of_assignment_is_a_martingale(before in cells(), at in 1..10_000_u32) {
        let counts = counts(&before);
        let now = sample_ratio_mismatch(&counts).ln();
        let after = |arms| (sample_ratio_mismatch(&with(&counts, at, arms)).ln() - now).exp();
        let share = weight(at).share();
        let mean = share * after(bad(1, 1)) + (1.0 - share) * after(bad(0, 1));
        prop_assert!((mean - 1.0).abs() < 1e-8, "{mean}");
    }

    #[test]
    fn signs_are_a_martingale(slower in 0..300_u64, faster in 0..300_u64) {
        let ln = |slower, faster| Signs { slower, faster }.evidence().ln();
        let now = ln(slower, faster);
        let mean = f64::midpoint((ln(slower + 1, faster) - now).exp(), (ln(slower, faster + 1) - now).exp());
        prop_assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    }

    /// A request of any latency that falls to the arms by the weight leaves the mean over bounds where it is.
    #[test]
    fn the_latency_test_is_a_martingale(
        candidate in prop::collection::vec(0..50_u64, 4), stable in prop::collection::vec(0..50_u64, 4),
        at in 1..10_000_u32, bucket in 0..4_usize,
    ) {
        let mut before = Latencies::new(vec![0.1, 0.5, 2.0]).unwrap();
        before.add(weight(at), &Buckets { candidate, stable }).unwrap();
        let ln = |latencies: &Latencies| latencies.slower_anywhere(ratio(1.0)).ln();
        let after = |is_candidate: bool| {
            let (mut one, none) = (vec![0; 4], vec![0; 4]);
            one[bucket] = 1;
            let (candidate, stable) = if is_candidate { (one, none) } else { (none, one) };
            let mut latencies = before.clone();
            latencies.add(weight(at), &Buckets { candidate, stable }).unwrap();
            (ln(&latencies) - ln(&before)).exp()
        };
        let share = weight(at).share();
        let mean = share * after(true) + (1.0 - share) * after(false);
        prop_assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    }

    /// The mean over all outcomes of a block, for any share of bad requests that both arms have.
    #[test]
    fn no_block_is_expected_to_add_evidence(
        before in prop::collection::vec((0..5_u64, 0..5_u64, 0..5_u64, 0..5_u64), 0..10),
        sizes in (1..4_u64, 1..4_u64), p in 0.0..1.0_f64,
    ) {
        let mut test = BlockTest::default();
        for (a, b, c, d) in before {
            test.add(Arms { candidate: tally(a + b, b), stable: tally(c + d, d) });
        }
        let chance = |counted: Tally| {
            let (n, k) = (counted.requests(), counted.bad());
            let ways: f64 = (1..=k).map(|i| (n - k + i) as f64 / i as f64).product();
            ways * p.powf(k as f64) * (1.0 - p).powf((n - k) as f64)
        };
        let mut mean = 0.0;
        for a in 0..=sizes.0 {
            for b in 0..=sizes.1 {
                let (candidate, stable) = (tally(sizes.0, a), tally(sizes.1, b));
                let mut after = test;
                after.add(Arms { candidate, stable });
                let growth = (after.evidence().ln() - test.evidence().ln()).exp();
                mean += chance(candidate) * chance(stable) * growth;
            }
        }
        prop_assert!(mean <= 1.0 + 1e-9, "{mean}");
    }
}

#[test]
fn histograms_are_checked() {
    for bad in [
        vec![],
        vec![0.0],
        vec![1.0, 1.0],
        vec![2.0, 1.0],
        vec![f64::NAN],
    ] {
        assert!(Latencies::new(bad).is_err());
    }
    let mut latencies = Latencies::new(vec![1.0]).unwrap();
    let (candidate, stable) = (vec![1], vec![1, 2]);
    let error = latencies.add(weight(1), &Buckets { candidate, stable });
    assert!(error.is_err(), "a bucket is missing");
    let (candidate, stable) = (vec![1, u64::MAX], vec![u64::MAX, u64::MAX]);
    let buckets = Buckets { candidate, stable };
    latencies.add(weight(1), &buckets).unwrap();
    latencies.add(weight(1), &buckets).unwrap();
    assert!(latencies.slower_anywhere(ratio(1.0)).ln().is_finite());
    let text = serde_json::to_string(&latencies).unwrap();
    assert_eq!(serde_json::from_str::<Latencies>(&text).unwrap(), latencies);
    let broken = text.replace("[1.0]", "[1.0,0.5]");
    assert!(serde_json::from_str::<Latencies>(&broken).is_err());
}
