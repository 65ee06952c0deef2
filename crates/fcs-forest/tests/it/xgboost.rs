//! Models of XGBoost 1.7, 2.1 and 3.2 against XGBoost's own predictions: see `tests/golden/xgboost/generate.py`.

pub(crate) mod golden;
mod linear;
mod refusals;

use std::path::{Path, PathBuf};

/// Every golden model of trees.
pub(crate) const NAMES: [&str; 39] = [
    "v1_base_score",
    "v1_dart",
    "v1_early_stopping",
    "v1_logistic",
    "v1_logitraw",
    "v1_one_hot",
    "v1_partition",
    "v1_poisson",
    "v1_pruned",
    "v2_absoluteerror",
    "v2_dart",
    "v2_gamma",
    "v2_logistic",
    "v2_logitraw",
    "v2_parallel",
    "v2_partition",
    "v2_pruned",
    "v2_tweedie",
    "v3_absoluteerror",
    "v3_category_names",
    "v3_constant",
    "v3_dart",
    "v3_early_stopping",
    "v3_extreme_base_score",
    "v3_gamma",
    "v3_logistic",
    "v3_logitraw",
    "v3_many_categories",
    "v3_no_trees",
    "v3_one_hot",
    "v3_parallel",
    "v3_partition",
    "v3_poisson",
    "v3_pruned",
    "v3_pseudohubererror",
    "v3_reg_logistic",
    "v3_squaredlogerror",
    "v3_squarederror",
    "v3_tweedie",
];

fn path(name: &str, extension: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/xgboost/{name}.{extension}"))
}

pub(crate) fn bytes(name: &str, extension: &str) -> Vec<u8> {
    std::fs::read(path(name, extension)).unwrap()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is what is meant"
)]
fn single(value: f64) -> f64 {
    f64::from(value as f32)
}
