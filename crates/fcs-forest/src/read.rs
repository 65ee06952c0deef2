//! Readers of model files: one module per format, each bounded by [`limits`](crate::limits) and free of panics
//! whatever the bytes are.

mod error;
pub(crate) mod lightgbm;

pub use error::{FieldError, FieldProblem, ReadError};
pub use lightgbm::{LightGbmError, Problem};
