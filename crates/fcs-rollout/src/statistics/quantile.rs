use fcs_core::{Alpha, EValue};
use serde::{Deserialize, Serialize};

use super::beta::ln_beta;
use super::rate::RateLimit;

/// Whether two arms have the same quantile, and for which sizes the test is tuned. It is valid for all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantileQuestion {
    /// Which quantile, for example 0.5 for the median.
    pub quantile: RateLimit,
    /// Values per arm at which the evidence should be strongest.
    pub tuned_values: f64,
    /// Alpha at which it should be.
    pub tuned_alpha: Alpha,
}

/// Evidence that the arms have different quantiles, in either direction; `None` where an arm has no values, a value
/// is no finite number, or the sizes to tune for are none.
///
/// For judging again offline: it needs every value, not buckets. Howard and Ramdas (2022), "Sequential estimation of
/// quantiles with applications to A/B testing and best-arm identification", Bernoulli 28, 1704-1728
/// (arXiv 1906.09712), theorem 5: of each arm the number of values below the common quantile is binomial, so a beta
/// mixture per arm, and the least product of both over all that the quantile could be.
pub fn quantile_difference(
    candidate: &[f64],
    stable: &[f64],
    question: QuantileQuestion,
) -> Option<EValue> {
    let usable = question.tuned_values > 0.0 && question.tuned_values.is_finite();
    let candidate = Arm::new(candidate, question)?;
    let stable = Arm::new(stable, question)?;
    let everywhere = candidate.sorted.iter().chain(&stable.sorted);
    let products = everywhere.map(|x| candidate.least(*x) + stable.least(*x));
    usable.then(|| EValue::from_ln(products.fold(f64::INFINITY, f64::min)))
}

struct Arm {
    sorted: Vec<f64>,
    mixture: Mixture,
    /// The number of values below the quantile that is least surprising.
    best: usize,
}

impl Arm {
    fn new(values: &[f64], question: QuantileQuestion) -> Option<Self> {
        if values.is_empty() || !values.iter().all(|value| value.is_finite()) {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mixture = Mixture::new(question, values.len());
        // Convex in the number, so it falls and then rises.
        let numbers: Vec<usize> = (0..values.len()).collect();
        let best = numbers.partition_point(|below| mixture.ln(below + 1) < mixture.ln(*below));
        Some(Self {
            sorted,
            mixture,
            best,
        })
    }

    /// The least evidence against a quantile at `x`, over all numbers of values below it that ties leave open.
    fn least(&self, x: f64) -> f64 {
        let fewest = self.sorted.partition_point(|value| *value < x);
        let most = self.sorted.partition_point(|value| *value <= x);
        self.mixture.ln(self.best.clamp(fewest, most))
    }
}

/// `B(r/p + n - k, r/(1-p) + k) / (B(r/p, r/(1-p)) p^k (1-p)^(n-k))` for `k` of `n` values below the quantile.
struct Mixture {
    values: f64,
    quantile: f64,
    above: f64,
    below: f64,
}

impl Mixture {
    fn new(question: QuantileQuestion, values: usize) -> Self {
        let quantile = question.quantile.get();
        let variance = quantile * (1.0 - quantile);
        let ln_bar = 2.0 * question.tuned_alpha.bar().ln();
        // As wide as helps most at the tuned size.
        let tuned = question.tuned_values * variance / (ln_bar + libm::log1p(ln_bar));
        let width = (tuned - variance).max(1e-3 * variance);
        Self {
            values: values as f64,
            quantile,
            above: width / quantile,
            below: width / (1.0 - quantile),
        }
    }

    fn ln(&self, below: usize) -> f64 {
        let below = below as f64;
        let above = self.values - below;
        ln_beta(self.above + above, self.below + below)
            - ln_beta(self.above, self.below)
            - below * libm::log(self.quantile)
            - above * libm::log1p(-self.quantile)
    }
}
