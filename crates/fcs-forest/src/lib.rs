//! Tree ensembles, scorecards and linear models: reads a model of LightGBM (text), XGBoost (JSON, UBJSON), ONNX, or a
//! plain document (TOML, JSON), predicts its margin, and attributes a margin to features.
//!
//! For: answering a request with the margin that its own library would give, bit for bit, and with the exact
//! Shapley values of that margin against a reference population.
//! Not for: training, other model formats, reading files (the caller brings the text), or choosing a population.
//!
//! Invariants: a [`Model`] that exists is well formed: every node and leaf of a tree is reached exactly once from
//! its root, every feature index is within the model's features, every leaf value is finite. Reading is bounded by
//! the constants of [`limits`] and never panics, whatever the text. A row has one number per feature in the order
//! of [`Model::feature_names`]; NaN means missing. Everything here is a pure function of its arguments, so a
//! replay gives the same bits.
//!
//! ```
//! # let bytes = include_bytes!("../tests/golden/lightgbm/numeric_nan.txt");
//! let model = fcs_forest::Model::read(bytes, fcs_forest::Format::LightGbmText)?;
//! let references = vec![vec![0.5, 1.0, -1.0], vec![f64::NAN, 0.0, 2.0]];
//! let attributor = fcs_forest::Attributor::new(&model, &references)?;
//! let row = [1.5, f64::NAN, 0.0];
//! let explained = attributor.base_margin() + attributor.contributions(&row).iter().sum::<f64>();
//! assert!((explained - model.margin(&row)).abs() < 1e-9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answers;
mod attribute;
mod class_table;
mod classes;
mod engine;
mod ensemble;
mod format;
mod front;
pub mod limits;
mod linear;
mod model;
mod read;
mod simd;
mod tree;

pub use attribute::{AttributionError, Attributor, PathAttributor};
pub use engine::{Engine, Kernel};
pub use format::Format;
pub use model::{Link, Model};
pub use read::{FieldError, FieldProblem, LightGbmError, Problem, ReadError};
pub use tree::ShapeError;
