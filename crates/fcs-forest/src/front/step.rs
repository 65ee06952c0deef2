//! What can happen to one number on its way from a feature to a column.

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Puts another number in the place of one number, or of NaN.
    Replace { from: f64, to: f64 },
}

impl Step {
    /// The number after the step.
    pub(crate) fn of(&self, value: f64) -> f64 {
        match self {
            Self::Replace { from, to } => {
                if is_same(value, *from) {
                    *to
                } else {
                    value
                }
            }
        }
    }
}

/// Equality in which NaN is NaN.
#[expect(clippy::float_cmp, reason = "exactly this number is meant")]
fn is_same(one: f64, other: f64) -> bool {
    one == other || (one.is_nan() && other.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(step: &Step, value: f64) -> u64 {
        step.of(value).to_bits()
    }

    #[test]
    fn replacing_tells_missing_from_a_number() {
        let missing = Step::Replace {
            from: f64::NAN,
            to: 3.0,
        };
        assert_eq!(bits(&missing, f64::NAN), 3.0_f64.to_bits());
        assert_eq!(bits(&missing, -1.0), (-1.0_f64).to_bits());
        let number = Step::Replace {
            from: -1.0,
            to: 3.0,
        };
        assert_eq!(bits(&number, -1.0), 3.0_f64.to_bits());
        assert!(number.of(f64::NAN).is_nan());
    }
}
