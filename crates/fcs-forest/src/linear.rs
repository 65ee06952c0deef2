//! A linear model: a weight per column, and an intercept.

use crate::ensemble::Precision;
use crate::front::single;

/// A weighted sum of the columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Linear {
    /// One per column; finite.
    pub(crate) weights: Vec<f64>,
    /// The margin of a row of zeros.
    pub(crate) intercept: f64,
    pub(crate) precision: Precision,
}

impl Linear {
    /// The margin of a row of columns: the intercept plus each product, in the order of the columns. Products and
    /// partial sums are rounded to the model's precision one by one. NaN when a column is.
    pub(crate) fn margin(&self, columns: &[f64]) -> f64 {
        let products = self
            .weights
            .iter()
            .zip(columns)
            .map(|(weight, value)| weight * value);
        match self.precision {
            Precision::Double => products.fold(self.intercept, |total, product| total + product),
            // An operation on two singles in double precision, rounded once, is the single-precision operation.
            Precision::Single => products.fold(self.intercept, |total, product| {
                single(total + single(product))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_is_rounded_to_the_precision() {
        let linear = |precision| Linear {
            weights: vec![1.0, f64::from(3.0_f32.recip())],
            intercept: 0.25,
            precision,
        };
        let columns = [f64::from(0.1_f32), f64::from(0.7_f32)];
        let by_singles = (0.25_f32 + 0.1) + 3.0_f32.recip() * 0.7;
        assert_eq!(
            linear(Precision::Single).margin(&columns).to_bits(),
            f64::from(by_singles).to_bits()
        );
        let by_doubles = (0.25 + columns[0]) + f64::from(3.0_f32.recip()) * columns[1];
        assert_eq!(
            linear(Precision::Double).margin(&columns).to_bits(),
            by_doubles.to_bits()
        );
        assert!(linear(Precision::Double).margin(&[f64::NAN, 0.0]).is_nan());
    }
}
