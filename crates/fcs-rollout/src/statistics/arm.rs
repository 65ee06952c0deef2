//! Which arm do the bad requests come from?
//!
//! A request goes to the candidate with probability `w`, the weight, whatever becomes of it. Of a *bad*
//! request that is therefore known, whatever share of all requests is bad at the moment:
//!
//! ```text
//! P(candidate | bad) = theta(w, r) = w r / (1 - w + w r),   r = the candidate's risk over the stable arm's
//! ```
//!
//! The likelihood ratio of a risk `g r0` against the tolerated `r0` is, for `K` bad requests of the candidate
//! among `M` at weight `w`, `g^K ((1 - w + w r0) / (1 - w + w g r0))^M`: a factor per bad request with mean 1
//! at `r0` and less below it. So the product over weights, averaged over a grid of `g`, is a non-negative
//! supermartingale under every risk of at most `r0`, and ever reaches `1 / alpha` with a probability of at
//! most `alpha`: with any number of looks, any rule for stopping, weights that change on the way and a share
//! of bad requests that changes for both arms.
//!
//! After Lindon and Malek (2022), "Anytime-valid inference for multinomial count data", NeurIPS
//! (arXiv 2011.03567), with a one-sided grid and a weight per event.

use fcs_core::{EValue, ln_mean_exp};
use serde::{Deserialize, Serialize};

use super::Counts;

/// Factors beyond the tolerated risk that are looked for among failures.
pub const FAILURE_FACTORS: [f64; 8] = [1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0];

/// Factors that are looked for among latencies: also small ones, because many requests exceed low bounds.
pub const LATENCY_FACTORS: [f64; 10] = [1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0];

/// The candidate's risk over the stable arm's, within `[0.01, 100]`; 1 is the same risk.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct RiskRatio(f64);

impl RiskRatio {
    /// The same risk.
    pub const ONE: Self = Self(1.0);

    /// The ratio.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for RiskRatio {
    type Error = InvalidRiskRatio;

    fn try_from(ratio: f64) -> Result<Self, InvalidRiskRatio> {
        let usable = (0.01..=100.0).contains(&ratio);
        usable.then_some(Self(ratio)).ok_or(InvalidRiskRatio)
    }
}

impl From<RiskRatio> for f64 {
    fn from(ratio: RiskRatio) -> Self {
        ratio.0
    }
}

/// The number is no usable ratio of risks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a ratio of risks must be within 0.01 and 100, for example 1.25")]
pub struct InvalidRiskRatio;

/// Evidence that the candidate's risk is more than `tolerated` times the stable arm's.
///
/// Weights of 10,000 basis points say nothing here: they have no stable arm.
pub fn worse_than(counts: &Counts, tolerated: RiskRatio, factors: &[f64]) -> EValue {
    let of_factor = |factor: &f64| -> f64 {
        let of_weight = |(weight, arms): (super::Weight, super::Arms)| {
            let share = weight.share();
            let base = 1.0 - share + share * tolerated.get();
            // ln((1 - w + w g r0) / (1 - w + w r0)), without cancellation.
            let price = libm::log1p(share * tolerated.get() * (factor - 1.0) / base);
            arms.candidate.bad() as f64 * libm::log(*factor) - arms.bad() as f64 * price
        };
        counts.compared().map(of_weight).sum()
    };
    let logarithms: Vec<f64> = factors.iter().map(of_factor).collect();
    EValue::from_ln(ln_mean_exp(&logarithms))
}
