//! Running sums in the precision that a model's library uses.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use crate::ensemble::Precision;

/// Added to a sum, it changes no number.
pub(super) const NOTHING: f64 = -0.0;

/// Leaf values as their sum takes them, for kernels that touch so many that converting them would take time.
#[derive(Debug)]
pub(super) struct LeafValues {
    /// Empty once they are rounded.
    pub(super) doubles: Vec<f64>,
    singles: Vec<f32>,
}

impl LeafValues {
    pub(super) fn new(doubles: Vec<f64>) -> Self {
        Self {
            doubles,
            singles: Vec::new(),
        }
    }

    /// Keeps the values in a precision alone.
    pub(super) fn round_to(&mut self, precision: Precision) {
        if precision == Precision::Single {
            let doubles = std::mem::take(&mut self.doubles);
            self.singles = doubles.into_iter().map(SingleSum::value).collect();
        }
    }
}

/// Adds leaf values one after the other.
pub(super) trait Sum {
    /// A leaf value in the precision of the sum.
    type Value: Copy;

    fn value(value: f64) -> Self::Value;

    /// The values in this precision.
    fn values(values: &LeafValues) -> &[Self::Value];

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
    fn values(values: &LeafValues) -> &[f64] {
        &values.doubles
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
    fn values(values: &LeafValues) -> &[f32] {
        &values.singles
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
