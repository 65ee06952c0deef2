//! How far chance may move a rate, or a ratio of two, that is a weighted sum of decisions.
//!
//! Given the probabilities, people are decided about independently, and a decision is yes or no, so that
//! its variance is at most 1/4. The variance of `Σ w d` is then at most `Σ w² / 4`, whatever the decisions
//! depend on. Limits from it keep their confidence in large samples and are wider than need be: hardly so
//! for rates from 0.2 to 0.8, more where nearly everybody or nearly nobody is approved.
//!
//! They are limits of chance alone. What an estimator misses because its assumption fails is not in them.

use crate::{Confidence, Interval, Measured, Undefined};

/// The greatest standard deviation of a decision.
const DEVIATION_MAX: f64 = 0.5;

/// Two rates `Σ w d`, and the sums of products of their weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub(super) group: f64,
    pub(super) reference: f64,
    /// `Σ w²` of the group.
    pub(super) of_group: f64,
    /// `Σ w²` of the reference group.
    pub(super) of_reference: f64,
    /// `Σ w w'` of both.
    pub(super) of_both: f64,
}

/// A rate and its limits, from the sum of its squared weights.
pub(super) fn rate(
    rate: f64,
    squared_weights: f64,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let half_width = confidence.critical_value() * DEVIATION_MAX * squared_weights.max(0.0).sqrt();
    Interval::around(rate, rate - half_width, rate + half_width).ok_or(Undefined::NotFinite)
}

/// The ratio of two rates with its limits, or without any where chance alone may bring the reference rate to
/// zero.
///
/// The limits hold the ratios `r` for which `group - r reference` is not further from zero than chance
/// brings it: Fieller, E. C. (1954), "Some problems in interval estimation", Journal of the Royal
/// Statistical Society B 16, 175-185.
pub(super) fn ratio(rates: Rates, confidence: Confidence) -> Measured {
    let value = match super::ratio(rates.group, rates.reference) {
        Ok(value) => value,
        Err(reason) => return Measured::Undefined { reason },
    };
    let squared = (confidence.critical_value() * DEVIATION_MAX).powi(2);
    // The limits are the roots of `a r² - 2 b r + c`.
    let a = rates.reference * rates.reference - squared * rates.of_reference;
    let b = rates.group * rates.reference - squared * rates.of_both;
    let c = rates.group * rates.group - squared * rates.of_group;
    if a <= 0.0 {
        return Measured::Point { value };
    }
    let root = (b * b - a * c).max(0.0).sqrt();
    match Interval::around(value, (b - root) / a, (b + root) / a) {
        Some(interval) => Measured::Interval(interval),
        None => Measured::Point { value },
    }
}
