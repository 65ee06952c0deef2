//! Whether scores that are probabilities of repayment agree with outcomes within one group.
//!
//! "Calibration within groups": Kleinberg, J., Mullainathan, S. and Raghavan, M. (2017), "Inherent
//! trade-offs in the fair determination of risk scores", ITCS 8. Scores count as given; limits cover
//! the chance in outcomes.

use crate::proportion::Proportion;
use crate::scores::{Point, Population, Sample, Scores};
use crate::{Confidence, Interval, Undefined};

/// Expected calibration error over ten bins of width 0.1: the distance of mean outcome and mean score
/// in each bin, weighted by applicants; within `[0, 1]`.
///
/// Naeini, M. P., Cooper, G. F. and Hauskrecht, M. (2015), "Obtaining well calibrated probabilities
/// using Bayesian binning", AAAI 29. Limits: Wilson limits of every bin's outcome that hold together
/// (the error is divided among the bins); conservative, because all bins would have to be wrong the
/// same way.
pub fn expected_calibration_error(
    scores: &Scores,
    population: Population,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let sample = probabilities(scores, population)?;
    let bins = sample.deciles();
    let each = confidence.divided_among(bins.len());
    let total = sample.moment().count;
    let (mut value, mut lower, mut upper) = (0.0, 0.0, 0.0);
    for bin in &bins {
        let known = bin.known();
        let distance = repayment(bin)
            .interval(each)?
            .scaled(1.0, -known.mean)?
            .absolute();
        let weight = known.count / total;
        value += weight * distance.value;
        lower += weight * distance.lower;
        upper += weight * distance.upper;
    }
    Interval::around(value, lower, upper)
        .ok_or(Undefined::NotFinite)?
        .within(0.0, 1.0)
}

/// Brier score: the mean squared distance of score and outcome; within `[0, 1]`, lower is better.
///
/// Brier, G. W. (1950), "Verification of forecasts expressed in terms of probability", Monthly Weather
/// Review 78, 1-3. Limits: the score interval with the largest variance that a mean of numbers in
/// `[0, 1]` allows, `b (1 - b)` (Bhatia, R. and Davis, C. (2000), "A better bound on the variance",
/// American Mathematical Monthly 107, 353-357); conservative, and needs no fourth moments.
pub fn brier_score(
    scores: &Scores,
    population: Population,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let sample = probabilities(scores, population)?;
    let (repaid, defaulted) = (sample.repaid(), sample.defaulted());
    let total = repaid.count + defaulted.count;
    let mut squares = 0.0;
    for (moment, outcome) in [(repaid, 1.0), (defaulted, 0.0)] {
        if moment.count > 0.0 {
            squares += moment.count * moment.mean_square_from(outcome);
        }
    }
    let bounded = Proportion {
        selected: squares,
        total,
    };
    bounded.interval(confidence)
}

/// Calibration in the large: mean outcome minus mean score, within `[-1, 1]`; positive when more repay
/// than the scores said. Limits: Wilson limits of the mean outcome.
pub fn calibration_in_the_large(
    scores: &Scores,
    population: Population,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    let sample = probabilities(scores, population)?;
    let (repaid, all) = (sample.repaid(), sample.moment());
    let outcome = Proportion {
        selected: repaid.count,
        total: all.count,
    };
    outcome.interval(confidence)?.scaled(1.0, -all.mean)
}

fn repayment(bin: &Point) -> Proportion {
    Proportion {
        selected: bin.repaid.count,
        total: bin.known().count,
    }
}

/// A sample whose outcomes are all known and whose scores are probabilities.
fn probabilities(scores: &Scores, population: Population) -> Result<Sample, Undefined> {
    if population == Population::AllDecisions {
        return Err(Undefined::NoOutcomes);
    }
    let sample = Sample::new(scores, population)?;
    if sample.is_probability {
        Ok(sample)
    } else {
        Err(Undefined::NotProbabilities)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::tests::confidence;
    use crate::scores::ExactScores;
    use crate::tally::{Decision, Outcome};

    fn scores(rows: &[(f64, Outcome)]) -> Scores {
        let mut scores = ExactScores::default();
        for (score, outcome) in rows {
            let recorded = scores.record(*score, Decision::Approve, Some(*outcome), 1);
            recorded.unwrap();
        }
        Scores::Exact(scores)
    }

    const EVERYONE: Population = Population::KnownOutcome;

    #[test]
    fn each_error_is_the_textbook_one() {
        let scores = scores(&[
            (0.25, Outcome::Repaid),
            (0.25, Outcome::Defaulted),
            (0.75, Outcome::Repaid),
            (0.75, Outcome::Repaid),
        ]);
        let error = expected_calibration_error(&scores, EVERYONE, confidence()).unwrap();
        assert!((error.value - 0.25).abs() < 1e-15, "{error:?}");
        let brier = brier_score(&scores, EVERYONE, confidence()).unwrap();
        assert!((brier.value - (0.5625 + 0.0625 * 3.0) / 4.0).abs() < 1e-15);
        let large = calibration_in_the_large(&scores, EVERYONE, confidence()).unwrap();
        assert!((large.value - 0.25).abs() < 1e-15, "{large:?}");
    }

    #[test]
    fn points_are_not_probabilities() {
        let scores = scores(&[(650.0, Outcome::Repaid), (0.5, Outcome::Defaulted)]);
        for measure in [
            expected_calibration_error,
            brier_score,
            calibration_in_the_large,
        ] {
            let found = measure(&scores, EVERYONE, confidence());
            assert_eq!(found, Err(Undefined::NotProbabilities));
        }
    }
}
