use serde::{Deserialize, Serialize};

/// A measured value and its confidence interval; finite, and `lower <= value <= upper`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The measured value.
    pub value: f64,
    /// The lower confidence limit.
    pub lower: f64,
    /// The upper confidence limit.
    pub upper: f64,
}

impl Interval {
    /// Joins a value and its limits. Where rounding or an adjusted formula puts the value just
    /// outside, the interval is widened to contain it. `None` if any number is not finite.
    pub(crate) fn around(value: f64, lower: f64, upper: f64) -> Option<Self> {
        let finite = value.is_finite() && lower.is_finite() && upper.is_finite();
        finite.then(|| Self {
            value,
            lower: lower.min(value),
            upper: upper.max(value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_widened_to_its_value_and_never_holds_a_non_finite_number() {
        let widened = Interval::around(0.0, 0.1, 0.2).unwrap();
        assert_eq!(
            widened,
            Interval {
                value: 0.0,
                lower: 0.0,
                upper: 0.2
            }
        );
        assert_eq!(Interval::around(f64::NAN, 0.0, 1.0), None);
        assert_eq!(Interval::around(0.5, f64::NEG_INFINITY, 1.0), None);
        assert_eq!(Interval::around(0.5, 0.0, f64::NAN), None);
    }
}
