//! How well scores tell repayers from defaulters within one group, where outcomes are known.

use crate::scores::Sample;
use crate::{Confidence, Interval, Undefined};

/// Area under the ROC curve: the probability that a repayer scores higher than a defaulter, ties
/// counting half (Mann-Whitney). Exact for exact scores; in bins, members of a bin count as tied.
///
/// Limits: DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988), "Comparing the areas under
/// two or more correlated receiver operating characteristic curves", Biometrics 44, 837-845. Where
/// its variance is zero (perfect separation, or one score): Newcombe, R. G. (2006), "Confidence
/// intervals for an effect size measure based on the Mann-Whitney statistic. Part 2", Statistics in
/// Medicine 25, 559-573, method 5.
pub fn area_under_curve(sample: &Sample, confidence: Confidence) -> Result<Interval, Undefined> {
    let curve = Curve::new(sample)?;
    let value = curve.area();
    let variance = curve.delong_variance(value);
    if variance <= f64::EPSILON * f64::EPSILON {
        return newcombe(value, &curve, confidence);
    }
    let half_width = confidence.critical_value() * variance.sqrt();
    Interval::around(value, value - half_width, value + half_width)
        .ok_or(Undefined::NotFinite)?
        .within(0.0, 1.0)
}

/// Gini coefficient of discrimination: `2 AUC - 1`, the convention of credit scoring.
pub fn gini(sample: &Sample, confidence: Confidence) -> Result<Interval, Undefined> {
    area_under_curve(sample, confidence)?.scaled(2.0, -1.0)
}

/// Kolmogorov-Smirnov separation of repayers and defaulters: the largest distance of their two
/// distributions of scores. In bins it is the largest distance at an edge, at most the exact one.
///
/// Limits: each distribution within its band of Dvoretzky-Kiefer-Wolfowitz with Massart's constant
/// (Massart, P. (1990), Annals of Probability 18, 1269-1283), each at half of the error.
pub fn kolmogorov_smirnov(sample: &Sample, confidence: Confidence) -> Result<Interval, Undefined> {
    let curve = Curve::new(sample)?;
    kolmogorov_distance(&curve.steps, confidence)
}

/// The largest distance of two cumulative distributions given as counts at ascending points.
pub(crate) fn kolmogorov_distance(
    steps: &[(f64, f64)],
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let (total_one, total_other) = totals(steps);
    if total_one <= 0.0 || total_other <= 0.0 {
        return Err(Undefined::NoScores);
    }
    let (mut one, mut other, mut largest) = (0.0, 0.0, 0.0_f64);
    for step in steps {
        one += step.0;
        other += step.1;
        largest = largest.max((one / total_one - other / total_other).abs());
    }
    let error = 1.0 - confidence.divided_among(2).get();
    let band = |size: f64| ((2.0 / error).ln() / (2.0 * size)).sqrt();
    let width = band(total_one) + band(total_other);
    Interval::around(largest, largest - width, largest + width)
        .ok_or(Undefined::NotFinite)?
        .within(0.0, 1.0)
}

fn totals(steps: &[(f64, f64)]) -> (f64, f64) {
    steps
        .iter()
        .fold((0.0, 0.0), |sum, step| (sum.0 + step.0, sum.1 + step.1))
}

/// Repayers and defaulters at each ascending point.
struct Curve {
    steps: Vec<(f64, f64)>,
    repaid: f64,
    defaulted: f64,
}

impl Curve {
    fn new(sample: &Sample) -> Result<Self, Undefined> {
        let counts = |point: &crate::scores::Point| (point.repaid.count, point.defaulted.count);
        let steps: Vec<(f64, f64)> = sample.points.iter().map(counts).collect();
        let (repaid, defaulted) = (sample.repaid.count, sample.defaulted.count);
        if repaid + defaulted <= 0.0 {
            return Err(Undefined::NoOutcomes);
        }
        if repaid <= 0.0 || defaulted <= 0.0 {
            return Err(Undefined::OneOutcomeOnly);
        }
        Ok(Self {
            steps,
            repaid,
            defaulted,
        })
    }

    /// `sum_b repaid_b (defaulted below b + defaulted in b / 2) / (repaid defaulted)`.
    fn area(&self) -> f64 {
        let (mut below, mut wins) = (0.0, 0.0);
        for (repaid, defaulted) in &self.steps {
            wins += repaid * (below + defaulted / 2.0);
            below += defaulted;
        }
        wins / (self.repaid * self.defaulted)
    }

    /// The variance of the area from the placements of each repayer among defaulters and of each
    /// defaulter among repayers.
    fn delong_variance(&self, area: f64) -> f64 {
        let (mut defaulted_below, mut repaid_below) = (0.0, 0.0);
        let (mut of_repaid, mut of_defaulted) = (0.0, 0.0);
        for (repaid, defaulted) in &self.steps {
            let placement = (defaulted_below + defaulted / 2.0) / self.defaulted;
            of_repaid += repaid * (placement - area).powi(2);
            let placement = (self.repaid - repaid_below - repaid / 2.0) / self.repaid;
            of_defaulted += defaulted * (placement - area).powi(2);
            defaulted_below += defaulted;
            repaid_below += repaid;
        }
        let part = |squares: f64, size: f64| {
            if size > 1.0 {
                squares / (size - 1.0) / size
            } else {
                0.0
            }
        };
        part(of_repaid, self.repaid) + part(of_defaulted, self.defaulted)
    }
}

/// Newcombe's method 5: the areas from which the observed one is not too far, given the variance that
/// they would have.
fn newcombe(value: f64, curve: &Curve, confidence: Confidence) -> Result<Interval, Undefined> {
    let (one, other) = (curve.repaid, curve.defaulted);
    let half = f64::midpoint(one, other) - 1.0;
    let too_far = |area: f64| {
        let spread = 1.0 + half * (1.0 - area) / (2.0 - area) + half * area / (1.0 + area);
        let variance = area * (1.0 - area) * spread / (one * other);
        (area - value).powi(2) > confidence.critical_value().powi(2) * variance
    };
    // The limit between an area that is near and one that is too far, by halving.
    let limit = |end: f64| {
        let (mut near, mut far) = (value, end);
        for _ in 0..100 {
            let middle = f64::midpoint(near, far);
            if too_far(middle) {
                far = middle;
            } else {
                near = middle;
            }
        }
        near
    };
    // At 0 and 1 the variance vanishes, so the value itself would count as its own limit: step off it.
    let inside = value.clamp(1e-12, 1.0 - 1e-12);
    if too_far(inside) {
        return Err(Undefined::NotFinite);
    }
    Interval::around(value, limit(0.0), limit(1.0)).ok_or(Undefined::NotFinite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::tests::confidence;
    use crate::scores::{ExactScores, FiniteScore, Population, Scores};
    use crate::tally::{Decision, Outcome};

    fn sample(repaid: &[f64], defaulted: &[f64]) -> Result<Sample, Undefined> {
        let mut scores = ExactScores::default();
        for (values, outcome) in [(repaid, Outcome::Repaid), (defaulted, Outcome::Defaulted)] {
            for value in values {
                let score = FiniteScore::try_from(*value).unwrap();
                scores.record(score, Decision::Approve, Some(outcome), 1);
            }
        }
        Sample::new(&Scores::Exact(scores), Population::ApprovedWithKnownOutcome)
    }

    fn area(repaid: &[f64], defaulted: &[f64]) -> Result<Interval, Undefined> {
        area_under_curve(&sample(repaid, defaulted)?, confidence())
    }

    #[test]
    fn the_area_counts_pairs_and_half_of_ties() {
        // Pairs: .9 > .5, .9 > .7, .7 > .5, and .7 = .7.
        let found = area(&[0.9, 0.7], &[0.5, 0.7]).unwrap();
        assert!((found.value - 3.5 / 4.0).abs() < 1e-15, "{found:?}");
    }

    /// The limits are Newcombe's by scipy's root finder (`newcombe` in `tests/golden/metrics`).
    #[test]
    fn perfect_separation_is_not_certain() {
        let up = area(&[0.9, 0.8, 0.7], &[0.1, 0.2, 0.3]).unwrap();
        assert!((up.value - 1.0).abs() < 1e-15, "{up:?}");
        assert!((up.lower - 0.501_018_760_701_530_1).abs() < 1e-9, "{up:?}");
        let down = area(&[0.1, 0.2, 0.3], &[0.9, 0.8, 0.7]).unwrap();
        assert!(down.value.abs() < 1e-15 && (down.upper + up.lower - 1.0).abs() < 1e-9);
        let flat = area(&[0.5; 9], &[0.5; 9]).unwrap();
        assert!(
            (flat.lower - 0.263_729_309_195_815_2).abs() < 1e-9,
            "{flat:?}"
        );
        assert!(
            (flat.upper - 0.736_270_690_804_184_8).abs() < 1e-9,
            "{flat:?}"
        );
    }

    #[test]
    fn one_outcome_alone_has_no_area() {
        assert_eq!(area(&[0.5], &[]), Err(Undefined::OneOutcomeOnly));
        assert_eq!(area(&[], &[]), Err(Undefined::NoScores));
    }

    #[test]
    fn the_separation_is_the_largest_distance() {
        let sample = sample(&[0.4, 0.6, 0.8, 0.9], &[0.1, 0.2, 0.5, 0.7]).unwrap();
        let found = kolmogorov_smirnov(&sample, confidence()).unwrap();
        assert!((found.value - 0.5).abs() < 1e-15, "{found:?}");
        let gini = gini(&sample, confidence()).unwrap();
        assert!(
            (gini.value - (2.0 * 13.0 / 16.0 - 1.0)).abs() < 1e-15,
            "{gini:?}"
        );
    }
}
