//! Small models made to go wrong, with LightGBM's own margins, outputs and leaves: see
//! `tests/golden/lightgbm/generate.py`.

use std::path::{Path, PathBuf};

use fcs_forest::{Attributor, Link, PathAttributor};

use crate::naive::NaiveModel;
use crate::{close, number};

/// Rows of a table.
const ROWS: usize = 80;
/// Models in the folder, so that none is lost unnoticed.
const MODELS: usize = 46;

pub(crate) struct Golden {
    pub(crate) text: String,
    pub(crate) rows: Vec<Vec<f64>>,
    pub(crate) margins: Vec<f64>,
    pub(crate) outputs: Vec<f64>,
    /// Per row and tree.
    pub(crate) leaf_ids: Vec<Vec<u32>>,
    /// Per row and feature: LightGBM's `pred_contrib`.
    pub(crate) contributions: Vec<Vec<f64>>,
    /// Its last column.
    pub(crate) base: f64,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lightgbm")
}

/// Every model of the folder, by name.
pub(crate) fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "csv"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names.len(), MODELS);
    names
}

pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap()
}

pub(crate) fn golden(name: &str) -> Golden {
    let mut reader = csv::Reader::from_path(folder().join(format!("{name}.csv"))).unwrap();
    let mut golden = Golden {
        text: text(name),
        rows: Vec::new(),
        margins: Vec::new(),
        outputs: Vec::new(),
        leaf_ids: Vec::new(),
        contributions: Vec::new(),
        base: 0.0,
    };
    let header: Vec<_> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(header[3..6], ["margin", "output", "leaf_ids"]);
    for record in reader.records() {
        let record = record.unwrap();
        golden
            .rows
            .push(record.iter().take(3).map(number).collect());
        golden.margins.push(number(&record[3]));
        golden.outputs.push(number(&record[4]));
        let ids = record[5].split(' ').map(|id| id.parse().unwrap());
        golden.leaf_ids.push(ids.collect());
        let values = (6..9).map(|at| number(&record[at]));
        golden.contributions.push(values.collect());
        golden.base = number(&record[9]);
    }
    assert_eq!(golden.rows.len(), ROWS);
    golden
}

#[test]
fn margins_are_bit_equal_to_lightgbm_s() {
    for name in names() {
        let golden = golden(&name);
        let forest = crate::read(&golden.text).unwrap();
        for (row, &margin) in golden.rows.iter().zip(&golden.margins) {
            assert_eq!(
                forest.margin(row).to_bits(),
                margin.to_bits(),
                "{name} {row:?} {margin}"
            );
        }
    }
}

#[test]
fn leaves_are_numbered_as_lightgbm_does() {
    for name in names() {
        let golden = golden(&name);
        let forest = crate::read(&golden.text).unwrap();
        for (row, ids) in golden.rows.iter().zip(&golden.leaf_ids) {
            assert_eq!(&forest.leaf_ids(row), ids, "{name} {row:?}");
        }
    }
}

/// The link that a model's objective asks for.
fn link(name: &str) -> Link {
    match name {
        "sigmoid" => Link::Logistic { sigmoid: 0.7 },
        "cross_entropy_lambda" => Link::Softplus,
        "poisson" | "gamma" | "tweedie" | "random_forest_poisson" => Link::Exponential,
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" | "custom"
        | "v3_custom" => Link::Identity,
        _ if name.ends_with("_sqrt") => Link::SignedSquare,
        _ => Link::Logistic { sigmoid: 1.0 },
    }
}

#[test]
fn outputs_follow_the_link_of_the_objective() {
    for name in names() {
        let golden = golden(&name);
        let forest = crate::read(&golden.text).unwrap();
        assert_eq!(forest.link(), link(&name), "{name}");
        for (&margin, &output) in golden.margins.iter().zip(&golden.outputs) {
            assert!(
                close(forest.probability(margin), output, 1e-15),
                "{name} {margin} {output}"
            );
        }
    }
}

#[test]
fn attributions_along_paths_equal_lightgbm_s() {
    for name in names() {
        let golden = golden(&name);
        let attributor = PathAttributor::new(&crate::read(&golden.text).unwrap()).unwrap();
        assert!(
            (attributor.base_margin() - golden.base).abs() < 1e-12,
            "{name}"
        );
        for (row, expected) in golden.rows.iter().zip(&golden.contributions) {
            for (value, expected) in attributor.contributions(row).iter().zip(expected) {
                assert!(
                    (value - expected).abs() < 1e-12,
                    "{name} {row:?} {value} {expected}"
                );
            }
        }
    }
}

#[test]
fn attributions_equal_plain_enumeration() {
    for name in names() {
        let golden = golden(&name);
        let forest = crate::read(&golden.text).unwrap();
        let naive = NaiveModel::new(&golden.text);
        let references = &golden.rows[..30];
        let attributor = Attributor::new(&forest, references).unwrap();
        for row in &golden.rows {
            let contributions = attributor.contributions(row);
            let total = attributor.base_margin() + contributions.iter().sum::<f64>();
            assert!((total - forest.margin(row)).abs() < 1e-12, "{name} {row:?}");
            for (value, expected) in contributions
                .iter()
                .zip(naive.shapley_values(row, references))
            {
                assert!(
                    (value - expected).abs() < 1e-12,
                    "{name} {row:?} {value} {expected}"
                );
            }
        }
    }
}

#[test]
fn the_model_says_what_it_holds() {
    let forest = crate::read(&text("many_leaves")).unwrap();
    assert_eq!(forest.feature_names(), ["first", "second", "third"]);
    assert_eq!((forest.tree_count(), forest.leaf_count()), (2, 126));
    let constant = crate::read(&text("constant")).unwrap();
    assert_eq!(constant.leaf_count(), constant.tree_count());
    // Training went on for four more rounds: the saved file has the best ones alone.
    let stopped = crate::read(&text("early_stopped")).unwrap();
    assert_eq!(stopped.tree_count(), 2);
    assert_eq!(crate::read(&text("continued")).unwrap().tree_count(), 6);
}
