//! Small models made to go wrong, with LightGBM's own margins and outputs: see `tests/golden/generate.py`.

use std::path::Path;

use fcs_forest::{Attributor, Link};

use crate::naive::NaiveModel;
use crate::{close, number};

const NAMES: [&str; 13] = [
    "categories",
    "categories_one_hot",
    "constant",
    "cross_entropy",
    "dart",
    "many_leaves",
    "no_use_missing",
    "numeric_nan",
    "numeric_none",
    "regression",
    "sigmoid",
    "v3",
    "zero_as_missing",
];

struct Golden {
    text: String,
    rows: Vec<Vec<f64>>,
    margins: Vec<f64>,
    outputs: Vec<f64>,
}

pub(crate) fn text(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap()
}

fn golden(name: &str) -> Golden {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut reader = csv::Reader::from_path(folder.join(format!("{name}.csv"))).unwrap();
    let mut golden = Golden {
        text: text(name),
        rows: Vec::new(),
        margins: Vec::new(),
        outputs: Vec::new(),
    };
    for record in reader.records() {
        let cells: Vec<f64> = record.unwrap().iter().map(number).collect();
        golden.rows.push(cells[..3].to_vec());
        golden.margins.push(cells[3]);
        golden.outputs.push(cells[4]);
    }
    assert_eq!(golden.rows.len(), 120);
    golden
}

#[test]
fn margins_are_bit_equal_to_lightgbm_s() {
    for name in NAMES {
        let golden = golden(name);
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
fn outputs_follow_the_link_of_the_objective() {
    for name in NAMES {
        let golden = golden(name);
        let forest = crate::read(&golden.text).unwrap();
        let link = match name {
            "regression" => Link::Identity,
            "sigmoid" => Link::Logistic { sigmoid: 0.7 },
            _ => Link::Logistic { sigmoid: 1.0 },
        };
        assert_eq!(forest.link(), link, "{name}");
        for (&margin, &output) in golden.margins.iter().zip(&golden.outputs) {
            assert!(
                close(forest.probability(margin), output, 1e-15),
                "{name} {margin} {output}"
            );
        }
    }
}

#[test]
fn attributions_equal_plain_enumeration() {
    for name in NAMES {
        let golden = golden(name);
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
}
