//! Trees and the way their leaves are added up.

use crate::front::single;
use crate::tree::Tree;

/// The precision of a sum. It decides the last bits of a margin, and so belongs to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// Each partial sum is rounded to single precision (XGBoost, ONNX with float tensors).
    Single,
    /// Each partial sum is rounded to double precision (LightGBM).
    Double,
}

/// How the leaves that a row reaches become its margin: from `start`, in the order of the trees, then divided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summation {
    /// The margin without any tree.
    pub(crate) start: f64,
    pub(crate) precision: Precision,
    /// 1, or the number of trees when the output is their average (random forests).
    pub(crate) divisor: f64,
}

impl Summation {
    /// LightGBM's boosted trees.
    pub(crate) const BOOSTED_DOUBLE: Self = Self {
        start: 0.0,
        precision: Precision::Double,
        divisor: 1.0,
    };

    /// The margin of some leaf values, in the order of the trees.
    pub(crate) fn margin(&self, leaf_values: impl Iterator<Item = f64>) -> f64 {
        let total = match self.precision {
            Precision::Double => leaf_values.fold(self.start, |total, value| total + value),
            // The sum of two singles in double precision, rounded once, is their single-precision sum.
            Precision::Single => leaf_values.fold(self.start, |total, value| single(total + value)),
        };
        total / self.divisor
    }
}

/// Trees with their summation.
#[derive(Debug, Clone)]
pub(crate) struct Ensemble {
    pub(crate) trees: Vec<Tree>,
    pub(crate) summation: Summation,
}

impl Ensemble {
    /// The margin of a row of columns: the plain walk that every faster kernel is compared with.
    pub(crate) fn margin(&self, columns: &[f64]) -> f64 {
        let values = self
            .trees
            .iter()
            .map(|tree| tree.leaf_values[tree.leaf(columns)]);
        self.summation.margin(values)
    }
}
