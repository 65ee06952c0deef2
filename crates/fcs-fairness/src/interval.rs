use serde::{Deserialize, Serialize};

use crate::Undefined;

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

    /// The interval without what lies outside the range of the metric; the value stays inside.
    pub(crate) fn within(self, least: f64, most: f64) -> Result<Self, Undefined> {
        let (lower, upper) = (self.lower.max(least), self.upper.min(most));
        Self::around(self.value, lower, upper).ok_or(Undefined::NotFinite)
    }

    /// The interval of a rising linear function of the value.
    pub(crate) fn scaled(self, factor: f64, shift: f64) -> Result<Self, Undefined> {
        let at = |number: f64| factor * number + shift;
        Self::around(at(self.value), at(self.lower), at(self.upper)).ok_or(Undefined::NotFinite)
    }

    /// The interval with the opposite sign.
    pub(crate) fn negated(self) -> Self {
        Self {
            value: -self.value,
            lower: -self.upper,
            upper: -self.lower,
        }
    }

    /// The interval of the larger of two values, if both intervals hold.
    pub(crate) fn or_larger(self, other: Self) -> Self {
        Self {
            value: self.value.max(other.value),
            lower: self.lower.max(other.lower),
            upper: self.upper.max(other.upper),
        }
    }

    /// The interval of the smaller of two values, if both intervals hold.
    pub(crate) fn or_smaller(self, other: Self) -> Self {
        self.negated().or_larger(other.negated()).negated()
    }

    /// The interval of the distance from zero.
    pub(crate) fn absolute(self) -> Self {
        let nearest = self.lower.max(-self.upper).max(0.0);
        Self {
            value: self.value.abs(),
            lower: nearest,
            upper: self.upper.max(-self.lower),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_from_zero_reaches_zero_only_if_the_interval_does() {
        let absolute = |lower: f64, value: f64, upper: f64| {
            let found = Interval {
                value,
                lower,
                upper,
            }
            .absolute();
            (found.lower, found.value, found.upper)
        };
        assert_eq!(absolute(-3.0, -2.0, -1.0), (1.0, 2.0, 3.0));
        assert_eq!(absolute(-3.0, -2.0, 1.0), (0.0, 2.0, 3.0));
        assert_eq!(absolute(1.0, 2.0, 5.0), (1.0, 2.0, 5.0));
    }

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
