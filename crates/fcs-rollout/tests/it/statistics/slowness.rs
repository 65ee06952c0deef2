//! Simulated latencies: 5 % of the requests on the candidate, looked at every 15 s.

use fcs_rollout::statistics::simulate::Dice;
use fcs_rollout::statistics::{Buckets, Latencies};

use super::{alpha, ratio, weight};

const BOUNDS_S: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0];
const LOOK_S: f64 = 15.0;
const SHARE: f64 = 0.05;
const MEDIAN_S: f64 = 0.05;
const SPREAD: f64 = 0.6;

/// Share of requests that take at most so long: lognormal, a few times slower, with a share that waits 3 s more.
#[derive(Clone, Copy)]
struct Speed {
    slower: f64,
    waiting: f64,
}

const USUAL: Speed = Speed {
    slower: 1.0,
    waiting: 0.0,
};

impl Speed {
    fn within(self, seconds: f64) -> f64 {
        let usual = |seconds: f64| {
            if seconds <= 0.0 {
                return 0.0;
            }
            let z = (seconds / (MEDIAN_S * self.slower)).ln() / SPREAD;
            0.5 * libm::erfc(-z / 2_f64.sqrt())
        };
        (1.0 - self.waiting) * usual(seconds) + self.waiting * usual(seconds - 3.0)
    }

    fn buckets(self, requests: f64, dice: &mut Dice) -> Vec<u64> {
        let mut below = 0.0;
        let mut buckets = Vec::new();
        for bound in BOUNDS_S.into_iter().chain([f64::INFINITY]) {
            let within = if bound.is_finite() {
                self.within(bound)
            } else {
                1.0
            };
            buckets.push(dice.poisson(requests * (within - below)));
            below = within;
        }
        buckets
    }
}

/// Minutes until the candidate is seen to be slower, within an hour.
fn seen_after(requests_per_s: f64, candidate: Speed, seed: u64) -> Option<f64> {
    let mut dice = Dice::of(seed, 0);
    let mut latencies = Latencies::new(BOUNDS_S.to_vec()).unwrap();
    let requests = requests_per_s * LOOK_S;
    for look in 1..=240_u32 {
        let buckets = Buckets {
            candidate: candidate.buckets(requests * SHARE, &mut dice),
            stable: USUAL.buckets(requests * (1.0 - SHARE), &mut dice),
        };
        latencies.add(weight(500), &buckets).unwrap();
        if latencies
            .slower_anywhere(ratio(1.0))
            .reaches(alpha(0.01).bar())
        {
            return Some(f64::from(look) * LOOK_S / 60.0);
        }
    }
    None
}

fn median(requests_per_s: f64, candidate: Speed) -> f64 {
    let one = |seed| seen_after(requests_per_s, candidate, seed).unwrap_or(f64::INFINITY);
    let mut minutes: Vec<f64> = (0..201).map(one).collect();
    minutes.sort_by(f64::total_cmp);
    minutes[100]
}

#[test]
fn the_same_speed_is_rarely_called_slower() {
    for (requests_per_s, runs) in [(5.0, 1_000_u32), (50.0, 300)] {
        let stopped = (0..runs)
            .filter(|seed| seen_after(requests_per_s, USUAL, u64::from(*seed)).is_some())
            .count();
        let (runs, bar) = (f64::from(runs), 0.01);
        let most = runs * bar + 3.0 * (runs * bar * (1.0 - bar)).sqrt();
        assert!((stopped as f64) <= most, "{stopped}");
    }
}

/// Three seconds more for one request in a hundred: what tests of ranks do not see.
#[test]
fn a_slow_tail_is_seen_in_two_minutes() {
    let minutes = median(
        50.0,
        Speed {
            waiting: 0.01,
            ..USUAL
        },
    );
    assert!((minutes - 2.0).abs() <= 0.25, "{minutes}");
}

#[test]
fn a_general_slowdown_is_seen_in_a_minute() {
    let minutes = median(
        50.0,
        Speed {
            slower: 1.5,
            ..USUAL
        },
    );
    assert!(minutes <= 1.0, "{minutes}");
}
