//! Running sums in the precision that a model's library uses.

/// Adds leaf values one after the other.
pub(super) trait Sum {
    fn add(&mut self, value: f64);
}

/// A sum in double precision.
pub(super) struct DoubleSum(pub(super) f64);

impl Sum for DoubleSum {
    #[inline(always)]
    fn add(&mut self, value: f64) {
        self.0 += value;
    }
}

/// A sum in single precision, of values that are single-precision numbers.
pub(super) struct SingleSum(pub(super) f32);

#[expect(
    clippy::cast_possible_truncation,
    reason = "the values of a single-precision model are single-precision numbers"
)]
impl Sum for SingleSum {
    #[inline(always)]
    fn add(&mut self, value: f64) {
        self.0 += value as f32;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the start of a single-precision model is a single-precision number"
)]
impl From<f64> for SingleSum {
    fn from(start: f64) -> Self {
        Self(start as f32)
    }
}
