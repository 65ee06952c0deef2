use fcs_core::EValue;
use serde::{Deserialize, Serialize};

/// Means of a number in both arms, for example of the score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Means {
    /// Values per arm.
    pub values: u64,
    /// The candidate's mean minus the stable arm's.
    pub difference: f64,
    /// Variance of one value, the same in both arms.
    pub variance: f64,
}

/// What a difference of means is held against.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeanQuestion {
    /// The difference that is not worth a word.
    pub difference: f64,
    /// Variance of the prior over differences, in units of the value squared.
    pub prior_variance: f64,
}

impl Means {
    /// Evidence that the means differ by something else than the question's difference; `None` where a number
    /// is missing, infinite or no variance. Valid for normal values, and for others only as their number grows.
    ///
    /// With `V = 2 sigma^2`: `sqrt(V / (V + n t^2)) exp(n^2 t^2 d^2 / (2 V (V + n t^2)))`: Johari, Koomen,
    /// Pekelis and Walsh (2022), "Always valid inference", Operations Research 70, 1806-1821
    /// (arXiv 1512.04922).
    pub fn evidence(self, question: MeanQuestion) -> Option<EValue> {
        let distance = self.difference - question.difference;
        let (values, noise) = (self.values as f64, 2.0 * self.variance);
        let usable = noise > 0.0 && question.prior_variance > 0.0;
        let spread = noise + values * question.prior_variance;
        if !usable || !spread.is_finite() || !distance.is_finite() {
            return None;
        }
        let standardised = values * distance;
        let exponent =
            standardised * standardised * question.prior_variance / (2.0 * noise * spread);
        Some(EValue::from_ln(exponent + 0.5 * libm::log(noise / spread)))
    }
}
