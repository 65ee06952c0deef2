//! The model: its trees, its features, and how a margin becomes an output.

use std::sync::Arc;

use crate::read::{self, ReadError};
use crate::tree::Tree;

/// How a margin becomes the model's output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Link {
    /// The margin itself (objective `regression`): not a probability.
    Identity,
    /// `1 / (1 + exp(-sigmoid * margin))` (objectives `binary` and `cross_entropy`).
    Logistic {
        /// LightGBM's `sigmoid` parameter: finite and positive; 1 for `cross_entropy`.
        sigmoid: f64,
    },
}

/// A sum of decision trees, read from a LightGBM text model. Cloning shares the trees.
#[derive(Debug, Clone)]
pub struct Forest {
    feature_names: Vec<String>,
    trees: Arc<[Tree]>,
    link: Link,
}

impl Forest {
    /// Reads the text that LightGBM's `save_model` writes (versions v3 and v4).
    ///
    /// Accepts one class, one tree per iteration, objectives `binary`, `cross_entropy` and `regression`, numeric and
    /// categorical splits, all missing types, boosting types whose output is the sum of trees (`gbdt`, `goss`,
    /// `dart`).
    ///
    /// # Errors
    /// [`ReadError`] names the line and tree of the first thing that is malformed, unsupported, past one of the
    /// [`limits`](crate::limits), or cut off: the text must go on to the line `end of parameters`.
    pub fn from_lightgbm_text(text: &str) -> Result<Self, ReadError> {
        read::forest(text)
    }

    pub(crate) fn from_parts(feature_names: Vec<String>, trees: Vec<Tree>, link: Link) -> Self {
        Self {
            feature_names,
            trees: trees.into(),
            link,
        }
    }

    /// Names of the features, in the order of a row's numbers.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// Number of trees, at least one.
    pub fn tree_count(&self) -> usize {
        self.trees.len()
    }

    /// Number of leaves over all trees.
    pub fn leaf_count(&self) -> usize {
        self.trees.iter().map(|tree| tree.leaf_values.len()).sum()
    }

    /// How a margin becomes the model's output.
    pub fn link(&self) -> Link {
        self.link
    }

    /// The raw score of a row: LightGBM's `predict(raw_score=True)`, equal in every bit because the leaves are
    /// added in the order of the trees, from zero, in double precision.
    ///
    /// # Panics
    /// When the row does not have one number per feature: rows are checked against the schema before they get here.
    pub fn margin(&self, row: &[f64]) -> f64 {
        assert_eq!(
            row.len(),
            self.feature_names.len(),
            "a row has one number per feature"
        );
        let mut margin = 0.0;
        for tree in self.trees.iter() {
            margin += tree.value(row);
        }
        margin
    }

    /// The model's output for a margin, by its [`Link`]. In `[0, 1]` for a logistic link and a margin that is not NaN.
    pub fn probability(&self, margin: f64) -> f64 {
        match self.link {
            Link::Identity => margin,
            Link::Logistic { sigmoid } => 1.0 / (1.0 + (-sigmoid * margin).exp()),
        }
    }

    pub(crate) fn trees(&self) -> &Arc<[Tree]> {
        &self.trees
    }
}
