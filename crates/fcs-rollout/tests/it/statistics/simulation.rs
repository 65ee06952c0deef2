//! Simulated rollouts: how often a healthy candidate is stopped, and how soon a broken one is.

use fcs_rollout::statistics::simulate::{
    Dice, Figures, InvalidPlan, Outage, Parts, Plan, Scenario, Step, Tallied, play, simulate,
};
use fcs_rollout::statistics::{RateCriterion, Weight};

use super::{alpha, limit, ratio, weight};

const ALPHA: f64 = 0.01;
const SEED: u64 = 20_261_128;

fn steps(weights: &[u32]) -> Vec<Step> {
    let step = |basis_points: &u32| Step {
        weight_basis_points: weight(*basis_points),
        bake_s: 1_800,
        certified: ratio(2.0),
    };
    weights.iter().map(step).collect()
}

/// The plan of the printed tables: compared at alpha 1 % with nothing tolerated.
fn plan(weights: &[u32]) -> Plan {
    let parts = Parts {
        steps: steps(weights),
        alpha: alpha(ALPHA),
        tolerated: ratio(1.0),
        rate: None,
        ..Parts::default()
    };
    parts.try_into().unwrap()
}

fn scenario(requests_per_s: f64, stable_bad: f64, candidate_bad: f64) -> Scenario {
    Scenario {
        requests_per_s,
        stable_bad: stable_bad.try_into().unwrap(),
        candidate_bad: candidate_bad.try_into().unwrap(),
        outage: None,
    }
}

fn assert_rarely_stopped(plan: &Plan, scenario: &Scenario) -> Figures {
    let figures = simulate(plan, scenario, SEED, 10_000).unwrap();
    let error = (ALPHA * (1.0 - ALPHA) / 10_000.0).sqrt();
    let stopped = figures.tests.stopped;
    assert!(stopped <= ALPHA + 3.0 * error, "{stopped}");
    assert!(stopped > 0.0, "the tests can stop at all");
    figures
}

const RAMP: [u32; 3] = [500, 2_500, 5_000];

#[test]
fn healthy_candidates_are_rarely_stopped_on_a_ramp() {
    assert_rarely_stopped(&plan(&RAMP), &scenario(20.0, 0.001, 0.001));
    assert_rarely_stopped(&plan(&RAMP), &scenario(5.0, 0.02, 0.02));
}

#[test]
fn healthy_candidates_are_rarely_stopped_at_one_weight() {
    for basis_points in [500, 5_000] {
        let mut parts = Parts::from(plan(&[basis_points]));
        parts.steps[0].bake_s = 5_400;
        let plan = parts.try_into().unwrap();
        assert_rarely_stopped(&plan, &scenario(10.0, 0.01, 0.01));
    }
}

/// At the very edge of what is tolerated, both by comparison and by the candidate's own share.
#[test]
fn candidates_at_the_edge_are_rarely_stopped_with_everything_asked() {
    let rate = RateCriterion {
        alpha: alpha(0.001),
        tolerated: limit(0.05),
        certified: limit(0.01),
    };
    let parts = Parts {
        steps: steps(&[500, 2_500, 5_000, 10_000]),
        alpha: alpha(0.009),
        tolerated: ratio(1.25),
        rate: Some(rate),
        ..Parts::default()
    };
    let plan: Plan = parts.try_into().unwrap();
    assert_rarely_stopped(&plan, &scenario(5.0, 0.04, 0.05));
}

#[test]
fn an_outage_of_both_arms_stops_the_threshold_and_not_the_tests() {
    let outage = Outage {
        from_s: 2_400,
        duration_s: 1_200,
        bad: 0.08.try_into().unwrap(),
    };
    let scenario = Scenario {
        outage: Some(outage),
        ..scenario(20.0, 0.02, 0.02)
    };
    let figures = assert_rarely_stopped(&plan(&RAMP), &scenario);
    assert!(figures.threshold.stopped > 0.99, "{figures:?}");
}

struct Detection {
    requests_per_s: f64,
    bad: (f64, f64),
    /// Median in minutes and mean of the candidate's bad requests, by the tests.
    tests: (f64, f64),
    /// Share that the fixed threshold stops.
    threshold: f64,
}

/// Printed where the tests are described, from a simulation of its own.
const DETECTIONS: [Detection; 6] = [
    Detection {
        requests_per_s: 20.0,
        bad: (0.001, 0.005),
        tests: (25.0, 9.0),
        threshold: 0.0,
    },
    Detection {
        requests_per_s: 20.0,
        bad: (0.001, 0.02),
        tests: (3.0, 4.2),
        threshold: 0.0,
    },
    Detection {
        requests_per_s: 20.0,
        bad: (0.001, 0.1),
        tests: (0.75, 5.0),
        threshold: 1.0,
    },
    Detection {
        requests_per_s: 20.0,
        bad: (0.02, 0.04),
        tests: (12.8, 35.0),
        threshold: 0.17,
    },
    Detection {
        requests_per_s: 200.0,
        bad: (0.02, 0.08),
        tests: (0.25, 18.0),
        threshold: 1.0,
    },
    Detection {
        requests_per_s: 2.0,
        bad: (0.02, 0.08),
        tests: (19.0, 11.0),
        threshold: 1.0,
    },
];

#[test]
fn broken_candidates_are_stopped_as_soon_as_in_the_table() {
    for expected in DETECTIONS {
        let (stable, candidate) = expected.bad;
        let scenario = scenario(expected.requests_per_s, stable, candidate);
        let figures = simulate(&plan(&RAMP), &scenario, SEED, 4_000).unwrap();
        let minutes = figures.tests.median_stop_s.unwrap() as f64 / 60.0;
        let (median, bad) = expected.tests;
        assert!(
            (minutes - median).abs() <= 0.1 * median,
            "{minutes} {median}"
        );
        let mean = figures.tests.candidate_bad_mean;
        assert!((mean - bad).abs() <= 0.1 * bad, "{mean} {bad}");
        let stopped = figures.threshold.stopped;
        assert!((stopped - expected.threshold).abs() <= 0.03, "{stopped}");
        assert!(figures.tests.stopped > 0.999);
    }
}

#[test]
fn the_threshold_stops_healthy_candidates_with_few_requests() {
    let figures = simulate(&plan(&RAMP), &scenario(2.0, 0.02, 0.02), SEED, 4_000).unwrap();
    let stopped = figures.threshold.stopped;
    assert!(
        (stopped - 0.077).abs() < 3.0 * figures.threshold.stopped_error + 0.003,
        "{stopped}"
    );
}

#[test]
fn the_same_seed_gives_the_same_rollouts_in_any_order() {
    let (plan, scenario) = (plan(&RAMP), scenario(20.0, 0.001, 0.004));
    let whole = simulate(&plan, &scenario, 5, 60).unwrap();
    let mut parts = [Tallied::default(), Tallied::default()];
    for rollout in (0..60).rev() {
        let played = play(&plan, &scenario, &mut Dice::of(5, rollout));
        parts[usize::from(rollout % 3 == 0)].add(&played);
    }
    let [mut sum, rest] = parts;
    sum.merge(rest);
    assert_eq!(sum.figures(), Some(whole.clone()));
    assert_ne!(simulate(&plan, &scenario, 6, 60), Some(whole));
    assert_eq!(simulate(&plan, &scenario, 5, 0), None);
}

#[test]
fn plans_are_checked() {
    let refused = |parts: Parts| Plan::try_from(parts).unwrap_err();
    let with = |steps: Vec<Step>| Parts {
        steps,
        ..Parts::default()
    };
    assert_eq!(refused(with(vec![])), InvalidPlan::Steps);
    assert_eq!(refused(with(steps(&[1; 21]))), InvalidPlan::Steps);
    assert_eq!(refused(with(steps(&[500, 500]))), InvalidPlan::Weights);
    assert_eq!(refused(with(steps(&[2_500, 500]))), InvalidPlan::Weights);
    for bake_s in [0, 1, 31, 604_815] {
        let mut steps = steps(&[500]);
        steps[0].bake_s = bake_s;
        assert_eq!(refused(with(steps)), InvalidPlan::Bake);
    }
    let never = Parts {
        look_every_s: 0,
        ..Parts::default()
    };
    assert_eq!(refused(never), InvalidPlan::Looks);
}

#[test]
fn a_plan_is_read_with_what_it_leaves_out_by_default() {
    let plan: Plan = serde_json::from_str("{}").unwrap();
    assert_eq!(plan, Plan::default());
    assert_eq!(plan.duration_s(), 7_200);
    let last = plan.parts().steps.last().unwrap();
    assert_eq!(last.weight_basis_points, Weight::WHOLE);
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    for bad in [r#"{"steps":[]}"#, r#"{"step":1}"#, r#"{"alpha":0}"#] {
        assert!(serde_json::from_str::<Plan>(bad).is_err(), "{bad}");
    }
}
