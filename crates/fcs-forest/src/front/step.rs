//! What can happen to one number on its way from a feature to a column.

use std::sync::Arc;

use super::single;
use crate::ensemble::Precision;

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Rounds to single precision.
    Single,
    /// Cuts off the fraction, toward zero.
    Truncate,
    /// Puts another number in the place of one number, or of NaN.
    Replace { from: f64, to: f64 },
    /// Calculates with a constant.
    Calculate {
        operation: Operation,
        operand: f64,
        precision: Precision,
    },
    /// 1 above the threshold, else 0; NaN stays, as ONNX Runtime refuses it there.
    IsAbove { threshold: f64 },
    /// 1 for this number, else 0; NaN gives 0.
    Is { value: f64 },
    /// Looks the number up in a table.
    Lookup(Arc<Lookup>),
}

/// What is done with the number and the constant, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Number plus constant.
    Add,
    /// Number minus constant.
    Subtract,
    /// Constant minus number.
    SubtractFrom,
    /// Number times constant.
    Multiply,
    /// Number by constant.
    Divide,
}

/// A table from numbers to numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lookup {
    /// Ascending by key; no key is NaN or occurs twice.
    pub(crate) entries: Vec<(f64, f64)>,
    /// What NaN gives.
    pub(crate) missing: f64,
    /// What a number that is no key gives.
    pub(crate) other: f64,
}

impl Step {
    /// The number after the step.
    pub(crate) fn of(&self, value: f64) -> f64 {
        match self {
            Self::Single => single(value),
            Self::Truncate => value.trunc(),
            Self::Replace { from, to } => {
                if is_same(value, *from) {
                    *to
                } else {
                    value
                }
            }
            Self::Calculate {
                operation,
                operand,
                precision,
            } => {
                let exact = operation.of(value, *operand);
                match precision {
                    Precision::Double => exact,
                    // Of two singles, rounding the double-precision result gives the single-precision one.
                    Precision::Single => single(exact),
                }
            }
            Self::IsAbove { .. } if value.is_nan() => value,
            Self::IsAbove { threshold } => f64::from(u8::from(value > *threshold)),
            Self::Is { value: expected } => {
                f64::from(u8::from(!value.is_nan() && is_same(value, *expected)))
            }
            Self::Lookup(lookup) => lookup.of(value),
        }
    }
}

impl Operation {
    fn of(self, value: f64, operand: f64) -> f64 {
        match self {
            Self::Add => value + operand,
            Self::Subtract => value - operand,
            Self::SubtractFrom => operand - value,
            Self::Multiply => value * operand,
            Self::Divide => value / operand,
        }
    }
}

impl Lookup {
    fn of(&self, value: f64) -> f64 {
        if value.is_nan() {
            return self.missing;
        }
        let position = self.entries.partition_point(|(key, _)| *key < value);
        match self.entries.get(position) {
            Some((key, found)) if is_same(*key, value) => *found,
            _ => self.other,
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

    #[test]
    fn an_indicator_is_one_for_its_numbers_alone() {
        assert!(Step::IsAbove { threshold: -1.0 }.of(f64::NAN).is_nan());
        assert_eq!(bits(&Step::IsAbove { threshold: 0.5 }, 0.5), 0);
        assert_eq!(
            bits(&Step::IsAbove { threshold: 0.5 }, 0.6),
            1.0_f64.to_bits()
        );
        assert_eq!(bits(&Step::Is { value: f64::NAN }, f64::NAN), 0);
        assert_eq!(bits(&Step::Is { value: 0.0 }, -0.0), 1.0_f64.to_bits());
        assert_eq!(bits(&Step::Is { value: 2.0 }, 2.5), 0);
    }

    #[test]
    fn calculating_in_singles_rounds_like_singles() {
        let (value, operand) = (f64::from(0.1_f32), f64::from(3.7_f32));
        let step = |operation| Step::Calculate {
            operation,
            operand,
            precision: Precision::Single,
        };
        for (operation, expected) in [
            (Operation::Add, 0.1_f32 + 3.7),
            (Operation::Subtract, 0.1_f32 - 3.7),
            (Operation::SubtractFrom, 3.7_f32 - 0.1),
            (Operation::Multiply, 0.1_f32 * 3.7),
            (Operation::Divide, 0.1_f32 / 3.7),
        ] {
            assert_eq!(bits(&step(operation), value), f64::from(expected).to_bits());
        }
    }

    #[test]
    fn a_lookup_finds_keys_alone() {
        let lookup = Step::Lookup(Arc::new(Lookup {
            entries: vec![(-2.0, 10.0), (0.0, 20.0), (5.0, 30.0)],
            missing: -1.0,
            other: -2.0,
        }));
        for (value, expected) in [
            (-2.0, 10.0),
            (-0.0, 20.0),
            (5.0, 30.0),
            (5.5, -2.0),
            (9.0, -2.0),
            (f64::NAN, -1.0),
        ] {
            assert_eq!(bits(&lookup, value), f64::to_bits(expected), "{value}");
        }
        assert_eq!(bits(&Step::Truncate, -1.9), (-1.0_f64).to_bits());
        assert_eq!(bits(&Step::Single, 0.1), f64::from(0.1_f32).to_bits());
    }
}
