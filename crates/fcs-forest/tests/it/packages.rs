//! The model packages of this repository: every row of their data against LightGBM, 200 rows against golden
//! attributions, 20 against plain enumeration. How the golden files are made is told in `models/training/oracle.py`:
//! where a model has categorical splits, shap's tree explainer is wrong and the 200 rows are enumerated too.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use fcs_forest::{Attributor, Model};
use flate2::read::GzDecoder;

use crate::naive::NaiveModel;
use crate::{close, number};

struct Package {
    name: &'static str,
    rows: usize,
}

const PACKAGES: [Package; 2] = [
    Package {
        name: "taiwan-default",
        rows: 30_000,
    },
    Package {
        name: "boston-hmda",
        rows: 2_380,
    },
];
const SHAP_ROWS: usize = 200;
const ENUMERATED_ROWS: usize = 20;
const ENUMERATED_REFERENCES: usize = 25;

/// A table of numbers with named columns.
struct Table {
    columns: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

impl Table {
    fn new(reader: impl Read) -> Self {
        let mut reader = csv::Reader::from_reader(reader);
        let columns = reader
            .headers()
            .unwrap()
            .iter()
            .map(str::to_owned)
            .collect();
        Self {
            columns,
            rows: reader.records().map(Result::unwrap).collect(),
        }
    }

    /// The numbers of some columns, row by row. A column that is not there is an error.
    fn select(&self, names: &[String]) -> Vec<Vec<f64>> {
        let find = |name| self.columns.iter().position(|column| column == name);
        let positions: Vec<usize> = names
            .iter()
            .map(|name| find(name).unwrap_or_else(|| panic!("no {name}")))
            .collect();
        let cells =
            |row: &csv::StringRecord| positions.iter().map(|&at| number(&row[at])).collect();
        self.rows.iter().map(cells).collect()
    }

    fn column(&self, name: &str) -> Vec<f64> {
        self.select(&[name.to_owned()])
            .into_iter()
            .map(|row| row[0])
            .collect()
    }
}

impl Package {
    fn open(&self, path: &str) -> File {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../models")
            .join(self.name);
        let path = root.join(path);
        File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.open("1/model.txt").read_to_string(&mut text).unwrap();
        text
    }

    fn forest(&self) -> Model {
        crate::read(&self.text()).unwrap()
    }

    fn references(&self, forest: &Model) -> Vec<Vec<f64>> {
        Table::new(self.open("1/reference.csv")).select(forest.feature_names())
    }

    fn data(&self, file: &str) -> Table {
        Table::new(GzDecoder::new(self.open(&format!("data/{file}"))))
    }

    /// The largest difference between this crate's attributions and a golden file's, against the whole reference
    /// population. Checks on the way that margins, bases and sums agree.
    fn largest_difference(&self, file: &str, expected_rows: usize) -> f64 {
        let forest = self.forest();
        let attributor = Attributor::new(&forest, &self.references(&forest)).unwrap();
        let table = self.data(file);
        let rows = table.select(forest.feature_names());
        assert_eq!(rows.len(), expected_rows, "{} {file}", self.name);
        let name = |feature: &String| format!("contribution.{feature}");
        let columns: Vec<String> = forest.feature_names().iter().map(name).collect();
        let expected = table.select(&columns);
        let (margins, bases) = (table.column("margin"), table.column("base"));
        let mut largest = 0.0_f64;
        for (at, row) in rows.iter().enumerate() {
            assert!(
                close(forest.margin(row), margins[at], 1e-12),
                "{} row {at}",
                self.name
            );
            assert!(
                close(attributor.base_margin(), bases[at], 1e-6),
                "{} row {at}",
                self.name
            );
            let contributions = attributor.contributions(row);
            let total = attributor.base_margin() + contributions.iter().sum::<f64>();
            assert!(
                (total - margins[at]).abs() < 1e-9,
                "{} row {at}: {total}",
                self.name
            );
            for (value, expected) in contributions.iter().zip(&expected[at]) {
                assert!(expected.is_finite(), "{} row {at}", self.name);
                largest = largest.max((value - expected).abs());
            }
        }
        largest
    }
}

#[test]
fn margins_equal_lightgbm_s_on_every_row() {
    for package in &PACKAGES {
        let forest = package.forest();
        let table = package.data("margins.csv.gz");
        let rows = table.select(forest.feature_names());
        assert_eq!(rows.len(), package.rows, "{}", package.name);
        let mut bit_equal = 0;
        for (row, margin) in rows.iter().zip(table.column("margin")) {
            let found = forest.margin(row);
            assert!(
                close(found, margin, 1e-12),
                "{} {row:?}: {found} {margin}",
                package.name
            );
            bit_equal += usize::from(found.to_bits() == margin.to_bits());
        }
        println!(
            "{}: {bit_equal} of {} margins are equal in every bit",
            package.name,
            rows.len()
        );
    }
}

#[test]
fn attributions_add_up_and_agree_with_shap() {
    for package in &PACKAGES {
        let largest = package.largest_difference("shap.csv.gz", SHAP_ROWS);
        println!(
            "{}: largest difference to shap.csv.gz {largest:e}",
            package.name
        );
        assert!(largest < 1e-6, "{}: {largest}", package.name);
    }
}

#[test]
fn attributions_equal_the_enumeration_with_lightgbm_s_own_predictions() {
    for package in &PACKAGES {
        let largest = package.largest_difference("enumeration.csv.gz", ENUMERATED_ROWS);
        println!(
            "{}: largest difference to enumeration.csv.gz {largest:e}",
            package.name
        );
        assert!(largest < 1e-10, "{}: {largest}", package.name);
    }
}

#[test]
fn attributions_equal_this_crate_s_naive_enumeration() {
    for package in &PACKAGES {
        let forest = package.forest();
        let naive = NaiveModel::new(&package.text());
        let all = package.references(&forest);
        let references: Vec<Vec<f64>> = all
            .iter()
            .step_by(all.len() / ENUMERATED_REFERENCES)
            .take(ENUMERATED_REFERENCES)
            .cloned()
            .collect();
        assert_eq!(references.len(), ENUMERATED_REFERENCES, "{}", package.name);
        let attributor = Attributor::new(&forest, &references).unwrap();
        let rows = package.data("shap.csv.gz").select(forest.feature_names());
        let rows: Vec<_> = rows.iter().step_by(SHAP_ROWS / ENUMERATED_ROWS).collect();
        assert_eq!(rows.len(), ENUMERATED_ROWS, "{}", package.name);
        let mut largest = 0.0_f64;
        for row in rows {
            let expected = naive.shapley_values(row, &references);
            for (value, expected) in attributor.contributions(row).iter().zip(expected) {
                largest = largest.max((value - expected).abs());
            }
        }
        println!(
            "{}: largest difference to naive enumeration {largest:e}",
            package.name
        );
        assert!(largest < 1e-10, "{}: {largest}", package.name);
    }
}
