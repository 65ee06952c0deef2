//! The crate against LightGBM, against shap, and against plain enumeration.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "a test stops at the first surprise, and bit equality is what is promised"
)]

mod batch;
mod edges;
mod enumeration;
mod generated;
mod golden;
mod interventional;
mod naive;
mod onnx;
mod packages;
mod plain;
mod properties;
mod refusals;
mod xgboost;

use fcs_forest::{Format, Model, ReadError};

/// A model from LightGBM's text.
fn read(text: &str) -> Result<Model, ReadError> {
    Model::read(text.as_bytes(), Format::LightGbmText)
}

/// Whether two numbers agree within a relative tolerance.
fn close(one: f64, other: f64, relative: f64) -> bool {
    (one - other).abs() <= relative * one.abs().max(other.abs())
}

/// A cell of the test files: a number, or nothing for a missing value.
fn number(cell: &str) -> f64 {
    if cell.is_empty() {
        return f64::NAN;
    }
    cell.parse()
        .unwrap_or_else(|_| panic!("`{cell}` is not a number"))
}
