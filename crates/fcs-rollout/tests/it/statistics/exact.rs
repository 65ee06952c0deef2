//! Whole distributions, added up event by event instead of simulated, against tables that were printed before.

use fcs_rollout::statistics::Weight;
use fcs_rollout::statistics::arm::{FAILURE_FACTORS, worse_than};

use super::{alpha, counts, ratio, weight};

const EVENTS: usize = 2_000;

/// The share of bad requests that the candidate has.
fn share(weight: Weight, ratio: f64) -> f64 {
    let candidate = weight.share() * ratio;
    candidate / (1.0 - weight.share() + candidate)
}

/// For each number of bad requests, from 1 on, how many of the candidate's make a breach.
fn boundary(basis_points: u32, tolerated: f64, level: f64) -> Vec<usize> {
    let breach = |candidate: usize, both: usize| {
        let counts = counts(&[(basis_points, candidate as u64, both as u64)]);
        worse_than(&counts, ratio(tolerated), &FAILURE_FACTORS).reaches(alpha(level).bar())
    };
    let mut candidate = 0;
    let mut boundary = Vec::new();
    for both in 1..=EVENTS {
        while candidate <= both && !breach(candidate, both) {
            candidate += 1;
        }
        boundary.push(candidate);
    }
    boundary
}

struct Stopping {
    probability: f64,
    median: Option<usize>,
}

/// When a walk that adds 1 with probability `p` per event first reaches the boundary of its event.
fn stopping(boundary: &[usize], p: f64) -> Stopping {
    let mut at = vec![0.0; boundary.len() + 2];
    at[0] = 1.0;
    let mut stopping = Stopping {
        probability: 0.0,
        median: None,
    };
    for (event, &bound) in boundary.iter().enumerate() {
        for k in (0..=event + 1).rev() {
            let from_below = if k > 0 { at[k - 1] * p } else { 0.0 };
            at[k] = at[k] * (1.0 - p) + from_below;
        }
        for mass in at.iter_mut().skip(bound) {
            stopping.probability += *mass;
            *mass = 0.0;
        }
        if stopping.probability >= 0.5 && stopping.median.is_none() {
            stopping.median = Some(event + 1);
        }
    }
    stopping
}

/// Alpha, weight, probability of a false stop within 2,000 bad requests, power at 1.5 times the risk, and the
/// median number of bad requests to a breach at 1.5, 2, 3, 5, 10 and 30 times the risk.
const TABLE: [(f64, u32, f64, f64, [usize; 6]); 6] = [
    (0.05, 500, 0.028_28, 0.918, [738, 203, 64, 21, 9, 3]),
    (0.05, 2_500, 0.036_19, 1.0, [207, 63, 22, 10, 6, 3]),
    (0.05, 5_000, 0.039_10, 1.0, [173, 56, 24, 10, 6, 6]),
    (0.01, 500, 0.005_49, 0.835, [1_115, 310, 96, 35, 13, 5]),
    (0.01, 2_500, 0.005_88, 1.0, [318, 96, 36, 17, 7, 5]),
    (0.01, 5_000, 0.008_99, 1.0, [270, 89, 40, 17, 13, 8]),
];

#[test]
fn false_stops_and_medians_are_those_of_the_table() {
    for (level, basis_points, false_stop, power, medians) in TABLE {
        let boundary = boundary(basis_points, 1.0, level);
        let at = |risk: f64| stopping(&boundary, share(weight(basis_points), risk));
        let healthy = at(1.0);
        assert!((healthy.probability - false_stop).abs() < 1e-5);
        assert!(healthy.probability <= level);
        for (risk, median) in [1.5, 2.0, 3.0, 5.0, 10.0, 30.0].into_iter().zip(medians) {
            assert_eq!(
                at(risk).median,
                Some(median),
                "{level} {basis_points} {risk}"
            );
        }
        assert!((at(1.5).probability - power).abs() < 1e-3);
    }
}

#[test]
fn a_tolerated_risk_moves_the_table() {
    let boundary = boundary(500, 1.25, 0.01);
    let at = |risk: f64| stopping(&boundary, share(weight(500), risk));
    assert!((at(1.25).probability - 0.005_498).abs() < 1e-6);
    assert!((at(1.0).probability - 0.001_2).abs() < 5e-5);
    for (risk, median) in [(2.0, 652), (3.0, 145), (5.0, 44), (10.0, 15), (30.0, 6)] {
        assert_eq!(at(risk).median, Some(median), "{risk}");
    }
}

#[test]
fn the_boundary_is_the_printed_one() {
    let boundary = boundary(500, 1.0, 0.01);
    for (both, candidate) in [
        (3, 3),
        (6, 4),
        (10, 5),
        (20, 6),
        (30, 8),
        (50, 10),
        (100, 15),
        (200, 23),
        (500, 45),
        (1_000, 78),
    ] {
        assert_eq!(boundary[both - 1], candidate, "{both}");
    }
}

/// Probability that the candidate leads by `lead` within `events`: the gambler's ruin, as a sum over the event
/// that ends it.
fn ruin(events: u64, lead: u64, p: f64) -> f64 {
    let mut sum = 0.0;
    for end in (lead..=events).step_by(2) {
        let wins = u64::midpoint(end, lead);
        let ln_paths: f64 = (1..=wins)
            .map(|i| ((end - wins + i) as f64 / i as f64).ln())
            .sum();
        let losses = (end - wins) as f64;
        let ln = ln_paths + wins as f64 * p.ln() + losses * (1.0 - p).ln();
        sum += lead as f64 / end as f64 * ln.exp();
    }
    sum
}

/// Miller (2015), "Simple sequential A/B testing", one-sided, alpha 0.05, power 0.8: events too are compared by
/// which arm they come from, with half of the traffic on each.
#[test]
fn the_walk_of_bad_requests_gives_millers_table() {
    for (lift, events, lead) in [
        (0.5, 170, 26),
        (0.4, 243, 31),
        (0.3, 391, 39),
        (0.2, 808, 56),
        (0.1, 2_922, 106),
    ] {
        let lifted = share(weight(5_000), 1.0 + lift);
        assert!(ruin(events, lead, 0.5) < 0.05, "{lift}");
        assert!(ruin(events, lead, lifted) >= 0.8, "{lift}");
        assert!(
            ruin(events, lead - 1, 0.5) > 0.05 || ruin(events - 2, lead, lifted) < 0.8,
            "{lift}: the smallest pair"
        );
    }
}

/// The sums above and the event-by-event walk of this file agree on the same question.
#[test]
fn both_ways_of_adding_up_agree() {
    let (events, lead) = (808, 56);
    for p in [0.5, share(weight(5_000), 1.2)] {
        // Leading by `lead` after n events: 2 k - n >= lead.
        let boundary: Vec<usize> = (1..=events)
            .map(|n: usize| (n + lead).div_ceil(2))
            .collect();
        let walked = stopping(&boundary, p).probability;
        let summed = ruin(events as u64, lead as u64, p);
        assert!((walked - summed).abs() < 1e-9, "{walked} {summed}");
    }
}
