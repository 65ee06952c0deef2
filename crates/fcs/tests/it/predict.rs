//! `fcs model predict` and `bench`, against the golden vectors that each library's own package made.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::system::{fcs, json};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fcs-forest/tests/golden")
        .join(name)
}

fn predict(arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let arguments: Vec<&str> = ["model", "predict"]
        .iter()
        .chain(arguments)
        .copied()
        .collect();
    fcs(folder.path(), &arguments).output().unwrap()
}

/// A table of numbers by column name; an empty cell is NaN.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<f64>>,
}

impl Table {
    fn read(bytes: &[u8]) -> Self {
        let mut reader = csv::Reader::from_reader(bytes);
        let header = reader.headers().unwrap().iter().map(str::to_owned);
        Self {
            header: header.collect(),
            rows: reader
                .records()
                .map(|record| {
                    let cells = record.unwrap();
                    let number = |cell: &str| cell.parse().unwrap_or(f64::NAN);
                    cells.iter().map(number).collect()
                })
                .collect(),
        }
    }

    fn column(&self, name: &str) -> Vec<f64> {
        let at = self.header.iter().position(|column| column == name);
        let at = at.unwrap_or_else(|| panic!("no column {name} in {:?}", self.header));
        self.rows.iter().map(|row| row[at]).collect()
    }
}

#[test]
fn margins_and_contributions_are_the_library_s() {
    for (model, rows, tolerance) in [
        ("lightgbm/categories.txt", "lightgbm/categories.csv", 1e-12),
        (
            "lightgbm/random_forest.txt",
            "lightgbm/random_forest.csv",
            1e-12,
        ),
        (
            "xgboost/v3_partition.json",
            "xgboost/v3_partition.csv",
            1e-5,
        ),
        ("xgboost/v1_dart.ubj", "xgboost/v1_dart.csv", 1e-5),
    ] {
        let (model, rows) = (golden(model), golden(rows));
        let arguments = [model.to_str().unwrap(), "--rows", rows.to_str().unwrap()];
        let output = predict(&[&arguments[..], &["--contributions"]].concat());
        assert!(output.status.success(), "{output:?}");
        let expected = Table::read(&std::fs::read(&rows).unwrap());
        let found = Table::read(&output.stdout);
        assert_eq!(found.header[..2], ["margin", "probability"]);
        assert_eq!(found.header.last().unwrap(), "base");
        assert_eq!(found.rows.len(), expected.rows.len());
        assert_eq!(found.column("margin"), expected.column("margin"));
        for (found, expected) in found
            .column("probability")
            .iter()
            .zip(expected.column("output"))
        {
            assert!(
                (found - expected).abs() <= 1e-6 * expected.abs(),
                "{found} {expected}"
            );
        }
        for name in &found.header[2..] {
            let golden_name = match name.as_str() {
                "base" => "base".to_owned(),
                feature => format!("contribution.{feature}"),
            };
            for (found, expected) in found.column(name).iter().zip(expected.column(&golden_name)) {
                // XGBoost gives no contributions for rows that its matrices refuse.
                let is_close = expected.is_nan() || (found - expected).abs() <= tolerance;
                assert!(is_close, "{} {name}: {found} {expected}", model.display());
            }
        }
    }
}

#[test]
fn rows_come_from_standard_input_and_results_as_json() {
    let folder = TempDir::new().unwrap();
    let model = golden("lightgbm/numeric_nan.txt");
    let arguments = [
        "model",
        "predict",
        model.to_str().unwrap(),
        "--rows",
        "-",
        "--contributions",
        "-o",
        "json",
    ];
    let mut child = fcs(folder.path(), &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // In another order, with a column that the model does not know, and two ways to write a missing value.
    let rows = "third,label,first,second\n0.5,1,,NaN\n0.5,0,NaN,\n";
    child
        .stdin
        .take()
        .unwrap()
        .write_all(rows.as_bytes())
        .unwrap();
    let document = json(&child.wait_with_output().unwrap());
    let rows = document.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows[0]["contributions"]["third"].is_f64() && rows[0]["base"].is_f64());
    assert!(
        rows[0]["margin"].is_f64() && rows[0] == rows[1],
        "{document}"
    );
}

#[test]
fn contributions_can_be_measured_against_a_population() {
    let (model, rows) = (
        golden("xgboost/v3_logistic.json"),
        golden("xgboost/v3_logistic.csv"),
    );
    let (model, rows) = (model.to_str().unwrap(), rows.to_str().unwrap());
    let output = predict(&[
        model,
        "--rows",
        rows,
        "--contributions",
        "--references",
        rows,
    ]);
    let table = Table::read(&output.stdout);
    for (row, margin) in table.rows.iter().zip(table.column("margin")) {
        let sum: f64 = row[2..].iter().sum();
        assert!((sum - margin).abs() < 1e-4, "{sum} {margin}");
    }
}

#[test]
fn what_cannot_be_predicted_is_said_with_its_code() {
    let folder = TempDir::new().unwrap();
    let rows = folder.path().join("rows.csv");
    std::fs::write(&rows, "first,second,third\n1,two,3\n").unwrap();
    let model = golden("lightgbm/numeric_nan.txt");
    let (model, rows) = (model.to_str().unwrap(), rows.to_str().unwrap());
    for (arguments, code, message) in [
        (
            vec![model, "--rows", rows],
            2,
            "line 2: second: \"two\" is not a number",
        ),
        (vec!["nowhere.txt", "--rows", rows], 3, "read nowhere.txt"),
        (
            vec![rows, "--rows", rows],
            2,
            "name the format with --format",
        ),
        (
            vec![model, "--rows", rows, "--format", "pickle"],
            2,
            "\"pickle\" is no format",
        ),
        (
            vec![model, "--rows", rows, "--format", "xgboost-json"],
            1,
            "as xgboost-json",
        ),
        (
            vec![model, "--rows", rows, "--references", rows],
            2,
            "--contributions",
        ),
    ] {
        let output = predict(&arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(message), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_package_is_measured_with_its_golden_rows() {
    let folder = TempDir::new().unwrap();
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/boston-hmda/1");
    let arguments = [
        "model",
        "bench",
        package.to_str().unwrap(),
        "--seconds",
        "0.02",
        "-o",
        "json",
    ];
    let report = json(&fcs(folder.path(), &arguments).output().unwrap());
    assert!(report["kernel"].is_string(), "{report}");
    let measures = report["measures"].as_array().unwrap();
    assert_eq!(measures.len(), 5, "{report}");
    assert!(
        measures
            .iter()
            .all(|it| it["us_per_row"].as_f64().unwrap() > 0.0)
    );
}
