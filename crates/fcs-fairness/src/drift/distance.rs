//! Distances between two distributions over the same bins.

use serde::{Deserialize, Serialize};

/// The shares of a reference and of now, over the same bins.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    reference: Vec<f64>,
    current: Vec<f64>,
    reference_size: f64,
    current_size: f64,
    /// Bins that hold something on either side.
    filled_bins: usize,
}

/// A population stability index, and how much of it is an assumption.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Psi {
    /// The index, natural logarithm.
    pub value: f64,
    /// Bins that are empty on one side only; there the index would be infinite, and half an observation is
    /// assumed instead.
    pub half_filled_bins: usize,
}

impl Shares {
    /// `None` if the numbers of bins differ, or either side holds nothing.
    pub fn new(reference: &[u64], current: &[u64]) -> Option<Self> {
        let total = |counts: &[u64]| counts.iter().map(|count| *count as f64).sum::<f64>();
        let (reference_size, current_size) = (total(reference), total(current));
        let comparable =
            reference.len() == current.len() && reference_size > 0.0 && current_size > 0.0;
        let shares =
            |counts: &[u64], size: f64| counts.iter().map(|count| *count as f64 / size).collect();
        let filled = |(one, other): &(&u64, &u64)| **one > 0 || **other > 0;
        comparable.then(|| Self {
            reference: shares(reference, reference_size),
            current: shares(current, current_size),
            reference_size,
            current_size,
            filled_bins: reference.iter().zip(current).filter(filled).count(),
        })
    }

    /// Bins that hold something on either side.
    pub fn filled_bins(&self) -> usize {
        self.filled_bins
    }

    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        self.reference
            .iter()
            .copied()
            .zip(self.current.iter().copied())
    }

    /// The population stability index `Σ (p - q) ln(p / q)`, also Jeffreys' divergence.
    ///
    /// Siddiqi, N. (2006), "Credit Risk Scorecards". A bin that is empty on one side counts half an
    /// observation there; bins that are empty on both sides count nothing.
    pub fn psi(&self) -> Psi {
        let (mut value, mut half_filled_bins) = (0.0, 0);
        for (reference, current) in self.pairs() {
            if reference <= 0.0 && current <= 0.0 {
                continue;
            }
            if reference <= 0.0 || current <= 0.0 {
                half_filled_bins += 1;
            }
            let reference = if reference > 0.0 {
                reference
            } else {
                0.5 / self.reference_size
            };
            let current = if current > 0.0 {
                current
            } else {
                0.5 / self.current_size
            };
            value += (reference - current) * (reference / current).ln();
        }
        Psi {
            value,
            half_filled_bins,
        }
    }

    /// The Jensen-Shannon distance, within `[0, 1]`: the square root of the divergence to base 2.
    ///
    /// Lin, J. (1991), "Divergence measures based on the Shannon entropy", IEEE Transactions on Information
    /// Theory 37, 145-151. Finite for empty bins.
    pub fn jensen_shannon(&self) -> f64 {
        let mut divergence = 0.0;
        for (reference, current) in self.pairs() {
            let middle = f64::midpoint(reference, current);
            divergence += x_ln_ratio(reference, middle) + x_ln_ratio(current, middle);
        }
        (divergence / (2.0 * std::f64::consts::LN_2))
            .clamp(0.0, 1.0)
            .sqrt()
    }

    /// The Kolmogorov-Smirnov distance at the edges of the bins: the largest difference of cumulative
    /// shares. The distance of the values themselves is at least this.
    pub fn kolmogorov_smirnov(&self) -> f64 {
        self.cumulative_differences()
            .iter()
            .fold(0.0, |largest: f64, difference| {
                largest.max(difference.abs())
            })
    }

    /// The first Wasserstein distance with each bin's mass at its position, in the unit of the positions:
    /// the area between the cumulative shares. `None` unless there is one rising position for each bin.
    ///
    /// Vallender, S. (1974), "Calculation of the Wasserstein distance between probability distributions on
    /// the line", Theory of Probability and its Applications 18, 784-786.
    pub fn wasserstein(&self, positions: &[f64]) -> Option<f64> {
        let gaps = self.gaps(positions)?;
        let areas = self.cumulative_differences().into_iter().zip(gaps);
        Some(areas.map(|(difference, gap)| difference.abs() * gap).sum())
    }

    /// `∫ sqrt(F (1 - F)) dx` of both sides taken together: what the Wasserstein distance is measured
    /// against. `None` as for [`Shares::wasserstein`].
    pub(crate) fn spread(&self, positions: &[f64]) -> Option<f64> {
        let size = self.reference_size + self.current_size;
        let mut cumulative = 0.0;
        let mut spread = 0.0;
        for ((reference, current), gap) in self.pairs().zip(self.gaps(positions)?) {
            cumulative += (reference * self.reference_size + current * self.current_size) / size;
            spread += (cumulative * (1.0 - cumulative)).max(0.0).sqrt() * gap;
        }
        Some(spread)
    }

    /// The standard deviation of the reference, with each bin's mass at its position. `None` as for
    /// [`Shares::wasserstein`], and where the reference does not vary.
    pub(crate) fn reference_deviation(&self, positions: &[f64]) -> Option<f64> {
        self.gaps(positions)?;
        let weighted = |of: &dyn Fn(f64) -> f64| -> f64 {
            self.reference
                .iter()
                .zip(positions)
                .map(|(share, position)| share * of(*position))
                .sum()
        };
        let mean = weighted(&|position| position);
        let deviation = weighted(&|position| (position - mean).powi(2)).sqrt();
        (deviation > 0.0).then_some(deviation)
    }

    fn cumulative_differences(&self) -> Vec<f64> {
        let mut difference = 0.0;
        self.pairs()
            .map(|(reference, current)| {
                difference += reference - current;
                difference
            })
            .collect()
    }

    /// The distances from each position to the next.
    fn gaps(&self, positions: &[f64]) -> Option<Vec<f64>> {
        if positions.len() != self.reference.len() {
            return None;
        }
        let gaps: Vec<f64> = positions.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps.iter()
            .all(|gap| gap.is_finite() && *gap > 0.0)
            .then_some(gaps)
    }
}

fn x_ln_ratio(x: f64, of: f64) -> f64 {
    if x > 0.0 { x * (x / of).ln() } else { 0.0 }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_shares_are_no_distance_apart() {
        let shares = Shares::new(&[10, 20, 30], &[100, 200, 300]).unwrap();
        assert!(shares.psi().value.abs() < 1e-15);
        assert!(shares.jensen_shannon() < 1e-7);
        assert!(shares.kolmogorov_smirnov() < 1e-15);
        assert!(shares.wasserstein(&[0.0, 1.0, 2.0]).unwrap() < 1e-15);
    }

    #[test]
    fn an_empty_bin_makes_no_distance_infinite_and_is_told() {
        let psi = Shares::new(&[50, 50, 0], &[0, 50, 0]).unwrap().psi();
        assert_eq!(psi.half_filled_bins, 1);
        let expected = (0.5 - 0.01) * (0.5_f64 / 0.01).ln() + (0.5 - 1.0) * 0.5_f64.ln();
        assert!((psi.value - expected).abs() < 1e-15);
    }

    #[test]
    fn nothing_apart_is_one_apart() {
        let shares = Shares::new(&[5, 0], &[0, 7]).unwrap();
        assert!((shares.jensen_shannon() - 1.0).abs() < 1e-15);
        assert_eq!(shares.kolmogorov_smirnov(), 1.0);
        assert_eq!(shares.wasserstein(&[2.0, 5.0]), Some(3.0));
        assert_eq!(shares.filled_bins(), 2);
    }

    #[test]
    fn what_cannot_be_compared_is_not() {
        assert_eq!(Shares::new(&[1, 2], &[1, 2, 3]), None);
        assert_eq!(Shares::new(&[0, 0], &[1, 2]), None);
        let shares = Shares::new(&[1, 2], &[2, 1]).unwrap();
        assert_eq!(shares.wasserstein(&[1.0]), None);
        assert_eq!(shares.wasserstein(&[2.0, 1.0]), None);
        assert_eq!(shares.reference_deviation(&[1.0, f64::NAN]), None);
    }

    proptest! {
        #[test]
        fn distances_are_symmetric_finite_and_bounded(
            pairs in prop::collection::vec((0..1_000_u64, 0..1_000_u64), 2..20),
        ) {
            let (one, other): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
            let positions: Vec<f64> = (0..one.len()).map(|bin| bin as f64).collect();
            if let (Some(there), Some(back)) = (Shares::new(&one, &other), Shares::new(&other, &one)) {
                prop_assert!((there.psi().value - back.psi().value).abs() < 1e-9);
                prop_assert!(there.psi().value >= -1e-12 && there.psi().value.is_finite());
                prop_assert!((there.jensen_shannon() - back.jensen_shannon()).abs() < 1e-7);
                prop_assert!((0.0..=1.0 + 1e-12).contains(&there.kolmogorov_smirnov()));
                let area = there.wasserstein(&positions).unwrap();
                prop_assert!(area <= there.kolmogorov_smirnov() * (one.len() - 1) as f64 + 1e-9);
            }
        }
    }
}
