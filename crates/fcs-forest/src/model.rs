//! The model: its features, its body, and how a margin becomes an output.

use std::fmt;
use std::sync::Arc;

use crate::ensemble::Ensemble;
use crate::format::Format;
use crate::front::Front;
use crate::limits;
use crate::linear::Linear;
use crate::read::plain::{self, Syntax};
use crate::read::{self, ReadError};
use crate::tree::Tree;

/// How a margin becomes the model's output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Link {
    /// The margin itself: not a probability.
    Identity,
    /// `1 / (1 + exp(-sigmoid * margin))`.
    Logistic {
        /// LightGBM's `sigmoid` parameter: finite and positive; 1 in every other format.
        sigmoid: f64,
    },
    /// `exp(margin)`: an expected count or amount, not a probability.
    Exponential,
    /// `margin * |margin|` (LightGBM's `reg_sqrt`): not a probability.
    SignedSquare,
    /// `ln(1 + exp(margin))` (LightGBM's `cross_entropy_lambda`): an intensity, not a probability.
    Softplus,
}

impl Link {
    /// The output for a margin; NaN for NaN.
    pub fn output(self, margin: f64) -> f64 {
        match self {
            Self::Identity => margin,
            Self::Logistic { sigmoid } => 1.0 / (1.0 + (-sigmoid * margin).exp()),
            Self::Exponential => margin.exp(),
            Self::SignedSquare => margin * margin.abs(),
            Self::Softplus => margin.exp().ln_1p(),
        }
    }
}

/// What computes the margin from the columns.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// A sum of trees.
    Trees(Ensemble),
    /// A weighted sum of the columns.
    Linear(Linear),
}

/// A model read from a file. Cloning shares its contents.
#[derive(Clone)]
pub struct Model {
    parts: Arc<Parts>,
}

/// What a reader finds in a file.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) format: Format,
    pub(crate) feature_names: Vec<String>,
    /// The texts of each feature in the order of their codes; none for a feature of numbers. Empty without any.
    pub(crate) category_names: Vec<Vec<String>>,
    pub(crate) front: Front,
    pub(crate) body: Body,
    pub(crate) link: Link,
    /// What a margin is divided by before the link: the number of trees of LightGBM's random forests, else 1.
    pub(crate) link_divisor: f64,
}

impl Model {
    /// Reads a model file of a format.
    ///
    /// # Errors
    /// [`ReadError`] names the first thing that is malformed, unsupported, past one of the
    /// [`limits`](crate::limits), or cut off.
    pub fn read(bytes: &[u8], format: Format) -> Result<Self, ReadError> {
        if bytes.len() > limits::FILE_BYTES_MAX {
            return Err(ReadError::TooLarge { bytes: bytes.len() });
        }
        let parts = match format {
            Format::LightGbmText => read::lightgbm::read(bytes)?,
            Format::XgBoostJson => read::xgboost::read_json(bytes)?,
            Format::XgBoostUbj => read::xgboost::read_ubj(bytes)?,
            Format::Onnx => read::onnx::read(bytes)?,
            Format::LinearToml => plain::linear(bytes, Syntax::Toml)?,
            Format::LinearJson => plain::linear(bytes, Syntax::Json)?,
            Format::ScorecardToml => plain::scorecard(bytes, Syntax::Toml)?,
            Format::ScorecardJson => plain::scorecard(bytes, Syntax::Json)?,
        };
        Ok(Self::new(parts))
    }

    /// A model of parts that a reader has checked.
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }

    /// The format it was read from.
    pub fn format(&self) -> Format {
        self.parts.format
    }

    /// Names of the features, in the order of a row's numbers.
    pub fn feature_names(&self) -> &[String] {
        &self.parts.feature_names
    }

    /// The texts that stand for the codes of a feature, from 0 on, where the model file knows its values as texts: ONNX
    /// does. Any other number is a text that the model does not know. Empty for a feature of numbers.
    pub fn category_names(&self, feature: usize) -> &[String] {
        let names = self.parts.category_names.get(feature);
        names.map_or(&[], Vec::as_slice)
    }

    /// Number of trees; 0 when the model has none.
    pub fn tree_count(&self) -> usize {
        self.trees().len()
    }

    /// Number of leaves over all trees.
    pub fn leaf_count(&self) -> usize {
        self.trees().iter().map(|tree| tree.leaf_values.len()).sum()
    }

    /// How a margin becomes the model's output.
    pub fn link(&self) -> Link {
        self.parts.link
    }

    /// The margin of a row (what the link takes), by walking the trees one node at a time. This is the plain
    /// reference; [`Engine`](crate::Engine) gives the same bits faster.
    ///
    /// It is the training library's raw score: for LightGBM's random forests the sum of the trees, although their
    /// output is made of the average.
    ///
    /// # Panics
    /// When the row does not have one number per feature: rows are checked against the schema before they get here.
    pub fn margin(&self, row: &[f64]) -> f64 {
        let mut buffer = Vec::new();
        let columns = self.columns(row, &mut buffer);
        match &self.parts.body {
            Body::Trees(ensemble) => ensemble.margin(columns),
            Body::Linear(linear) => linear.margin(columns),
        }
    }

    /// The leaf that a row reaches in each tree, as the training library numbers it (LightGBM's `pred_leaf`: the
    /// leaf's index; XGBoost's: the number of its node). Empty without trees.
    ///
    /// # Panics
    /// When the row does not have one number per feature.
    pub fn leaf_ids(&self, row: &[f64]) -> Vec<u32> {
        let mut buffer = Vec::new();
        let columns = self.columns(row, &mut buffer);
        let id = |tree: &Tree| tree.leaf_ids[tree.leaf(columns)];
        self.trees().iter().map(id).collect()
    }

    /// Whether the output is the log-odds' probability, `1 / (1 + exp(-margin))`: what a package of a credit model
    /// promises.
    pub fn is_log_odds(&self) -> bool {
        let Parts {
            link, link_divisor, ..
        } = &*self.parts;
        *link == Link::Logistic { sigmoid: 1.0 } && *link_divisor <= 1.0
    }

    /// The model's output for a margin, by its [`Link`]. In `[0, 1]` for a logistic link and a margin that is not NaN.
    pub fn probability(&self, margin: f64) -> f64 {
        self.parts.link.output(margin / self.parts.link_divisor)
    }

    /// The columns of a row, which is checked for its length.
    pub(crate) fn columns<'a>(&self, row: &'a [f64], buffer: &'a mut Vec<f64>) -> &'a [f64] {
        assert_eq!(
            row.len(),
            self.parts.feature_names.len(),
            "a row has one number per feature"
        );
        self.parts.front.columns(row, buffer)
    }

    /// Number of columns that the front makes of a row.
    pub(crate) fn column_count(&self) -> usize {
        self.parts
            .front
            .column_count(self.parts.feature_names.len())
    }

    /// The trees with their summation; `None` for a linear model.
    pub(crate) fn ensemble(&self) -> Option<&Ensemble> {
        match &self.parts.body {
            Body::Trees(ensemble) => Some(ensemble),
            Body::Linear(_) => None,
        }
    }

    /// The trees; none for a linear model.
    pub(crate) fn trees(&self) -> &[Tree] {
        match &self.parts.body {
            Body::Trees(ensemble) => &ensemble.trees,
            Body::Linear(_) => &[],
        }
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Model")
            .field("format", &self.parts.format)
            .field("features", &self.parts.feature_names.len())
            .field("trees", &self.tree_count())
            .finish_non_exhaustive()
    }
}
