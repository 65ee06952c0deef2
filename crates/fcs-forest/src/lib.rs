//! Tree ensembles: reads a LightGBM text model, predicts its margin, and attributes a margin to features.
//!
//! For: answering a request with the margin that LightGBM itself would give, bit for bit, and with the exact
//! Shapley values of that margin against a reference population.
//! Not for: training, other model formats, reading files (the caller brings the text), or choosing a population.
//!
//! Invariants: a [`Forest`] that exists is well formed: every node and leaf of a tree is reached exactly once from
//! its root, every feature index is within the model's features, every leaf value is finite. Reading is bounded by
//! the constants of [`limits`] and never panics, whatever the text. A row has one number per feature in the order
//! of [`Forest::feature_names`]; NaN means missing. Everything here is a pure function of its arguments, so a
//! replay gives the same bits.
//!
//! ```
//! # let text = include_str!("../tests/golden/numeric_nan.txt");
//! let forest = fcs_forest::Forest::from_lightgbm_text(text)?;
//! let references = vec![vec![0.5, 1.0, -1.0], vec![f64::NAN, 0.0, 2.0]];
//! let attributor = fcs_forest::Attributor::new(&forest, &references)?;
//! let row = [1.5, f64::NAN, 0.0];
//! let explained = attributor.base_margin() + attributor.contributions(&row).iter().sum::<f64>();
//! assert!((explained - forest.margin(&row)).abs() < 1e-9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attribute;
mod forest;
pub mod limits;
mod read;
mod tree;

pub use attribute::{AttributionError, Attributor};
pub use forest::{Forest, Link};
pub use read::{Problem, ReadError};
