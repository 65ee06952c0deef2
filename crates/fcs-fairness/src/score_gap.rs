//! Scores of two groups compared; no outcome is needed.

use crate::discrimination::kolmogorov_distance;
use crate::proportion::Proportion;
use crate::scores::{Moment, Sample};
use crate::undefined::Test;
use crate::{Confidence, Interval, Undefined, two_proportions};

/// Standardised mean difference: the mean score of the group minus that of the reference group, over
/// the population standard deviation of both together; negative when the group scores lower.
///
/// That denominator is the convention of lending practice; Cohen's d divides by the deviation within
/// groups. 0.30 here is what some tools print as 30. Limits: those of the difference in deviations
/// within groups with its large-sample variance (Hedges, L. V. and Olkin, I. (1985), "Statistical
/// Methods for Meta-Analysis", chapter 5), carried over to this denominator.
pub fn standardised_mean_difference(
    group: &Sample,
    reference: &Sample,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    standardised_difference(group.all, reference.all, confidence)
}

/// The formula of [`standardised_mean_difference`]. Undefined if scores vary within neither group:
/// then there is no measure of chance.
pub(crate) fn standardised_difference(
    group: Moment,
    reference: Moment,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let both = group.and(reference);
    let size = both.count;
    let variance_within = (group.squared_deviations + reference.squared_deviations) / size;
    let variance_in_total = both.squared_deviations / size;
    if variance_within <= 0.0 {
        return Err(Undefined::NoSpread);
    }
    let difference = group.mean - reference.mean;
    let within = difference / variance_within.sqrt();
    let variance = size / (group.count * reference.count) + within * within / (2.0 * size);
    let half_width = confidence.critical_value() * variance.sqrt();
    // `total = within / sqrt(1 + p q within^2)` rises with `within`, so limits keep their coverage.
    let share_product = group.count / size * (reference.count / size);
    let carry_over = |within: f64| within / (1.0 + share_product * within * within).sqrt();
    Interval::around(
        difference / variance_in_total.sqrt(),
        carry_over(within - half_width),
        carry_over(within + half_width),
    )
    .ok_or(Undefined::NotFinite)
}

/// Kolmogorov-Smirnov distance of the scores of two groups, with the limits of
/// [`crate::discrimination::kolmogorov_smirnov`]. Fails if the scores were counted in different ways.
pub fn kolmogorov_smirnov_distance(
    group: &Sample,
    reference: &Sample,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    kolmogorov_distance(&group.beside(reference)?, confidence)
}

/// The Kolmogorov-Smirnov test of equal distributions, by the limiting distribution
/// `Q(x) = 2 sum_k (-1)^(k-1) exp(-2 k^2 x^2)` at `x = D sqrt(n m / (n + m))`.
///
/// Smirnov, N. (1948), "Table for estimating the goodness of fit of empirical distributions", Annals
/// of Mathematical Statistics 19, 279-281. Conservative with ties, and so in bins.
pub fn kolmogorov_smirnov_test(group: &Sample, reference: &Sample) -> Result<Test, Undefined> {
    let steps = group.beside(reference)?;
    let any = Confidence::try_from(0.5).map_err(|_| Undefined::NotFinite)?;
    let distance = kolmogorov_distance(&steps, any)?.value;
    let (one, other) = (group.all.count, reference.all.count);
    Ok(Test {
        statistic: Some(distance),
        p_value: kolmogorov_tail(distance * (one * other / (one + other)).sqrt()),
    })
}

/// The probability that Kolmogorov's limiting variable exceeds `x`; the series that converges fast is
/// taken on either side of 1.
fn kolmogorov_tail(x: f64) -> f64 {
    use std::f64::consts::PI;
    // Below this the tail differs from 1 by less than 10^-100.
    if x < 0.07 {
        return 1.0;
    }
    let mut sum = 0.0;
    if x < 1.0 {
        for odd in [1.0, 3.0, 5.0, 7.0_f64] {
            sum += (-odd * odd * PI * PI / (8.0 * x * x)).exp();
        }
        return (1.0 - (2.0 * PI).sqrt() / x * sum).clamp(0.0, 1.0);
    }
    for (sign, k) in [
        (1.0, 1.0),
        (-1.0, 2.0),
        (1.0, 3.0),
        (-1.0, 4.0),
        (1.0, 5.0_f64),
    ] {
        sum += sign * (-2.0 * k * k * x * x).exp();
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

/// A cut of all scores, and the group's adverse impact ratio if everybody at or above it were approved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtQuantile {
    /// The share of all that the cut approves: at least the share asked for, more with ties or bins.
    pub share: f64,
    /// The adverse impact ratio at the cut.
    pub ratio: Result<Interval, Undefined>,
}

/// Adverse impact ratio by score quantile: if the best `share` of everybody's scores were approved.
///
/// `everyone` holds the scores of all groups. The cut is the highest score that at least that share
/// reaches. Katz interval, the cut taken as given.
pub fn adverse_impact_ratio_at(
    share: f64,
    group: &Sample,
    reference: &Sample,
    everyone: &Sample,
    confidence: Confidence,
) -> Result<AtQuantile, Undefined> {
    group.check_comparable(everyone)?;
    reference.check_comparable(everyone)?;
    let total = everyone.all.count;
    let (mut reached, mut cut) = (0.0, f64::INFINITY);
    for point in everyone.points.iter().rev() {
        if reached >= share * total {
            break;
        }
        reached += point.all().count;
        cut = point.key;
    }
    Ok(AtQuantile {
        share: reached / total,
        ratio: two_proportions::ratio(above(group, cut), above(reference, cut), confidence),
    })
}

fn above(sample: &Sample, cut: f64) -> Proportion {
    let best = sample.points.iter().rev();
    let reached = best.take_while(|point| point.key >= cut);
    Proportion {
        selected: reached.map(|point| point.all().count).sum(),
        total: sample.all.count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::tests::confidence;
    use crate::scores::{Edges, ExactScores, FiniteScore, Histogram, Population, Scores};
    use crate::tally::Decision;

    fn everyone(scores: &Scores) -> Sample {
        Sample::new(scores, Population::AllDecisions).unwrap()
    }

    fn scores(values: &[f64]) -> Sample {
        let mut scores = ExactScores::default();
        for value in values {
            let score = FiniteScore::try_from(*value).unwrap();
            scores.record(score, Decision::Deny, None, 1);
        }
        everyone(&Scores::Exact(scores))
    }

    #[test]
    fn the_difference_is_divided_by_the_deviation_of_everyone() {
        let found =
            standardised_mean_difference(&scores(&[0.0, 2.0]), &scores(&[4.0, 6.0]), confidence());
        let found = found.unwrap();
        assert!(
            (found.value + 4.0 / 5.0_f64.sqrt()).abs() < 1e-15,
            "{found:?}"
        );
        let flat = standardised_mean_difference(&scores(&[1.0]), &scores(&[2.0]), confidence());
        assert_eq!(flat, Err(Undefined::NoSpread));
    }

    #[test]
    fn the_tail_is_the_tabulated_one_and_both_series_meet() {
        // Smirnov's table: 1.36 leaves 0.049, 1.63 leaves 0.01.
        assert!((kolmogorov_tail(1.358_1) - 0.05).abs() < 1e-5);
        assert!((kolmogorov_tail(1.627_6) - 0.01).abs() < 1e-5);
        assert!((kolmogorov_tail(1.0) - kolmogorov_tail(1.0 - 1e-15)).abs() < 1e-14);
        assert!((kolmogorov_tail(0.0) - 1.0).abs() < 1e-15);
        assert!((kolmogorov_tail(0.07) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn ties_at_the_cut_are_all_approved() {
        let (group, reference) = (scores(&[0.1, 0.8, 0.8]), scores(&[0.2, 0.8, 0.9]));
        let everyone = scores(&[0.1, 0.8, 0.8, 0.2, 0.8, 0.9]);
        let at = |share| {
            adverse_impact_ratio_at(share, &group, &reference, &everyone, confidence()).unwrap()
        };
        let found = at(0.3);
        assert!((found.share - 4.0 / 6.0).abs() < 1e-15, "{found:?}");
        assert!((found.ratio.unwrap().value - 1.0).abs() < 1e-15);
        let top = at(0.1);
        assert!(top.ratio.unwrap().value.abs() < 1e-15, "{top:?}");
        assert!((at(1.0).share - 1.0).abs() < 1e-15);
    }

    #[test]
    fn scores_counted_in_different_ways_are_not_compared() {
        let mut histogram = Histogram::new(Edges::hundredths());
        let score = crate::scores::Score::from_millionths(5).unwrap();
        histogram.record(score, Decision::Deny, None, 1);
        let binned = everyone(&Scores::Binned(histogram));
        let found = kolmogorov_smirnov_test(&scores(&[0.1]), &binned);
        assert_eq!(found, Err(Undefined::DifferentBins));
    }
}
