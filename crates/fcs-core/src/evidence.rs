//! Evidence that may be looked at as often as one likes: e-values and the alpha that they are held against.

use serde::{Deserialize, Serialize};

/// The probability of a false alarm that is accepted, strictly between 0 and 1; 0.05 is the usual choice.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Alpha(f64);

impl Alpha {
    /// The probability.
    pub fn get(self) -> f64 {
        self.0
    }

    /// What an e-value must reach: `1 / alpha`.
    pub fn bar(self) -> EValue {
        EValue::from_ln(-libm::log(self.0))
    }
}

impl TryFrom<f64> for Alpha {
    type Error = InvalidAlpha;

    fn try_from(alpha: f64) -> Result<Self, InvalidAlpha> {
        let usable = alpha > 0.0 && alpha < 1.0;
        usable.then_some(Self(alpha)).ok_or(InvalidAlpha)
    }
}

impl From<Alpha> for f64 {
    fn from(alpha: Alpha) -> Self {
        alpha.0
    }
}

/// The number is not strictly between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an alpha must be a number above 0 and below 1, for example 0.05")]
pub struct InvalidAlpha;

/// The strength of evidence against a null hypothesis, kept as its natural logarithm.
///
/// Its mean is at most 1 where the null hypothesis holds. Finite: what is beyond any use is cut off.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct EValue {
    ln: f64,
}

impl EValue {
    /// Neither for nor against: 1, where every bet begins.
    pub const ONE: Self = Self { ln: 0.0 };
    /// What never reaches a bar: 0, as far as that has a logarithm.
    pub const NONE: Self = Self { ln: -Self::LN_MAX };
    const LN_MAX: f64 = 1e12;

    /// From the natural logarithm; what is not a number counts as no evidence at all.
    pub fn from_ln(ln: f64) -> Self {
        let ln = if ln.is_nan() { -Self::LN_MAX } else { ln };
        Self {
            ln: ln.clamp(-Self::LN_MAX, Self::LN_MAX),
        }
    }

    /// The natural logarithm, finite.
    pub fn ln(self) -> f64 {
        self.ln
    }

    /// Whether it reaches a bar, for example [`Alpha::bar`].
    pub fn reaches(self, bar: Self) -> bool {
        self.ln >= bar.ln
    }
}

impl From<f64> for EValue {
    fn from(ln: f64) -> Self {
        Self::from_ln(ln)
    }
}

impl From<EValue> for f64 {
    fn from(value: EValue) -> Self {
        value.ln
    }
}

/// The logarithm of the mean of numbers that are given by their logarithms; negative infinity for none.
pub fn ln_mean_exp(logarithms: &[f64]) -> f64 {
    let largest = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !largest.is_finite() {
        return largest;
    }
    let sum: f64 = logarithms
        .iter()
        .map(|logarithm| libm::exp(logarithm - largest))
        .sum();
    largest + libm::log(sum / logarithms.len() as f64)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn only_levels_inside_the_unit_interval_are_accepted() {
        for good in [f64::MIN_POSITIVE, 0.05, 1.0 - f64::EPSILON] {
            assert!(Alpha::try_from(good).is_ok(), "{good}");
        }
        for bad in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Alpha::try_from(bad), Err(InvalidAlpha), "{bad}");
        }
        assert!(serde_json::from_str::<Alpha>("0").is_err());
    }

    #[test]
    fn the_bar_of_five_percent_is_twenty() {
        let bar = Alpha::try_from(0.05).unwrap().bar();
        assert!((bar.ln() - 20_f64.ln()).abs() < 1e-15);
        assert!(EValue::from_ln(3.0).reaches(bar));
        assert!(!EValue::from_ln(2.99).reaches(bar));
    }

    #[test]
    fn evidence_is_finite_whatever_it_is_made_from() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(EValue::from_ln(odd).ln().is_finite(), "{odd}");
        }
        assert!(!EValue::from_ln(f64::NAN).reaches(EValue::ONE));
    }

    #[test]
    fn the_mean_of_exponentials_neither_overflows_nor_vanishes() {
        let mean = ln_mean_exp(&[1_000.0, 1_000.0 + 3_f64.ln()]);
        assert!((mean - (1_000.0 + 2_f64.ln())).abs() < 1e-12, "{mean}");
        let mean = ln_mean_exp(&[-1e9, -1e9]);
        assert!((mean + 1e9).abs() < 1e-6, "{mean}");
        assert_eq!(ln_mean_exp(&[]), f64::NEG_INFINITY);
    }
}
