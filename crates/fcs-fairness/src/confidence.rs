use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// A two-sided confidence level, strictly between 0 and 1; 0.95 is the usual choice.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

impl Confidence {
    /// The level as a fraction.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The level of each of several intervals that hold together at this level, whatever their
    /// dependence (Bonferroni): the error is divided among them.
    pub(crate) fn divided_among(self, intervals: usize) -> Self {
        let error = (1.0 - self.0) / intervals.max(1) as f64;
        Self((1.0 - error).min(1.0 - f64::EPSILON / 2.0))
    }

    /// The standard normal quantile that leaves half of the remaining probability above it:
    /// 1.96 for 0.95.
    pub(crate) fn critical_value(self) -> f64 {
        // The lower tail is the accurate one: `1 - (1 - level) / 2` would lose the digits of a
        // level close to 1.
        let tail = f64::midpoint(0.0, 1.0 - self.0);
        -Normal::standard().inverse_cdf(tail)
    }
}

impl TryFrom<f64> for Confidence {
    type Error = InvalidConfidence;

    fn try_from(level: f64) -> Result<Self, InvalidConfidence> {
        if level > 0.0 && level < 1.0 {
            Ok(Self(level))
        } else {
            Err(InvalidConfidence)
        }
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

/// The number is not strictly between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a confidence level must be a number above 0 and below 1, for example 0.95")]
pub struct InvalidConfidence;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_levels_inside_the_unit_interval_are_accepted() {
        for good in [f64::MIN_POSITIVE, 0.5, 0.95, 1.0 - f64::EPSILON] {
            assert!(Confidence::try_from(good).is_ok(), "{good}");
        }
        for bad in [
            0.0,
            1.0,
            -0.1,
            1.1,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            assert_eq!(Confidence::try_from(bad), Err(InvalidConfidence), "{bad}");
        }
        assert!(serde_json::from_str::<Confidence>("1.5").is_err());
    }

    #[test]
    fn critical_values_are_the_tabulated_ones() {
        for (level, expected) in [
            (0.80, 1.281_551_565_544_600_4),
            (0.90, 1.644_853_626_951_472_2),
            (0.95, 1.959_963_984_540_054),
            (0.99, 2.575_829_303_548_900_4),
        ] {
            let actual = Confidence::try_from(level).unwrap().critical_value();
            assert!((actual - expected).abs() < 1e-14, "{level}: {actual}");
        }
    }

    #[test]
    fn extreme_levels_have_finite_critical_values() {
        for level in [f64::MIN_POSITIVE, 1e-9, 1.0 - f64::EPSILON / 2.0] {
            let value = Confidence::try_from(level).unwrap().critical_value();
            assert!((0.0..10.0).contains(&value), "{level}: {value}");
        }
    }
}
