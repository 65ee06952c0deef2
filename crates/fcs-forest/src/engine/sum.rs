//! Running sums in the precision that a model's library uses.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

/// Adds leaf values one after the other.
pub(super) trait Sum {
    /// A sum that begins with a value.
    fn starting_at(start: f64) -> Self;

    fn add(&mut self, value: f64);

    fn total(self) -> f64;
}

/// A sum in double precision.
pub(super) struct DoubleSum(f64);

impl Sum for DoubleSum {
    #[inline(always)]
    fn starting_at(start: f64) -> Self {
        Self(start)
    }

    #[inline(always)]
    fn add(&mut self, value: f64) {
        self.0 += value;
    }

    #[inline(always)]
    fn total(self) -> f64 {
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
    #[inline(always)]
    fn starting_at(start: f64) -> Self {
        Self(start as f32)
    }

    #[inline(always)]
    fn add(&mut self, value: f64) {
        self.0 += value as f32;
    }

    #[inline(always)]
    fn total(self) -> f64 {
        f64::from(self.0)
    }
}
