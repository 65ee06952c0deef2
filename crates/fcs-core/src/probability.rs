//! Probabilities.

use serde::{Deserialize, Serialize};

/// A finite number in `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

impl Probability {
    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Probability {
    type Error = InvalidProbability;

    fn try_from(value: f64) -> Result<Self, InvalidProbability> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(InvalidProbability)
        }
    }
}

impl From<Probability> for f64 {
    fn from(probability: Probability) -> Self {
        probability.0
    }
}

/// The number is not a probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a probability must be a finite number from 0 to 1")]
pub struct InvalidProbability;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_only_the_unit_interval() {
        assert!(Probability::try_from(0.0).is_ok() && Probability::try_from(1.0).is_ok());
        for bad in [f64::NAN, f64::INFINITY, -f64::EPSILON, 1.0 + f64::EPSILON] {
            assert!(Probability::try_from(bad).is_err(), "{bad}");
        }
    }
}
