//! Readers of model files: one module per format, each bounded by [`limits`](crate::limits) and free of panics
//! whatever the bytes are.

mod document;
mod error;
pub(crate) mod lightgbm;
pub(crate) mod onnx;
pub(crate) mod plain;
pub(crate) mod xgboost;

pub use error::{FieldError, FieldProblem, ReadError};
pub use lightgbm::{LightGbmError, Problem};
