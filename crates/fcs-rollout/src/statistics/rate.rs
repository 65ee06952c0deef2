use fcs_core::Alpha;
use serde::{Deserialize, Serialize};

use super::Tally;
use super::beta::ln_beta_share;
use super::search::edge;

/// A share of bad requests that must not be exceeded, strictly between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct RateLimit(f64);

impl RateLimit {
    /// The share.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for RateLimit {
    type Error = InvalidRateLimit;

    fn try_from(limit: f64) -> Result<Self, InvalidRateLimit> {
        let usable = limit > 0.0 && limit < 1.0;
        usable.then_some(Self(limit)).ok_or(InvalidRateLimit)
    }
}

impl From<RateLimit> for f64 {
    fn from(limit: RateLimit) -> Self {
        limit.0
    }
}

/// The number is no usable limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a limit of the share of bad requests must be above 0 and below 1, for example 0.01")]
pub struct InvalidRateLimit;

/// Where one arm's share of bad requests lies, at all times together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateInterval {
    /// The share that was seen.
    pub estimate: f64,
    /// Smallest share that is not excluded.
    pub lower: f64,
    /// Greatest share that is not excluded.
    pub upper: f64,
}

/// A confidence sequence for one arm's share of bad requests, for when there is nothing to compare with; `None`
/// without requests. It ever misses a constant share with a probability of at most `alpha`.
///
/// `{p : B(1 + S, 1 + n - S) / (p^S (1 - p)^(n - S)) < 1 / alpha}`: Robbins (1970), Annals of Mathematical
/// Statistics 41, 1397-1409, with a uniform prior. About 1,000 good requests certify a share below 1 %.
pub fn rate_interval(tally: Tally, alpha: Alpha) -> Option<RateInterval> {
    let estimate = tally.rate()?;
    let is_inside = |p: f64| ln_beta_share(tally, p) < alpha.bar().ln();
    let lower = match tally.bad() {
        0 => 0.0,
        _ => edge(estimate, 0.0, is_inside),
    };
    let upper = match tally.good() {
        0 => 1.0,
        _ => edge(estimate, 1.0, is_inside),
    };
    Some(RateInterval {
        estimate,
        lower,
        upper,
    })
}

/// Whether [`rate_interval`] lies below the limit. Wrong with a probability of at most `alpha` in all, even
/// for a share that varies, as long as it is at least the limit at every moment.
pub fn is_rate_below(tally: Tally, limit: RateLimit, alpha: Alpha) -> bool {
    is_excluded(tally, limit, alpha) && tally.rate().is_some_and(|rate| rate < limit.0)
}

/// Whether [`rate_interval`] lies above the limit; see [`is_rate_below`].
pub fn is_rate_above(tally: Tally, limit: RateLimit, alpha: Alpha) -> bool {
    is_excluded(tally, limit, alpha) && tally.rate().is_some_and(|rate| rate > limit.0)
}

fn is_excluded(tally: Tally, limit: RateLimit, alpha: Alpha) -> bool {
    ln_beta_share(tally, limit.0) >= alpha.bar().ln()
}
