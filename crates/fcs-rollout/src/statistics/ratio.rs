use fcs_core::{Alpha, ln_mean_exp};
use serde::{Deserialize, Serialize};

use super::arm::RiskRatio;
use super::search::edge;
use super::{Arms, Counts, Weight};

/// Where the ratio of risks lies, at all times together. `None` is a side without an end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatioInterval {
    /// The ratio of highest likelihood; `None` without bad requests of the stable arm.
    pub estimate: Option<f64>,
    /// Smallest ratio that is not excluded; 0 without bad requests of the candidate.
    pub lower: f64,
    /// Greatest ratio that is not excluded.
    pub upper: Option<f64>,
}

/// Ratios are searched between e^-50 and e^50.
const LN_LIMIT: f64 = 50.0;

/// The prior is uniform over 2^(i/2), i = -12..12.
const PRIOR_STEPS: i32 = 12;

/// The logarithm of the likelihood as a function of x = ln r, up to a constant:
/// `sum over weights of K x - M ln(1 + w (e^x - 1))`. Concave.
fn ln_likelihood(counts: &Counts, x: f64) -> f64 {
    let of_weight = |(weight, arms): (Weight, Arms)| {
        let growth = libm::log1p(weight.share() * libm::expm1(x));
        arms.candidate.bad() as f64 * x - arms.bad() as f64 * growth
    };
    counts.compared().map(of_weight).sum()
}

/// Whether the likelihood still rises at x = ln r: more candidates among the bad requests than expected.
fn is_below_estimate(counts: &Counts, x: f64) -> bool {
    let ratio = libm::exp(x);
    let excess = |(weight, arms): (Weight, Arms)| {
        let share = weight.share();
        let expected = share * ratio / (1.0 - share + share * ratio);
        arms.candidate.bad() as f64 - arms.bad() as f64 * expected
    };
    counts.compared().map(excess).sum::<f64>() > 0.0
}

/// What the likelihood must reach for a ratio not to be excluded.
fn bar(counts: &Counts, alpha: Alpha) -> f64 {
    let step = std::f64::consts::LN_2 / 2.0;
    let prior = -PRIOR_STEPS..=PRIOR_STEPS;
    let logarithms: Vec<f64> = prior
        .map(|i| ln_likelihood(counts, f64::from(i) * step))
        .collect();
    ln_mean_exp(&logarithms) - alpha.bar().ln()
}

fn bad_requests(counts: &Counts) -> (u64, u64) {
    let sum = |(candidate, stable): (u64, u64), (_, arms): (Weight, Arms)| {
        let stable = stable.saturating_add(arms.stable.bad());
        (candidate.saturating_add(arms.candidate.bad()), stable)
    };
    counts.compared().fold((0, 0), sum)
}

/// A confidence sequence for the ratio of risks: it may be looked at as often as one likes, and ever misses a
/// constant ratio with a probability of at most `alpha`.
///
/// The ratios whose likelihood is at least `alpha` times the mean over a prior: Robbins (1970), "Statistical
/// methods related to the law of the iterated logarithm", Annals of Mathematical Statistics 41, 1397-1409,
/// on the likelihood of [`super::arm`].
pub fn risk_ratio(counts: &Counts, alpha: Alpha) -> RatioInterval {
    let (candidate, stable) = bad_requests(counts);
    let mut interval = RatioInterval {
        estimate: None,
        lower: 0.0,
        upper: None,
    };
    if candidate == 0 && stable == 0 {
        return interval;
    }
    let estimate = match (candidate, stable) {
        (0, _) => -LN_LIMIT,
        (_, 0) => LN_LIMIT,
        _ => edge(-LN_LIMIT, LN_LIMIT, |x| is_below_estimate(counts, x)),
    };
    let bar = bar(counts, alpha);
    let is_inside = |x: f64| ln_likelihood(counts, x) >= bar;
    if candidate > 0 {
        interval.lower = libm::exp(edge(estimate, -LN_LIMIT, is_inside));
    }
    if stable > 0 {
        interval.estimate = Some(if candidate > 0 {
            libm::exp(estimate)
        } else {
            0.0
        });
        interval.upper = Some(libm::exp(edge(estimate, LN_LIMIT, is_inside)));
    }
    interval
}

/// Whether the upper end of [`risk_ratio`] is below `limit`; cheaper than the interval.
pub fn is_ratio_below(counts: &Counts, limit: RiskRatio, alpha: Alpha) -> bool {
    let x = libm::log(limit.get());
    let (_, stable) = bad_requests(counts);
    stable > 0 && !is_below_estimate(counts, x) && ln_likelihood(counts, x) < bar(counts, alpha)
}
