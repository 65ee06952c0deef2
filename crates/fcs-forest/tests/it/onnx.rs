//! ONNX models against ONNX Runtime, see `tests/golden/onnx/generate.py`, and what is refused.

mod graph;
mod refusals;
mod version5;

use std::path::{Path, PathBuf};

use fcs_forest::{Attributor, Engine, Format, Link, Model};

use crate::{close, number};

/// Rows of a table.
const ROWS: usize = 80;
/// Models in the folder, so that none is lost unnoticed.
const MODELS: usize = 52;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx")
}

fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "onnx")
        })
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names.len(), MODELS);
    names
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.onnx"))).unwrap()
}

fn model(name: &str) -> Model {
    let bytes = bytes(name);
    assert_eq!(Format::detect(&bytes), Some(Format::Onnx), "{name}");
    Model::read(&bytes, Format::Onnx).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Rows, margins and outputs of ONNX Runtime.
fn golden(name: &str) -> Vec<(Vec<f64>, f64, f64)> {
    let mut reader = csv::Reader::from_path(folder().join(format!("{name}.csv"))).unwrap();
    let records = reader.records().map(|record| {
        let mut cells: Vec<f64> = record.unwrap().iter().map(number).collect();
        let output = cells.pop().unwrap();
        let margin = cells.pop().unwrap();
        (cells, margin, output)
    });
    let golden: Vec<_> = records.collect();
    assert_eq!(golden.len(), ROWS);
    golden
}

/// Models of trees whose sum is in a known order, and so are its bits. Of several models ONNX Runtime adds up each
/// first.
fn has_exact_bits(name: &str, model: &Model) -> bool {
    model.tree_count() > 0 && !["voting", "sum_of_forests"].contains(&name)
}

/// How far a margin may be off, as a part of its size. ONNX Runtime's matrix product adds in an order of its own, and
/// multiplies and adds in one rounding.
fn tolerance(name: &str) -> f64 {
    if name.ends_with("_double") {
        1e-14
    } else {
        1e-6
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is what is meant"
)]
fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

#[test]
fn margins_are_those_of_onnx_runtime() {
    for name in names() {
        let model = model(&name);
        let engine = Engine::new(&model);
        for (row, margin, _) in golden(&name) {
            let found = model.margin(&row);
            assert_eq!(
                found.to_bits(),
                engine.margin(&row).to_bits(),
                "{name} {row:?}"
            );
            // ONNX Runtime gives out single precision, also where it adds in double; but for the newest trees and
            // products of matrices.
            let is_double = single(margin) != margin;
            let rounded = if is_double { found } else { single(found) };
            if has_exact_bits(&name, &model) {
                assert_eq!(rounded, margin, "{name} {row:?} {found}");
            } else if margin.is_nan() {
                assert!(found.is_nan(), "{name} {row:?} {found}");
            } else {
                let bound = tolerance(&name) * margin.abs().max(16.0);
                assert!(
                    (rounded - margin).abs() <= bound || rounded == margin,
                    "{name} {row:?} {found} {margin}"
                );
            }
        }
    }
}

#[test]
fn outputs_follow_the_post_transform() {
    for name in names() {
        let model = model(&name);
        for (row, margin, output) in golden(&name) {
            let found = model.probability(margin);
            if output.is_nan() {
                assert!(found.is_nan(), "{name} {row:?} {margin} {found}");
                continue;
            }
            // Single precision has steps of 6e-8 near 1, and nothing below 1e-45.
            let is_close = close(found, output, 1e-6) || (found - output).abs() <= 1.2e-7;
            assert!(
                is_close || found == output,
                "{name} {row:?} {margin} {found} {output}"
            );
        }
    }
}

#[test]
fn links_and_names_are_those_of_the_graph() {
    let logistic = Link::Logistic { sigmoid: 1.0 };
    for (name, link) in [
        ("gradient_boosting", logistic),
        ("random_forest", Link::Identity),
        ("gradient_boosting_regressor", Link::Identity),
        ("pipeline", logistic),
        ("xgboost", logistic),
    ] {
        assert_eq!(model(name).link(), link, "{name}");
    }
    assert_eq!(model("pipeline").feature_names(), ["X[0]", "X[1]", "X[2]"]);
    assert_eq!(
        model("named_inputs").feature_names(),
        ["age", "income", "region"]
    );
    assert_eq!(
        model("branch_lt").feature_names(),
        ["first", "second", "third"]
    );
    let hand_made = model("branch_lt");
    assert_eq!((hand_made.tree_count(), hand_made.leaf_count()), (3, 12));
    let ids = hand_made.leaf_ids(&[0.5, 0.5, 0.5]);
    assert!(ids.iter().all(|id| [0, 7, 5, 1].contains(id)), "{ids:?}");
}

#[test]
fn texts_have_codes_in_the_order_in_which_operators_name_them() {
    let texts = model("texts");
    assert_eq!(texts.feature_names(), ["level", "owner", "colour"]);
    let numbers: [&str; 0] = [];
    assert_eq!(texts.category_names(0), numbers);
    assert_eq!(texts.category_names(1), ["no", "yes"]);
    assert_eq!(texts.category_names(2), ["blue", "green", "red"]);
    assert_eq!(texts.category_names(3), numbers);
    let two = model("texts_two_encoders");
    assert_eq!(two.category_names(0), ["red", "blue", "green", "grey"]);
    assert_eq!(model("pipeline").category_names(0), numbers);
}

#[test]
fn contributions_add_up_to_the_margin() {
    for name in names() {
        let model = model(&name);
        // Linear models of infinite or missing numbers have no finite margin, and of great ones a coarse one.
        let finite: Vec<Vec<f64>> = golden(&name)
            .into_iter()
            .filter(|(row, margin, _)| {
                margin.is_finite() && row.iter().all(|value| value.abs() < 1e3)
            })
            .map(|(row, ..)| row)
            .collect();
        assert!(finite.len() > 20, "{name}");
        let attributor = Attributor::new(&model, &finite[..20]).unwrap();
        for row in &finite {
            let contributions = attributor.contributions(row);
            assert_eq!(contributions.len(), row.len());
            let total = attributor.base_margin() + contributions.iter().sum::<f64>();
            let margin = model.margin(row);
            // Sums in single precision are not associative.
            assert!(
                (total - margin).abs() < 1e-6 * margin.abs().max(16.0),
                "{name} {row:?} {total} {margin}"
            );
        }
    }
}
