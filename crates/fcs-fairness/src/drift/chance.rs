//! What distances reach by chance when nothing drifts, by the sizes of the samples.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

use crate::anytime::Alpha;

/// The sizes of the two compared samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Values of the reference.
    pub reference: u64,
    /// Values of now.
    pub current: u64,
}

impl Sizes {
    /// `1/n + 1/m`, infinite without values.
    fn variance(self) -> f64 {
        1.0 / self.reference as f64 + 1.0 / self.current as f64
    }
}

/// What a population stability index exceeds with probability `alpha` when nothing drifts:
/// `(1/n + 1/m) χ²` with one degree of freedom fewer than filled bins.
///
/// Yurdakul, B. and Naranjo, J. (2020), "Statistical properties of the population stability index", Journal
/// of Risk Model Validation 14(4); Yurdakul, B. (2018), dissertation, Western Michigan University.
/// Infinite without values; 0 with a single bin, where nothing can differ.
pub fn psi_limit(sizes: Sizes, filled_bins: usize, alpha: Alpha) -> f64 {
    let freedom = filled_bins.saturating_sub(1) as f64;
    match ChiSquared::new(freedom) {
        Ok(chi_squared) => sizes.variance() * chi_squared.inverse_cdf(1.0 - alpha.get()),
        Err(_) => 0.0,
    }
}

/// What a Jensen-Shannon distance exceeds likewise. For small differences the divergence is an eighth of the
/// population stability index, in nats.
pub fn jensen_shannon_limit(sizes: Sizes, filled_bins: usize, alpha: Alpha) -> f64 {
    let divergence = psi_limit(sizes, filled_bins, alpha) / 8.0;
    (divergence / std::f64::consts::LN_2).sqrt()
}

/// What a Kolmogorov-Smirnov distance exceeds with a probability of about `alpha` when nothing drifts:
/// `sqrt(-ln(alpha / 2) / 2 · (1/n + 1/m))`, the first term of Smirnov's limit. Too large for values that
/// repeat, which is the safe side.
pub fn kolmogorov_smirnov_limit(sizes: Sizes, alpha: Alpha) -> f64 {
    (-(alpha.get() / 2.0).ln() / 2.0 * sizes.variance()).sqrt()
}

/// The probability of a Kolmogorov-Smirnov distance at least this large when nothing drifts:
/// `2 Σ (-1)^(k-1) exp(-2 k² x²)` with `x = distance / sqrt(1/n + 1/m)`.
///
/// Smirnov, N. (1948), "Table for estimating the goodness of fit of empirical distributions", Annals of
/// Mathematical Statistics 19, 279-281.
pub fn kolmogorov_smirnov_p_value(distance: f64, sizes: Sizes) -> f64 {
    let squared = distance * distance / sizes.variance();
    // Below this the alternating series converges slowly, and the probability is 1 to twelve digits.
    if squared.is_nan() || squared < 0.03 {
        return 1.0;
    }
    let mut sum = 0.0;
    let mut sign = 1.0;
    for k in 1..=100_u32 {
        let term = (-2.0 * f64::from(k * k) * squared).exp();
        sum += sign * term;
        sign = -sign;
        if term < 1e-18 {
            break;
        }
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

/// What a Wasserstein distance exceeds with a probability of at most about `alpha` when nothing drifts:
/// `z · sqrt(1/n + 1/m) ∫ sqrt(F (1 - F)) dx` with the two-sided normal quantile `z`. At each point the
/// difference of the distribution functions is normal with that deviation; adding up the deviations takes the
/// points as if they moved together, which is the largest their sum can vary.
pub fn wasserstein_limit(sizes: Sizes, spread: f64, alpha: Alpha) -> f64 {
    let quantile = -Normal::standard().inverse_cdf(alpha.get() / 2.0);
    quantile * sizes.variance().sqrt() * spread
}

/// How a distance is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Below what matters, and chance leaves room to see what would.
    Stable,
    /// Chance alone may reach what matters: too few values to say.
    InsufficientEvidence,
    /// Matters a little, and is more than chance.
    Watch,
    /// Matters, and is more than chance.
    Act,
}

/// The thresholds of practice.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// From here on to be watched.
    pub watch: f64,
    /// From here on to be acted on.
    pub act: f64,
}

/// A distance, what chance reaches, and how it is read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distance {
    /// The distance.
    pub value: f64,
    /// What chance alone exceeds with the probability of the policy.
    pub chance_limit: f64,
    /// How it is read.
    pub level: Level,
}

impl Distance {
    /// Reads a distance. `None` if a number is not finite.
    pub(crate) fn read(value: f64, chance_limit: f64, thresholds: Thresholds) -> Option<Self> {
        let level = if value > chance_limit && value >= thresholds.act {
            Level::Act
        } else if value > chance_limit && value >= thresholds.watch {
            Level::Watch
        } else if chance_limit > thresholds.watch {
            Level::InsufficientEvidence
        } else {
            Level::Stable
        };
        let finite = value.is_finite() && chance_limit.is_finite();
        finite.then_some(Self {
            value,
            chance_limit,
            level,
        })
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    fn alpha(alpha: f64) -> Alpha {
        Alpha::try_from(alpha).unwrap()
    }

    fn sizes(reference: u64, current: u64) -> Sizes {
        Sizes { reference, current }
    }

    #[test]
    fn the_limit_of_the_index_is_that_of_the_chi_square_table() {
        // Ten bins, nine degrees of freedom: 16.918978 at 95 %.
        let limit = psi_limit(sizes(10_000, 100), 10, alpha(0.05));
        assert!(
            (limit - 16.918_977_604_620_45 * 0.0101).abs() < 1e-9,
            "{limit}"
        );
        assert_eq!(psi_limit(sizes(100, 100), 1, alpha(0.05)), 0.0);
        assert_eq!(psi_limit(sizes(100, 0), 10, alpha(0.05)), f64::INFINITY);
    }

    #[test]
    fn the_distance_at_its_limit_has_the_probability_of_the_limit() {
        for level in [0.05, 0.01] {
            let limit = kolmogorov_smirnov_limit(sizes(800, 300), alpha(level));
            let p_value = kolmogorov_smirnov_p_value(limit, sizes(800, 300));
            assert!((p_value / level - 1.0).abs() < 1e-3, "{level} {p_value}");
        }
        assert_eq!(kolmogorov_smirnov_p_value(0.0, sizes(800, 300)), 1.0);
        assert!(kolmogorov_smirnov_p_value(1.0, sizes(800, 300)) < 1e-100);
    }

    #[test]
    fn few_values_are_no_stability() {
        let thresholds = Thresholds {
            watch: 0.1,
            act: 0.25,
        };
        let level = |value, limit| Distance::read(value, limit, thresholds).unwrap().level;
        assert_eq!(level(0.02, 0.01), Level::Stable);
        assert_eq!(level(0.02, 0.05), Level::Stable);
        assert_eq!(level(0.02, 0.15), Level::InsufficientEvidence);
        assert_eq!(level(0.14, 0.15), Level::InsufficientEvidence);
        assert_eq!(level(0.16, 0.15), Level::Watch);
        assert_eq!(level(0.30, 0.15), Level::Act);
        assert_eq!(level(0.30, 0.40), Level::InsufficientEvidence);
        assert_eq!(Distance::read(0.3, f64::INFINITY, thresholds), None);
    }
}
