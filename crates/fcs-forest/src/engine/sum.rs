//! Running sums in the precision that a model's library uses.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

/// Added to a sum, it changes no number.
pub(super) const NOTHING: f64 = -0.0;

/// Adds leaf values one after the other.
pub(super) trait Sum {
    /// A leaf value in the precision of the sum.
    type Value: Copy;

    fn value(value: f64) -> Self::Value;

    /// A sum that begins with a value.
    fn starting_at(start: f64) -> Self;

    fn add(&mut self, value: Self::Value);

    fn total(&self) -> f64;
}

/// A sum in double precision.
pub(super) struct DoubleSum(f64);

impl Sum for DoubleSum {
    type Value = f64;

    #[inline(always)]
    fn value(value: f64) -> f64 {
        value
    }

    #[inline(always)]
    fn starting_at(start: f64) -> Self {
        Self(start)
    }

    #[inline(always)]
    fn add(&mut self, value: f64) {
        self.0 += value;
    }

    #[inline(always)]
    fn total(&self) -> f64 {
        self.0
    }
}

/// A sum in single precision, of values that are single-precision numbers.
pub(super) struct SingleSum(f32);

#[expect(
    clippy::cast_possible_truncation,
    reason = "all values of a single-precision model are single-precision numbers"
)]
impl Sum for SingleSum {
    type Value = f32;

    #[inline(always)]
    fn value(value: f64) -> f32 {
        value as f32
    }

    #[inline(always)]
    fn starting_at(start: f64) -> Self {
        Self(start as f32)
    }

    #[inline(always)]
    fn add(&mut self, value: f32) {
        self.0 += value;
    }

    #[inline(always)]
    fn total(&self) -> f64 {
        f64::from(self.0)
    }
}
