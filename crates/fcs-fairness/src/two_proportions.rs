//! Two independent proportions compared: the formulas behind every ratio and difference of rates.

use crate::proportion::Proportion;
use crate::{Confidence, Interval, Undefined};

/// The ratio of two proportions with the interval that is symmetric in the logarithm.
///
/// Katz, D., Baptista, J., Azen, S. P. and Pike, M. C. (1978), "Obtaining confidence intervals for
/// the risk ratio in cohort studies", Biometrics 34, 469-474. If either proportion is 0 or 1, both
/// enter the limits, not the value, with one half more on each side; the interval is then widened to
/// contain the value.
pub(crate) fn ratio(
    group: Proportion,
    reference: Proportion,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    if reference.selected <= 0.0 {
        return Err(Undefined::ZeroDenominator);
    }
    let value = group.rate() / reference.rate();
    let (group, reference) = away_from_the_ends(group, reference);
    let centre = (group.rate() / reference.rate()).ln();
    let variance = log_variance(group) + log_variance(reference);
    around_logarithm(value, centre, variance, confidence)
}

/// The smaller of two proportions over the larger: at most 1. The limits are those of [`ratio`], both
/// ways round: a ratio above 1 is as far from equality as its reciprocal.
pub(crate) fn smaller_over_larger(
    one: Proportion,
    other: Proportion,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let (smaller, larger) = if one.rate() <= other.rate() {
        (one, other)
    } else {
        (other, one)
    };
    let ratio = ratio(smaller, larger, confidence)?;
    let upper = if ratio.upper >= 1.0 { 1.0 } else { ratio.upper };
    let lower = ratio.lower.min(1.0 / ratio.upper);
    Interval::around(ratio.value, lower, upper).ok_or(Undefined::NotFinite)
}

/// The odds of `group` divided by the odds of `reference`, with the logit interval.
///
/// Woolf, B. (1955), "On estimating the relation between blood group and disease", Annals of Human
/// Genetics 19, 251-253; half counts at the ends as Haldane (1956) and Anscombe (1956).
pub(crate) fn odds_ratio(
    group: Proportion,
    reference: Proportion,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let rest = |proportion: Proportion| proportion.total - proportion.selected;
    let denominator = rest(group) * reference.selected;
    if denominator <= 0.0 {
        return Err(Undefined::ZeroDenominator);
    }
    let value = group.selected * rest(reference) / denominator;
    let (group, reference) = away_from_the_ends(group, reference);
    let centre = (group.selected * rest(reference) / (rest(group) * reference.selected)).ln();
    let variance = [group, reference]
        .iter()
        .map(|proportion| 1.0 / proportion.selected + 1.0 / rest(*proportion))
        .sum();
    around_logarithm(value, centre, variance, confidence)
}

/// The difference of two proportions with the hybrid score interval, within `[-1, 1]`.
///
/// Newcombe, R. G. (1998), "Interval estimation for the difference between independent
/// proportions: comparison of eleven methods", Statistics in Medicine 17, 873-890, method 10.
pub(crate) fn difference(
    group: Proportion,
    reference: Proportion,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let group = group.wilson(confidence).ok_or(Undefined::NotFinite)?;
    let reference = reference.wilson(confidence).ok_or(Undefined::NotFinite)?;
    let found = weighted_sum(&[(1.0, group), (-1.0, reference)])?;
    found.within(-1.0, 1.0)
}

/// The weighted sum of independent estimates, with limits recovered from the variance that their own
/// limits show (MOVER).
///
/// Zou, G. Y. and Donner, A. (2008), "Construction of confidence limits about effect measures: a
/// general approach", Statistics in Medicine 27, 1693-1702.
pub(crate) fn weighted_sum(terms: &[(f64, Interval)]) -> Result<Interval, Undefined> {
    let (mut value, mut below, mut above) = (0.0, 0.0, 0.0);
    for (weight, term) in terms {
        let down = weight * (term.value - term.lower);
        let up = weight * (term.upper - term.value);
        value += weight * term.value;
        let (down, up) = if *weight < 0.0 {
            (up, down)
        } else {
            (down, up)
        };
        below += down * down;
        above += up * up;
    }
    Interval::around(value, value - below.sqrt(), value + above.sqrt()).ok_or(Undefined::NotFinite)
}

/// Both proportions, with half counts if either lies at an end.
fn away_from_the_ends(group: Proportion, reference: Proportion) -> (Proportion, Proportion) {
    if group.is_extreme() || reference.is_extreme() {
        (group.with_half_counts(), reference.with_half_counts())
    } else {
        (group, reference)
    }
}

/// The large-sample variance of the logarithm of a proportion; written as one fraction, because
/// `1 / selected - 1 / total` cancels.
fn log_variance(proportion: Proportion) -> f64 {
    (proportion.total - proportion.selected) / (proportion.selected * proportion.total)
}

fn around_logarithm(
    value: f64,
    centre: f64,
    variance: f64,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let half_width = confidence.critical_value() * variance.sqrt();
    let (lower, upper) = ((centre - half_width).exp(), (centre + half_width).exp());
    Interval::around(value, lower, upper).ok_or(Undefined::NotFinite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence() -> Confidence {
        Confidence::try_from(0.95).unwrap()
    }

    #[test]
    fn a_negative_weight_swaps_the_limits() {
        let term = Interval {
            value: 1.0,
            lower: 0.0,
            upper: 3.0,
        };
        let found = weighted_sum(&[(-2.0, term)]).unwrap();
        assert_eq!((found.value, found.lower, found.upper), (-2.0, -6.0, 0.0));
    }

    #[test]
    fn the_odds_ratio_of_the_published_table_is_the_published_one() {
        // SolasAI's public example: Black 141 of 340 approved, White 1854 of 3623.
        let black = Proportion::new(141, 340).unwrap();
        let white = Proportion::new(1854, 3623).unwrap();
        let found = odds_ratio(black, white, confidence()).unwrap();
        assert!((found.value - 0.676_058).abs() < 5e-7, "{found:?}");
    }

    #[test]
    fn odds_against_certainty_are_undefined() {
        let all = Proportion::new(5, 5).unwrap();
        let some = Proportion::new(2, 5).unwrap();
        assert_eq!(
            odds_ratio(all, some, confidence()),
            Err(Undefined::ZeroDenominator)
        );
        let none = odds_ratio(some, all, confidence()).unwrap();
        assert!(none.value.abs() < 1e-15 && none.upper > 0.0);
    }
}
