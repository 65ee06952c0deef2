//! Whether predicted default probabilities agree with what happened, among the approved.

use fcs_core::Probability;
use serde::{Deserialize, Serialize};

use crate::proportion::Proportion;
use crate::{Confidence, Interval};

/// The number of equal bins of predicted probability that are counted.
pub const BINS: usize = 100;

/// The number of equal bins that a report shows.
const DECILES: usize = 10;
/// Probabilities are summed in integer parts per million, so that merging is exact.
const PARTS_PER_MILLION: f64 = 1_000_000.0;
/// The width of one of [`BINS`] bins in parts per million.
const BIN_WIDTH_PPM: u64 = 10_000;

/// The counters of one bin; additive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Approved applicants with a known outcome.
    pub labelled: u64,
    /// Those of them who defaulted.
    pub defaulted: u64,
    /// Sum of their predicted probabilities, each rounded to integer parts per million.
    pub predicted_sum_ppm: u64,
}

impl CalibrationBin {
    /// Adds the counters of other applicants.
    pub fn merge(&mut self, other: &Self) {
        self.labelled = self.labelled.saturating_add(other.labelled);
        self.defaulted = self.defaulted.saturating_add(other.defaulted);
        self.predicted_sum_ppm = self
            .predicted_sum_ppm
            .saturating_add(other.predicted_sum_ppm);
    }

    fn mean_predicted(&self) -> Option<f64> {
        let predicted_sum = self.predicted_sum_ppm as f64 / PARTS_PER_MILLION;
        (self.labelled > 0).then(|| predicted_sum / self.labelled as f64)
    }

    fn realised(&self, confidence: Confidence) -> Option<Interval> {
        Proportion::new(self.defaulted, self.labelled)?.wilson(confidence)
    }
}

/// Predicted against realised defaults in [`BINS`] bins; exact under merging.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<CalibrationBin>", into = "Vec<CalibrationBin>")]
pub struct CalibrationBins {
    /// Always [`BINS`] long.
    bins: Vec<CalibrationBin>,
}

impl Default for CalibrationBins {
    fn default() -> Self {
        Self {
            bins: vec![CalibrationBin::default(); BINS],
        }
    }
}

impl CalibrationBins {
    /// Counts one approved applicant whose outcome became known.
    pub fn record(&mut self, predicted: Probability, defaulted: bool) {
        let bin = CalibrationBin {
            labelled: 1,
            defaulted: u64::from(defaulted),
            predicted_sum_ppm: parts_per_million(predicted),
        };
        self.bins[bin_of(predicted)].merge(&bin);
    }

    /// Adds the counters of other applicants.
    pub fn merge(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.merge(other);
        }
    }

    /// Adds the counters of one bin, for example a stored row. Fails if `index` is not below [`BINS`].
    pub fn merge_bin(&mut self, index: usize, other: &CalibrationBin) -> Result<(), InvalidBins> {
        let bin = self
            .bins
            .get_mut(index)
            .ok_or(InvalidBins::Index { index })?;
        bin.merge(other);
        Ok(())
    }

    /// The bins in ascending order of probability; [`BINS`] of them.
    pub fn bins(&self) -> &[CalibrationBin] {
        &self.bins
    }

    /// Compares predictions with outcomes, over all and in ten bins of width 0.1.
    pub fn report(&self, confidence: Confidence) -> CalibrationReport {
        let mut total = CalibrationBin::default();
        let mut deciles = Vec::with_capacity(DECILES);
        for (index, members) in self.bins.chunks(BINS / DECILES).enumerate() {
            let mut decile = CalibrationBin::default();
            for bin in members {
                decile.merge(bin);
            }
            total.merge(&decile);
            deciles.push((index, decile));
        }
        CalibrationReport {
            labelled: total.labelled,
            mean_predicted: total.mean_predicted(),
            mean_realised: total.realised(confidence),
            expected_calibration_error: expected_calibration_error(&deciles, total.labelled),
            bins: deciles
                .iter()
                .map(|(index, bin)| decile_report(*index, bin, confidence))
                .collect(),
        }
    }
}

impl TryFrom<Vec<CalibrationBin>> for CalibrationBins {
    type Error = InvalidBins;

    fn try_from(bins: Vec<CalibrationBin>) -> Result<Self, InvalidBins> {
        if bins.len() == BINS {
            Ok(Self { bins })
        } else {
            Err(InvalidBins::Count { count: bins.len() })
        }
    }
}

impl From<CalibrationBins> for Vec<CalibrationBin> {
    fn from(calibration: CalibrationBins) -> Self {
        calibration.bins
    }
}

/// Counters that do not fit the bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBins {
    /// There is no bin with this index.
    #[error("calibration bin {index} does not exist: the last one is {}", BINS - 1)]
    Index {
        /// The index asked for.
        index: usize,
    },
    /// The list has another length.
    #[error("expected {BINS} calibration bins, found {count}")]
    Count {
        /// The number of bins found.
        count: usize,
    },
}

/// The bin of a predicted probability, `0..BINS`; 1.0 belongs to the last bin.
///
/// The probability is first rounded to parts per million, as for its sum. So 0.29 falls into bin 29,
/// although the nearest binary number lies below it, and the mean of a bin lies within the bin.
pub fn bin_of(predicted: Probability) -> usize {
    let bin = usize::try_from(parts_per_million(predicted) / BIN_WIDTH_PPM)
        .expect("at most 100, because a probability is at most one million parts per million");
    bin.min(BINS - 1)
}

/// A probability in parts per million, rounded to the nearest integer.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a probability is within [0, 1], so the product is within [0, 1 000 000]"
)]
pub(crate) fn parts_per_million(predicted: Probability) -> u64 {
    (f64::from(predicted) * PARTS_PER_MILLION).round() as u64
}

/// Predicted against realised defaults. It covers approved applicants only: for the others the
/// outcome is never observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationReport {
    /// Approved applicants with a known outcome.
    pub labelled: u64,
    /// The mean predicted probability of default.
    pub mean_predicted: Option<f64>,
    /// The realised share of defaults, with its Wilson score interval.
    pub mean_realised: Option<Interval>,
    /// The distance between prediction and outcome over the ten bins of this report, weighted by
    /// applicants. Naeini, M. P., Cooper, G. F. and Hauskrecht, M. (2015), "Obtaining well
    /// calibrated probabilities using Bayesian binning", AAAI 29.
    pub expected_calibration_error: Option<f64>,
    /// Ten bins of width 0.1, in ascending order.
    pub bins: Vec<CalibrationDecile>,
}

/// One bin of a [`CalibrationReport`]: `from <= probability < to`, the last one including 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationDecile {
    /// The lowest predicted probability of the bin.
    pub from: f64,
    /// The predicted probability where the next bin begins.
    pub to: f64,
    /// Approved applicants with a known outcome.
    pub labelled: u64,
    /// The mean predicted probability of default.
    pub mean_predicted: Option<f64>,
    /// The realised share of defaults, with its Wilson score interval.
    pub realised: Option<Interval>,
}

fn expected_calibration_error(deciles: &[(usize, CalibrationBin)], labelled: u64) -> Option<f64> {
    let mut distance_sum = 0.0;
    for (_, bin) in deciles {
        // The bin's weight times its distance; the applicants of the bin cancel out.
        let predicted_sum = bin.predicted_sum_ppm as f64 / PARTS_PER_MILLION;
        distance_sum += (predicted_sum - bin.defaulted as f64).abs();
    }
    (labelled > 0).then(|| distance_sum / labelled as f64)
}

fn decile_report(index: usize, bin: &CalibrationBin, confidence: Confidence) -> CalibrationDecile {
    CalibrationDecile {
        from: index as f64 / DECILES as f64,
        to: (index + 1) as f64 / DECILES as f64,
        labelled: bin.labelled,
        mean_predicted: bin.mean_predicted(),
        realised: bin.realised(confidence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probability(value: f64) -> Probability {
        Probability::try_from(value).unwrap()
    }

    #[test]
    fn bins_are_hundredths_and_one_belongs_to_the_last() {
        for hundredth in 0..BINS {
            assert_eq!(bin_of(probability(hundredth as f64 / 100.0)), hundredth);
        }
        assert_eq!(bin_of(probability(1.0)), 99);
        assert_eq!(bin_of(probability(0.009_999)), 0);
        // Rounded to parts per million this is 0.01.
        assert_eq!(bin_of(probability(0.009_999_6)), 1);
    }

    #[test]
    fn a_perfectly_calibrated_bin_has_no_error_and_a_wrong_one_its_distance() {
        let confidence = Confidence::try_from(0.95).unwrap();
        let mut bins = CalibrationBins::default();
        for defaulted in [true, false, false, false] {
            bins.record(probability(0.25), defaulted);
        }
        assert_eq!(
            bins.report(confidence).expected_calibration_error,
            Some(0.0)
        );
        for _ in 0..4 {
            bins.record(probability(0.75), true);
        }
        let report = bins.report(confidence);
        assert_eq!(report.expected_calibration_error, Some(0.125));
        assert_eq!(report.mean_predicted, Some(0.5));
        assert_eq!(
            report.mean_realised.map(|realised| realised.value),
            Some(0.625)
        );
        assert_eq!(report.bins[2].labelled, 4);
    }

    #[test]
    fn nothing_is_defined_without_outcomes() {
        let report = CalibrationBins::default().report(Confidence::try_from(0.95).unwrap());
        assert_eq!(report.labelled, 0);
        assert_eq!((report.mean_predicted, report.mean_realised), (None, None));
        assert_eq!(report.expected_calibration_error, None);
        assert!(report.bins.iter().all(|bin| bin.realised.is_none()));
    }

    #[test]
    fn counters_that_do_not_fit_are_refused() {
        let mut bins = CalibrationBins::default();
        let error = bins.merge_bin(BINS, &CalibrationBin::default());
        assert_eq!(error, Err(InvalidBins::Index { index: BINS }));
        let short = CalibrationBins::try_from(vec![CalibrationBin::default(); 3]);
        assert_eq!(short, Err(InvalidBins::Count { count: 3 }));
    }
}
