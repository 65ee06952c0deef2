//! Interventional values against shap's tree explainer: see `tests/golden/interventional/generate.py`.

use std::path::{Path, PathBuf};

use fcs_forest::{Attributor, Format, Model};

use crate::number;

/// Every model, its features and the rows of its reference population.
const MODELS: [(&str, usize, usize); 6] = [
    ("lightgbm_deep.txt", 24, 60),
    ("lightgbm_numeric.txt", 10, 100),
    ("lightgbm_regression.txt", 8, 200),
    ("xgboost_depth_6.json", 10, 100),
    ("xgboost_regression.json", 8, 50),
    ("xgboost_shallow.json", 6, 150),
];
const ROWS: usize = 60;

/// Measured, shap's own values add up to the margin but for up to 6e-8 (LightGBM) and 3e-7 (XGBoost), and these are
/// within 4e-8 of them.
const TOLERANCE: f64 = 1e-6;

pub(crate) struct Golden {
    pub(crate) name: &'static str,
    pub(crate) model: Model,
    pub(crate) references: Vec<Vec<f64>>,
    pub(crate) rows: Vec<Vec<f64>>,
    margins: Vec<f64>,
    contributions: Vec<Vec<f64>>,
    base: f64,
}

pub(crate) fn goldens() -> Vec<Golden> {
    let golden = |(file, features, references)| golden(file, features, references);
    MODELS.into_iter().map(golden).collect()
}

fn golden(file: &'static str, features: usize, reference_count: usize) -> Golden {
    let bytes = std::fs::read(path(file)).unwrap();
    let model = Model::read(&bytes, Format::detect(&bytes).unwrap()).unwrap();
    assert_eq!(model.feature_names().len(), features, "{file}");
    let (name, _) = file.split_once('.').unwrap();
    let references = table(&format!("{name}.references.csv"));
    assert_eq!(references.len(), reference_count, "{name}");
    let table = table(&format!("{name}.csv"));
    assert_eq!(table.len(), ROWS, "{name}");
    let columns = |range: std::ops::Range<usize>| {
        let cells = |row: &Vec<f64>| row[range.clone()].to_vec();
        table.iter().map(cells).collect()
    };
    Golden {
        name,
        model,
        references,
        rows: columns(0..features),
        margins: table.iter().map(|row| row[features]).collect(),
        contributions: columns(features + 1..2 * features + 1),
        base: table[0][2 * features + 1],
    }
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/interventional")
        .join(file)
}

fn table(file: &str) -> Vec<Vec<f64>> {
    let mut reader = csv::Reader::from_path(path(file)).unwrap();
    let numbers =
        |record: Result<csv::StringRecord, _>| record.unwrap().iter().map(number).collect();
    reader.records().map(numbers).collect()
}

#[test]
fn values_equal_shap_s() {
    for golden in goldens() {
        let Golden { name, model, .. } = &golden;
        let attributor = Attributor::new(model, &golden.references).unwrap();
        let scale = golden.base.abs().max(1.0);
        assert!(
            (attributor.base_margin() - golden.base).abs() < TOLERANCE * scale,
            "{name}"
        );
        let mut largest = 0.0_f64;
        for (at, row) in golden.rows.iter().enumerate() {
            assert_eq!(
                model.margin(row).to_bits(),
                golden.margins[at].to_bits(),
                "{name} row {at}"
            );
            let contributions = attributor.contributions(row);
            for (value, expected) in contributions.iter().zip(&golden.contributions[at]) {
                assert!(expected.is_finite(), "{name} row {at}");
                largest = largest.max((value - expected).abs());
            }
        }
        println!("{name}: largest difference to shap {largest:e}");
        assert!(largest < TOLERANCE, "{name}: {largest}");
    }
}
