//! Performance that is expected before outcomes are known, from calibrated probabilities.
//!
//! If a probability `p` of repaying is calibrated, an approval is right with probability `p` and a refusal
//! with `1 - p`; summing gives an expected confusion matrix. This is confidence-based performance estimation
//! (Białek, Kuberski, Perrakis and Bifet (2023), "Estimating model performance under covariate shift without
//! labels", arXiv 2401.08348).
//!
//! It holds as long as calibration holds. It does not see that repayment itself changed, and for refused
//! applicants calibration was never tested: nobody knows how they would have repaid.

use fcs_core::Probability;
use serde::{Deserialize, Serialize};

use crate::calibration::{BINS, InvalidBins, bin_of, parts_per_million};

const ONE_PPM: u64 = 1_000_000;
const PARTS_PER_MILLION: f64 = 1_000_000.0;

/// The counters of one bin of predicted default probability; additive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedBin {
    /// Approved applicants.
    pub approved: u64,
    /// Refused applicants, those referred to a person among them.
    pub refused: u64,
    /// Sum of the default probabilities of the approved, in integer parts per million.
    pub approved_default_ppm: u64,
    /// Sum of the default probabilities of the refused, in integer parts per million.
    pub refused_default_ppm: u64,
}

impl ExpectedBin {
    /// Adds the counters of other applicants.
    pub fn merge(&mut self, other: &Self) {
        self.approved = self.approved.saturating_add(other.approved);
        self.refused = self.refused.saturating_add(other.refused);
        self.approved_default_ppm = self
            .approved_default_ppm
            .saturating_add(other.approved_default_ppm);
        self.refused_default_ppm = self
            .refused_default_ppm
            .saturating_add(other.refused_default_ppm);
    }
}

/// Decisions and predicted probabilities in [`BINS`] bins; exact under merging.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<ExpectedBin>", into = "Vec<ExpectedBin>")]
pub struct ExpectedOutcomes {
    /// Always [`BINS`] long.
    bins: Vec<ExpectedBin>,
}

impl Default for ExpectedOutcomes {
    fn default() -> Self {
        Self {
            bins: vec![ExpectedBin::default(); BINS],
        }
    }
}

impl From<ExpectedOutcomes> for Vec<ExpectedBin> {
    fn from(outcomes: ExpectedOutcomes) -> Self {
        outcomes.bins
    }
}

impl TryFrom<Vec<ExpectedBin>> for ExpectedOutcomes {
    type Error = InvalidBins;

    fn try_from(bins: Vec<ExpectedBin>) -> Result<Self, InvalidBins> {
        if bins.len() == BINS {
            Ok(Self { bins })
        } else {
            Err(InvalidBins::Count { count: bins.len() })
        }
    }
}

impl ExpectedOutcomes {
    /// Counts a decision with its calibrated probability of default.
    pub fn record(&mut self, default: Probability, approved: bool) {
        let default_ppm = parts_per_million(default);
        let bin = if approved {
            ExpectedBin {
                approved: 1,
                approved_default_ppm: default_ppm,
                ..ExpectedBin::default()
            }
        } else {
            ExpectedBin {
                refused: 1,
                refused_default_ppm: default_ppm,
                ..ExpectedBin::default()
            }
        };
        self.bins[bin_of(default)].merge(&bin);
    }

    /// Adds the counters of other applicants.
    pub fn merge(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.merge(other);
        }
    }

    /// The expected performance; `None` without decisions.
    pub fn estimate(&self) -> Option<ExpectedPerformance> {
        let mut all = ExpectedBin::default();
        for bin in &self.bins {
            all.merge(bin);
        }
        let confusion = ExpectedConfusion::of(&all);
        let decisions = all.approved.saturating_add(all.refused);
        (decisions > 0).then(|| ExpectedPerformance {
            decisions,
            confusion,
            accuracy: (confusion.true_positives + confusion.true_negatives) / decisions as f64,
            precision: share(confusion.true_positives, confusion.false_positives),
            recall: share(confusion.true_positives, confusion.false_negatives),
            false_positive_rate: share(confusion.false_positives, confusion.true_negatives),
            auc: self.auc(),
        })
    }

    /// The expected probability that a random defaulter has a higher predicted probability than a random
    /// repayer, ties in a bin counting one half. `None` if no default or no repayment is expected.
    fn auc(&self) -> Option<f64> {
        let (mut repaid_below, mut concordant, mut defaulted) = (0.0, 0.0, 0.0);
        for bin in &self.bins {
            let of_bin = ExpectedConfusion::of(bin);
            let bin_repaid = of_bin.true_positives + of_bin.false_negatives;
            let bin_defaulted = of_bin.false_positives + of_bin.true_negatives;
            concordant += bin_defaulted * (repaid_below + bin_repaid / 2.0);
            repaid_below += bin_repaid;
            defaulted += bin_defaulted;
        }
        let pairs = repaid_below * defaulted;
        (pairs > 0.0).then(|| concordant / pairs)
    }
}

fn share(part: f64, rest: f64) -> Option<f64> {
    let whole = part + rest;
    (whole > 0.0).then(|| part / whole)
}

/// An expected confusion matrix; repayment is the positive outcome, approval the positive decision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpectedConfusion {
    /// Approved and expected to repay.
    pub true_positives: f64,
    /// Approved and expected to default.
    pub false_positives: f64,
    /// Refused and expected to repay.
    pub false_negatives: f64,
    /// Refused and expected to default.
    pub true_negatives: f64,
}

impl ExpectedConfusion {
    fn of(bin: &ExpectedBin) -> Self {
        let repaid = |count: u64, default_ppm: u64| {
            let repaid_ppm = count.saturating_mul(ONE_PPM).saturating_sub(default_ppm);
            repaid_ppm as f64 / PARTS_PER_MILLION
        };
        Self {
            true_positives: repaid(bin.approved, bin.approved_default_ppm),
            false_positives: bin.approved_default_ppm as f64 / PARTS_PER_MILLION,
            false_negatives: repaid(bin.refused, bin.refused_default_ppm),
            true_negatives: bin.refused_default_ppm as f64 / PARTS_PER_MILLION,
        }
    }
}

/// Performance that is expected if probabilities are calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpectedPerformance {
    /// The decisions.
    pub decisions: u64,
    /// The matrix that the rest follows from.
    pub confusion: ExpectedConfusion,
    /// The share of right decisions.
    pub accuracy: f64,
    /// The share of the approved who repay.
    pub precision: Option<f64>,
    /// The share of those who would repay who are approved.
    pub recall: Option<f64>,
    /// The share of those who would default who are approved.
    pub false_positive_rate: Option<f64>,
    /// How well probabilities order applicants.
    pub auc: Option<f64>,
}

/// The band in which a metric stayed on reference chunks: mean and three standard deviations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferenceBand {
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

impl ReferenceBand {
    /// From the *realised* metric on at least two chunks of the reference; sample standard deviation.
    pub fn of_chunks(realised: &[f64]) -> Option<Self> {
        let size = realised.len() as f64;
        if realised.len() < 2 || realised.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mean = realised.iter().sum::<f64>() / size;
        let squares: f64 = realised.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / (size - 1.0)).sqrt();
        Some(Self {
            lower: mean - 3.0 * deviation,
            upper: mean + 3.0 * deviation,
        })
    }

    /// Whether a metric is as on the reference.
    pub fn contains(&self, value: f64) -> bool {
        (self.lower..=self.upper).contains(&value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(decisions: &[(f64, bool)]) -> ExpectedOutcomes {
        let mut outcomes = ExpectedOutcomes::default();
        for (default, approved) in decisions {
            outcomes.record(Probability::try_from(*default).unwrap(), *approved);
        }
        outcomes
    }

    #[test]
    fn a_small_matrix_by_hand() {
        let estimate = counted(&[(0.1, true), (0.2, true), (0.7, false)])
            .estimate()
            .unwrap();
        let confusion = estimate.confusion;
        assert!((confusion.true_positives - 1.7).abs() < 1e-12);
        assert!((confusion.false_positives - 0.3).abs() < 1e-12);
        assert!((confusion.false_negatives - 0.3).abs() < 1e-12);
        assert!((confusion.true_negatives - 0.7).abs() < 1e-12);
        assert!((estimate.accuracy - 0.8).abs() < 1e-12);
        assert!((estimate.precision.unwrap() - 0.85).abs() < 1e-12);
        assert!((estimate.recall.unwrap() - 0.85).abs() < 1e-12);
        assert!((estimate.false_positive_rate.unwrap() - 0.3).abs() < 1e-12);
    }

    #[test]
    fn what_is_undefined_is_none() {
        assert_eq!(ExpectedOutcomes::default().estimate(), None);
        let refused = counted(&[(1.0, false)]).estimate().unwrap();
        assert_eq!(
            (refused.precision, refused.recall, refused.auc),
            (None, None, None)
        );
        assert!(serde_json::from_str::<ExpectedOutcomes>("[]").is_err());
    }

    #[test]
    fn merging_is_counting_the_whole() {
        let all = [(0.1, true), (0.25, false), (0.33, true), (0.9, false)];
        let mut merged = counted(&all[2..]);
        merged.merge(&counted(&all[..2]));
        assert_eq!(merged, counted(&all));
    }

    #[test]
    fn a_band_is_three_deviations_wide_on_both_sides() {
        let band = ReferenceBand::of_chunks(&[0.8, 0.9, 1.0]).unwrap();
        assert!((band.lower - 0.6).abs() < 1e-12 && (band.upper - 1.2).abs() < 1e-12);
        assert!(band.contains(0.7) && !band.contains(0.5) && !band.contains(f64::NAN));
        assert_eq!(ReferenceBand::of_chunks(&[0.8]), None);
        assert_eq!(ReferenceBand::of_chunks(&[0.8, f64::NAN]), None);
    }
}
