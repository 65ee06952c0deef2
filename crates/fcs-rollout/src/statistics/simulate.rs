//! What a plan does to healthy and to broken candidates: rollouts played with dice that follow from a seed.
//!
//! Requests arrive by a Poisson process and go to the arms by the weight, bad ones too, so that each arm's counts
//! of a look are independent Poisson numbers. Steps pass by time; at every look the candidate may be stopped. The
//! same seed gives the same rollouts on every machine and in any order.

mod dice;
mod plan;
mod rollout;

use serde::Serialize;

pub use dice::Dice;
pub use plan::{InvalidPlan, Outage, Parts, Plan, Scenario, Step};
pub use rollout::{Ending, Rollout, play};

/// Counts what came of rollouts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tallied {
    tests: Vec<Ending>,
    threshold: Vec<Ending>,
    cleared: Vec<u64>,
}

/// What came of many rollouts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// How many there were.
    pub rollouts: usize,
    /// How the tests ended them.
    pub tests: RuleFigures,
    /// How the fixed threshold alone would have ended them.
    pub threshold: RuleFigures,
    /// Share of the rollouts that the tests had cleared at the end of each step.
    pub cleared: Vec<f64>,
}

/// How one rule ended rollouts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RuleFigures {
    /// Share that was stopped.
    pub stopped: f64,
    /// Standard error of that share.
    pub stopped_error: f64,
    /// Seconds within which half of all rollouts were stopped; `None` if fewer were.
    pub median_stop_s: Option<u64>,
    /// Bad requests that the candidate served before it was stopped, or until the end; the mean.
    pub candidate_bad_mean: f64,
}

impl Tallied {
    /// Counts one.
    pub fn add(&mut self, rollout: &Rollout) {
        self.tests.push(rollout.tests);
        self.threshold.push(rollout.threshold);
        self.cleared.resize(rollout.cleared.len(), 0);
        for (sum, cleared) in self.cleared.iter_mut().zip(&rollout.cleared) {
            *sum += u64::from(*cleared);
        }
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: Self) {
        self.tests.extend(other.tests);
        self.threshold.extend(other.threshold);
        self.cleared
            .resize(other.cleared.len().max(self.cleared.len()), 0);
        for (sum, more) in self.cleared.iter_mut().zip(other.cleared) {
            *sum += more;
        }
    }

    /// What came of all; `None` without any.
    pub fn figures(&self) -> Option<Figures> {
        let rollouts = self.tests.len();
        if rollouts == 0 {
            return None;
        }
        let share = |count: &u64| *count as f64 / rollouts as f64;
        Some(Figures {
            rollouts,
            tests: rule_figures(&self.tests),
            threshold: rule_figures(&self.threshold),
            cleared: self.cleared.iter().map(share).collect(),
        })
    }
}

/// Plays `rollouts` rollouts one after another.
pub fn simulate(plan: &Plan, scenario: &Scenario, seed: u64, rollouts: u64) -> Option<Figures> {
    let mut tallied = Tallied::default();
    for rollout in 0..rollouts {
        tallied.add(&play(plan, scenario, &mut Dice::of(seed, rollout)));
    }
    tallied.figures()
}

fn rule_figures(endings: &[Ending]) -> RuleFigures {
    let rollouts = endings.len() as f64;
    let mut stops: Vec<u64> = endings
        .iter()
        .filter_map(|ending| ending.stopped_s)
        .collect();
    stops.sort_unstable();
    let stopped = stops.len() as f64 / rollouts;
    let bad: f64 = endings
        .iter()
        .map(|ending| ending.candidate_bad as f64)
        .sum();
    RuleFigures {
        stopped,
        stopped_error: (stopped * (1.0 - stopped) / rollouts).sqrt(),
        median_stop_s: stops.get(endings.len().div_ceil(2) - 1).copied(),
        candidate_bad_mean: bad / rollouts,
    }
}
