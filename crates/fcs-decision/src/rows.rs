//! The reference population and the golden rows of a package.

use crate::manifest::Manifest;
use csv::{Reader, StringRecord};

/// A row with the margin that the training library gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenRow {
    /// One value per feature, NaN for missing.
    pub values: Vec<f64>,
    /// The training library's own margin.
    pub margin: f64,
    /// The probability that belongs to it.
    pub probability: f64,
}

/// What is wrong with a file of rows.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// Not CSV.
    #[error("parse CSV")]
    Csv(#[from] csv::Error),
    /// Other columns than promised.
    #[error("the columns must be: {expected}")]
    Columns {
        /// The promised columns, comma-separated.
        expected: String,
    },
    /// A field that is not a number.
    #[error("row {row}: {text:?} is not a number")]
    Number {
        /// One-based row below the header.
        row: usize,
        /// The field.
        text: String,
    },
    /// Another number of rows than the manifest says.
    #[error("{found} rows instead of {expected}")]
    Count {
        /// Rows in the manifest.
        expected: usize,
        /// Rows in the file.
        found: usize,
    },
}

/// Fewer golden rows prove too little.
const GOLDEN_ROWS_MIN: usize = 64;

/// Reads `reference.csv`: one column per feature, an empty field is a missing value.
pub fn read_reference(bytes: &[u8], manifest: &Manifest) -> Result<Vec<Vec<f64>>, RowsError> {
    let rows = numbers(bytes, &feature_names(manifest))?;
    let expected = usize::try_from(manifest.reference_population.rows).unwrap_or(usize::MAX);
    if rows.len() != expected {
        return Err(RowsError::Count {
            expected,
            found: rows.len(),
        });
    }
    Ok(rows)
}

/// Reads `golden.csv`: one column per feature, then `margin` and `probability`.
pub fn read_golden(bytes: &[u8], manifest: &Manifest) -> Result<Vec<GoldenRow>, RowsError> {
    let mut columns = feature_names(manifest);
    let width = columns.len();
    columns.extend(["margin", "probability"]);
    let rows = numbers(bytes, &columns)?;
    if rows.len() < GOLDEN_ROWS_MIN {
        return Err(RowsError::Count {
            expected: GOLDEN_ROWS_MIN,
            found: rows.len(),
        });
    }
    let golden = |(position, mut row): (usize, Vec<f64>)| {
        let (margin, probability) = (row[width], row[width + 1]);
        if margin.is_nan() || probability.is_nan() {
            return Err(RowsError::Number {
                row: position + 1,
                text: String::new(),
            });
        }
        row.truncate(width);
        Ok(GoldenRow {
            values: row,
            margin,
            probability,
        })
    };
    rows.into_iter().enumerate().map(golden).collect()
}

fn feature_names(manifest: &Manifest) -> Vec<&str> {
    manifest
        .features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect()
}

fn numbers(bytes: &[u8], columns: &[&str]) -> Result<Vec<Vec<f64>>, RowsError> {
    let mut reader = Reader::from_reader(bytes);
    if !reader.headers()?.iter().eq(columns.iter().copied()) {
        return Err(RowsError::Columns {
            expected: columns.join(","),
        });
    }
    let mut rows = Vec::new();
    for (position, record) in reader.records().enumerate() {
        rows.push(row_of_numbers(&record?, position + 1)?);
    }
    Ok(rows)
}

fn row_of_numbers(record: &StringRecord, row: usize) -> Result<Vec<f64>, RowsError> {
    let number = |text: &str| {
        if text.is_empty() {
            return Ok(f64::NAN);
        }
        text.parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .ok_or_else(|| RowsError::Number {
                row,
                text: text.to_owned(),
            })
    };
    record.iter().map(number).collect()
}
