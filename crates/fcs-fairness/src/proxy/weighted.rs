//! The weighted estimator: everybody counts for each group with the probability of belonging to it.
//!
//! Chen, J., Kallus, N., Mao, X., Svacha, G. and Udell, M. (2019), "Fairness Under Unawareness: Assessing
//! Disparity When Protected Class Is Unobserved", FAT* 2019, section 4 (arXiv 1811.11154); the use of
//! probabilities as weights in lending is described in Consumer Financial Protection Bureau (2014),
//! "Using publicly available information to proxy for unidentified race and ethnicity".
//!
//! Its error is known: it misses `-E[Cov(1{member}, d | Z)] / P(member)` for a proxy made of `Z`. So it is
//! right if decisions do not depend on the group among people of the same `Z`, and where members are
//! approved less often among them as well it shows too high a rate for them.

use super::chance::{self, Rates};
use super::{Pair, ProxyCounts, of_reference};
use crate::{Confidence, Interval, Measured, Undefined};

/// The selection rate of a group, `Σ b d / Σ b`, with limits for chance; within `[0, 1]`.
///
/// # Panics
/// If there is no such group.
pub fn selection_rate(
    counts: &ProxyCounts,
    group: usize,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let weights = weight_product(counts, group, group);
    chance::rate(rate(counts, group)?, weights, confidence)?.within(0.0, 1.0)
}

/// The selection rate of the group over that of the reference group, with limits for chance; 0 or more.
///
/// # Panics
/// If one of the groups does not exist.
pub fn adverse_impact_ratio(counts: &ProxyCounts, pair: Pair, confidence: Confidence) -> Measured {
    let found = rates(counts, pair).map(|rates| chance::ratio(rates, confidence));
    match found {
        Ok(Measured::Interval(interval)) => interval.within(0.0, f64::MAX).into(),
        Ok(other) => other,
        Err(reason) => Measured::Undefined { reason },
    }
}

fn rates(counts: &ProxyCounts, pair: Pair) -> Result<Rates, Undefined> {
    let reference = of_reference(rate(counts, pair.reference))?;
    Ok(Rates {
        group: rate(counts, pair.group)?,
        reference,
        of_group: weight_product(counts, pair.group, pair.group),
        of_reference: weight_product(counts, pair.reference, pair.reference),
        of_both: weight_product(counts, pair.group, pair.reference),
    })
}

fn rate(counts: &ProxyCounts, group: usize) -> Result<f64, Undefined> {
    counts.check(group)?;
    let approved = counts.approved.sums[group];
    if approved < 0 {
        return Err(Undefined::NegativeCount);
    }
    Ok((approved as f64 / counts.members(group) as f64).clamp(0.0, 1.0))
}

/// The sum of products of the weights `b / Σ b` of two groups.
fn weight_product(counts: &ProxyCounts, one: usize, other: usize) -> f64 {
    counts.product(one, other) / (counts.expected_members(one) * counts.expected_members(other))
}
