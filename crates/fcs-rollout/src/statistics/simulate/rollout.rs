use std::collections::VecDeque;

use fcs_core::UnixMicros;

use super::dice::Dice;
use super::plan::{Plan, Scenario, Step};
use crate::statistics::judgement::{is_clear, stop};
use crate::statistics::{Arms, Counts, Sample, Sustained, SustainedRule, Tally, Verdict, Weight};

const MICROS_PER_S: u64 = 1_000_000;
/// The fixed threshold looks at the candidate's requests of the last 5 minutes.
const WINDOW_S: u64 = 300;

/// What came of one simulated rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// By the tests.
    pub tests: Ending,
    /// By the fixed threshold alone: more than 5 % of the last 5 minutes' requests fail, for 5 minutes.
    pub threshold: Ending,
    /// For each step whether the tests had cleared the candidate when its time was over.
    pub cleared: Vec<bool>,
}

/// How it ended by one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// When the candidate was stopped, in seconds; `None` if it came through.
    pub stopped_s: Option<u64>,
    /// The candidate's bad requests until then.
    pub candidate_bad: u64,
}

impl Ending {
    fn is_open(self) -> bool {
        self.stopped_s.is_none()
    }
}

/// Plays one rollout: steps pass by time, requests arrive by chance, and at every look the candidate may be stopped.
pub fn play(plan: &Plan, scenario: &Scenario, dice: &mut Dice) -> Rollout {
    let mut play = Play {
        plan,
        scenario,
        now_s: 0,
        counts: Counts::default(),
        window: Window::new(),
        rollout: Rollout {
            tests: Ending::default(),
            threshold: Ending::default(),
            cleared: vec![false; plan.parts().steps.len()],
        },
    };
    for (position, step) in plan.parts().steps.iter().enumerate() {
        play.step(step, dice);
        if play.rollout.tests.is_open() {
            let criteria = plan.criteria(step);
            let weight = step.weight_basis_points;
            play.rollout.cleared[position] = is_clear(&play.counts, weight, &criteria);
        } else if !play.rollout.threshold.is_open() {
            break;
        }
    }
    play.rollout
}

struct Play<'a> {
    plan: &'a Plan,
    scenario: &'a Scenario,
    now_s: u64,
    counts: Counts,
    window: Window,
    rollout: Rollout,
}

impl Play<'_> {
    fn step(&mut self, step: &Step, dice: &mut Dice) {
        let every_s = self.plan.parts().look_every_s;
        for _ in 0..step.bake_s / every_s {
            let arms = self.requests(step.weight_basis_points, every_s, dice);
            self.now_s += u64::from(every_s);
            self.counts.add(step.weight_basis_points, arms);
            self.look_by_tests(step, arms);
            self.look_by_threshold(arms);
        }
    }

    fn requests(&self, weight: Weight, seconds: u32, dice: &mut Dice) -> Arms {
        let (candidate_bad, stable_bad) = self.scenario.bad_at(self.now_s);
        let requests = self.scenario.requests_per_s * f64::from(seconds);
        let share = weight.share();
        let mut arm = |requests: f64, bad: f64| {
            let (bad, good) = (
                dice.poisson(requests * bad),
                dice.poisson(requests * (1.0 - bad)),
            );
            Tally::new(bad + good, bad).unwrap_or_default()
        };
        Arms {
            candidate: arm(requests * share, candidate_bad),
            stable: arm(requests * (1.0 - share), stable_bad),
        }
    }

    fn look_by_tests(&mut self, step: &Step, arms: Arms) {
        let ending = &mut self.rollout.tests;
        if !ending.is_open() {
            return;
        }
        ending.candidate_bad += arms.candidate.bad();
        // Only a bad request of the candidate, or the minimum of bad requests, can make a breach.
        if arms.bad() == 0 {
            return;
        }
        let criteria = self.plan.criteria(step);
        if stop(&self.counts, step.weight_basis_points, &criteria).is_some() {
            ending.stopped_s = Some(self.now_s);
        }
    }

    fn look_by_threshold(&mut self, arms: Arms) {
        let ending = &mut self.rollout.threshold;
        if !ending.is_open() {
            return;
        }
        ending.candidate_bad += arms.candidate.bad();
        if self.window.look(self.now_s, arms.candidate) == Verdict::Breach {
            ending.stopped_s = Some(self.now_s);
        }
    }
}

/// The candidate's requests of the last 5 minutes, and for how long too many of them were bad.
struct Window {
    looks: VecDeque<(u64, Tally)>,
    requests: u64,
    bad: u64,
    watch: Sustained,
}

impl Window {
    fn new() -> Self {
        Self {
            looks: VecDeque::new(),
            requests: 0,
            bad: 0,
            watch: Sustained::new(SustainedRule::ERROR_RATE),
        }
    }

    fn look(&mut self, now_s: u64, tally: Tally) -> Verdict {
        self.looks.push_back((now_s, tally));
        self.requests += tally.requests();
        self.bad += tally.bad();
        while let Some((at_s, old)) = self.looks.front().copied() {
            if at_s + WINDOW_S > now_s {
                break;
            }
            self.looks.pop_front();
            self.requests -= old.requests();
            self.bad -= old.bad();
        }
        // The rate of 5 minutes is known once 5 minutes have passed.
        let is_known = now_s >= WINDOW_S && self.requests > 0;
        let sample = is_known.then(|| Sample {
            value: self.bad as f64 / self.requests as f64,
            requests: self.requests,
        });
        let micros = i64::try_from(now_s.saturating_mul(MICROS_PER_S)).unwrap_or(i64::MAX);
        self.watch.observe(UnixMicros(micros), sample)
    }
}
