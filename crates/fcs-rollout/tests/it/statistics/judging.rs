//! Verdicts: what leads to which, and that nothing is cleared without evidence.

use fcs_rollout::statistics::{
    Absence, Arms, Counts, Criteria, Grounds, Needed, RateCriterion, RatioCriterion, Verdict, judge,
};
use proptest::prelude::*;

use super::{alpha, limit, ratio, tally, weight};

fn criteria() -> Criteria {
    Criteria {
        ratio: RatioCriterion {
            alpha: alpha(0.01),
            tolerated: ratio(1.25),
            certified: ratio(2.0),
            bad_requests_min: 5,
        },
        rate: Some(RateCriterion {
            alpha: alpha(0.01),
            tolerated: limit(0.05),
            certified: limit(0.01),
        }),
        assignment_alpha: alpha(1e-4),
    }
}

/// Requests and bad requests of candidate and stable arm, by weight.
fn counted(cells: &[(u32, [u64; 4])]) -> Counts {
    let mut counts = Counts::default();
    for (at, [candidate, candidate_bad, stable, stable_bad]) in cells {
        let candidate = tally(*candidate, *candidate_bad);
        let stable = tally(*stable, *stable_bad);
        counts.add(weight(*at), Arms { candidate, stable });
    }
    counts
}

fn verdict(cells: &[(u32, [u64; 4])], at: u32) -> (Verdict, Option<Grounds>) {
    let judgement = judge(&counted(cells), weight(at), &criteria());
    (judgement.verdict, judgement.grounds)
}

fn no_data(reason: Absence) -> (Verdict, Option<Grounds>) {
    (Verdict::NoData { reason }, None)
}

#[test]
fn nothing_is_not_good_news() {
    assert_eq!(verdict(&[], 500), no_data(Absence::Missing));
    let stable_only = [(500, [0, 0, 40, 0])];
    assert_eq!(verdict(&stable_only, 500), no_data(Absence::Missing));
    let good_before = [(500, [5_000, 0, 95_000, 0])];
    assert_eq!(verdict(&good_before, 500).0, Verdict::Clear);
    assert_eq!(verdict(&good_before, 2_500), no_data(Absence::Missing));
    assert_eq!(verdict(&good_before, 10_000), no_data(Absence::Missing));
}

#[test]
fn a_worse_candidate_is_a_breach_and_a_good_one_clear() {
    let worse = [(500, [1_000, 20, 19_000, 19])];
    assert_eq!(
        verdict(&worse, 500),
        (Verdict::Breach, Some(Grounds::Ratio))
    );
    let good = [(500, [2_000, 2, 38_000, 38])];
    assert_eq!(verdict(&good, 500), (Verdict::Clear, Some(Grounds::Rate)));
    let similar = [(5_000, [40_000, 800, 40_000, 800])];
    let by_ratio = (Verdict::Clear, Some(Grounds::Ratio));
    assert_eq!(verdict(&similar, 5_000), by_ratio);
}

#[test]
fn few_bad_requests_are_no_breach_yet() {
    let four = [(500, [50, 4, 950, 0])];
    assert!(matches!(
        verdict(&four, 500).0,
        Verdict::Insufficient { .. }
    ));
    let five = [(500, [50, 5, 950, 0])];
    assert_eq!(verdict(&five, 500).0, Verdict::Breach);
}

#[test]
fn a_whole_weight_is_judged_by_its_own_counts() {
    let before = (5_000, [50_000, 10, 50_000, 10]);
    let failing = [before, (10_000, [1_000, 100, 0, 0])];
    assert_eq!(
        verdict(&failing, 10_000),
        (Verdict::Breach, Some(Grounds::Rate))
    );
    let early = [before, (10_000, [100, 0, 0, 0])];
    assert!(matches!(
        verdict(&early, 10_000).0,
        Verdict::Insufficient { .. }
    ));
    let good = [before, (10_000, [3_000, 3, 0, 0])];
    assert_eq!(
        verdict(&good, 10_000),
        (Verdict::Clear, Some(Grounds::Rate))
    );
}

/// A share of bad requests that both arms have is an incident, and not the candidate's.
#[test]
fn a_shared_outage_is_no_breach() {
    let outage = [(500, [1_000, 80, 19_000, 1_520])];
    assert_ne!(verdict(&outage, 500).0, Verdict::Breach);
}

#[test]
fn arms_that_got_the_wrong_requests_are_not_compared() {
    let leaking = [(500, [1_000, 20, 38_000, 19])];
    let absence = no_data(Absence::SampleRatioMismatch);
    assert_eq!(verdict(&leaking, 500), absence);
    let good = [(500, [4_000, 0, 38_000, 0])];
    assert_eq!(verdict(&good, 500), absence, "nor is it cleared");
    let later = [good[0], (10_000, [1_000, 100, 0, 0])];
    assert_eq!(
        verdict(&later, 10_000).0,
        Verdict::Breach,
        "alone it may fail"
    );
}

fn needed(counts: &Counts, at: u32) -> Option<Needed> {
    match judge(counts, weight(at), &criteria()).verdict {
        Verdict::Insufficient { needed } => Some(needed),
        _ => None,
    }
}

#[test]
fn a_thousand_good_requests_certify_one_percent() {
    let counts = counted(&[(500, [1, 0, 19, 0])]);
    let needed = needed(&counts, 500)
        .unwrap()
        .good_requests_to_clear
        .unwrap();
    // (1 - p)^n B(1, 1 + n) with p = 0.01 falls below alpha = 0.01 here.
    let enough = |n: f64| 1.0 / ((n + 1.0) * 0.99_f64.powf(n)) >= 100.0;
    let total = (1..5_000).find(|n| enough(f64::from(*n))).unwrap();
    assert_eq!(needed + 1, u64::try_from(total).unwrap());
    assert!((1_000..1_300).contains(&needed), "{needed}");
}

proptest! {
    /// What is said to be needed is enough, and less is not.
    #[test]
    fn what_is_needed_is_exact(
        at in prop::sample::select(vec![500_u32, 2_500, 5_000, 10_000]),
        requests in 1..4_000_u64, candidate_bad in 0..30_u64, stable_bad in 0..60_u64,
    ) {
        let stable_requests = if at == 10_000 { 0 } else { requests * u64::from(10_000 - at) / u64::from(at) };
        let stable_bad = stable_bad.min(stable_requests);
        let counts = counted(&[(at, [requests, candidate_bad.min(requests), stable_requests, stable_bad])]);
        let Some(needed) = needed(&counts, at) else { return Ok(()) };
        // Good requests of the other arm keep the guard of assignment quiet and say nothing else.
        let balance = |n: u64, share: u32, other: u32| tally(n * u64::from(other) / u64::from(share), 0);
        let with_candidate = |n: u64, bad: u64| {
            let mut counts = counts.clone();
            let (candidate, stable) = (tally(n, bad), balance(n, at, 10_000 - at));
            counts.add(weight(at), Arms { candidate, stable });
            judge(&counts, weight(at), &criteria()).verdict
        };
        let with_stable = |n: u64| {
            let mut counts = counts.clone();
            let (candidate, stable) = (balance(n, 10_000 - at, at), tally(n, n));
            counts.add(weight(at), Arms { candidate, stable });
            let criteria = Criteria { rate: None, ..criteria() };
            judge(&counts, weight(at), &criteria).verdict
        };
        if let Some(n) = needed.bad_requests_to_breach {
            prop_assert_eq!(with_candidate(n, n), Verdict::Breach);
            prop_assert_ne!(with_candidate(n - 1, n - 1), Verdict::Breach);
        }
        if let Some(n) = needed.good_requests_to_clear {
            prop_assert_eq!(with_candidate(n, 0), Verdict::Clear);
            prop_assert_ne!(with_candidate(n - 1, 0), Verdict::Clear);
        }
        if let Some(n) = needed.bad_requests_to_clear {
            prop_assert_eq!(with_stable(n), Verdict::Clear);
            prop_assert_ne!(with_stable(n - 1), Verdict::Clear);
        }
    }

    /// Whatever was seen before: without a request at the present weight there is no promotion.
    #[test]
    fn nothing_is_cleared_without_requests_at_the_present_weight(
        cells in prop::collection::vec((1..=10_000_u32, 0..9_000_u64, 0..90_000_u64), 0..4), at in 1..=10_000_u32,
    ) {
        let cells: Vec<_> = cells.into_iter().filter(|cell| cell.0 != at).collect();
        let cells: Vec<_> = cells.into_iter().map(|(w, n, m)| (w, [n, 0, m, 0])).collect();
        prop_assert_eq!(verdict(&cells, at), no_data(Absence::Missing));
    }
}
