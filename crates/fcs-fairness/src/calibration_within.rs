//! Whether scores that are probabilities of repayment agree with outcomes within one group.
//!
//! "Calibration within groups": Kleinberg, J., Mullainathan, S. and Raghavan, M. (2017), "Inherent
//! trade-offs in the fair determination of risk scores", ITCS 8. Scores count as given; limits cover
//! the chance in outcomes.

use crate::proportion::Proportion;
use crate::scores::{Point, Population, Sample};
use crate::{Confidence, Interval, Undefined};

/// Expected calibration error over ten bins of width 0.1: the distance of mean outcome and mean score
/// in each bin, weighted by applicants; within `[0, 1]`.
///
/// Naeini, M. P., Cooper, G. F. and Hauskrecht, M. (2015), "Obtaining well calibrated probabilities
/// using Bayesian binning", AAAI 29. Limits: Wilson limits of every bin's outcome that hold together
/// (the error is divided among the bins); conservative, because all bins would have to be wrong the
/// same way.
pub fn expected_calibration_error(
    sample: &Sample,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    check_probabilities(sample)?;
    let bins = sample.deciles();
    let each = confidence.divided_among(bins.len());
    let total = sample.all.count;
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
pub fn brier_score(sample: &Sample, confidence: Confidence) -> Result<Interval, Undefined> {
    check_probabilities(sample)?;
    let (repaid, defaulted) = (sample.repaid, sample.defaulted);
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
    sample: &Sample,
    confidence: Confidence,
) -> Result<Interval, Undefined> {
    check_probabilities(sample)?;
    let (repaid, all) = (sample.repaid, sample.all);
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

/// All outcomes must be known, and scores must be probabilities.
fn check_probabilities(sample: &Sample) -> Result<(), Undefined> {
    if sample.population == Population::AllDecisions {
        return Err(Undefined::NoOutcomes);
    }
    if sample.is_probability {
        Ok(())
    } else {
        Err(Undefined::NotProbabilities)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::tests::confidence;
    use crate::scores::{ExactScores, FiniteScore, Scores};
    use crate::tally::{Decision, Outcome};

    fn sample(rows: &[(f64, Outcome)], population: Population) -> Sample {
        let mut scores = ExactScores::default();
        for (score, outcome) in rows {
            let score = FiniteScore::try_from(*score).unwrap();
            scores.record(score, Decision::Approve, Some(*outcome), 1);
        }
        Sample::new(&Scores::Exact(scores), population).unwrap()
    }

    const EVERYONE: Population = Population::KnownOutcome;

    #[test]
    fn each_error_is_the_textbook_one() {
        let rows = [
            (0.25, Outcome::Repaid),
            (0.25, Outcome::Defaulted),
            (0.75, Outcome::Repaid),
            (0.75, Outcome::Repaid),
        ];
        let sample = sample(&rows, EVERYONE);
        let error = expected_calibration_error(&sample, confidence()).unwrap();
        assert!((error.value - 0.25).abs() < 1e-15, "{error:?}");
        let brier = brier_score(&sample, confidence()).unwrap();
        assert!((brier.value - (0.5625 + 0.0625 * 3.0) / 4.0).abs() < 1e-15);
        let large = calibration_in_the_large(&sample, confidence()).unwrap();
        assert!((large.value - 0.25).abs() < 1e-15, "{large:?}");
    }

    #[test]
    fn points_are_not_probabilities() {
        let rows = [(650.0, Outcome::Repaid), (0.5, Outcome::Defaulted)];
        let (points, unlabelled) = (
            sample(&rows, EVERYONE),
            sample(&rows, Population::AllDecisions),
        );
        for measure in [
            expected_calibration_error,
            brier_score,
            calibration_in_the_large,
        ] {
            let found = measure(&points, confidence());
            assert_eq!(found, Err(Undefined::NotProbabilities));
            let found = measure(&unlabelled, confidence());
            assert_eq!(found, Err(Undefined::NoOutcomes));
        }
    }
}
