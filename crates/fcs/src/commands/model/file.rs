//! Model files and files of rows, as `fcs model predict` and `bench` read them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use csv::{Reader, ReaderBuilder, StringRecord};
use fcs_forest::{Format, Model};
use model_server::app::models::describe;

use crate::exit::CliError;

/// Extensions of model files whose first bytes may not tell the format.
const EXTENSIONS: [(&str, Format); 4] = [
    ("onnx", Format::Onnx),
    ("ubj", Format::XgBoostUbj),
    ("json", Format::XgBoostJson),
    ("txt", Format::LightGbmText),
];

/// Reads a model file, or the model file of the package in a folder.
pub(super) fn read_model(path: &Path, format: Option<&str>) -> anyhow::Result<Model> {
    if path.is_dir() {
        return read_model_of_package(path);
    }
    let bytes = read(path)?;
    let format = match format {
        Some(name) => Format::from_name(name).ok_or_else(|| {
            let known: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
            CliError::Usage(format!(
                "{name:?} is no format of a model file; use one of {}",
                known.join(", ")
            ))
        })?,
        None => detect(path, &bytes)?,
    };
    parse(path, &bytes, format)
}

fn detect(path: &Path, bytes: &[u8]) -> Result<Format, CliError> {
    let by_extension = || {
        let extension = path.extension()?.to_str()?;
        let (_, format) = EXTENSIONS.iter().find(|(name, _)| *name == extension)?;
        Some(*format)
    };
    Format::detect(bytes).or_else(by_extension).ok_or_else(|| {
        CliError::Usage(format!(
            "{}: the first bytes look like no model that is read here; name the format with --format",
            path.display()
        ))
    })
}

/// The model file that a package's manifest names. Signatures and digests are the business of `fcs model verify`.
fn read_model_of_package(folder: &Path) -> anyhow::Result<Model> {
    let manifest = read(&folder.join(model_server::registry::MANIFEST_FILE))?;
    let manifest = fcs_decision::manifest::Manifest::parse(&manifest)?;
    let entry = manifest.file(fcs_decision::manifest::FileRole::Model);
    let format = Format::from_name(&entry.format).ok_or_else(|| {
        CliError::Usage(format!(
            "models in the format {} are not read here",
            entry.format
        ))
    })?;
    let path = folder.join(&entry.path);
    parse(&path, &read(&path)?, format)
}

fn parse(path: &Path, bytes: &[u8], format: Format) -> anyhow::Result<Model> {
    Model::read(bytes, format).map_err(|error| {
        anyhow::anyhow!("read {} as {format}: {}", path.display(), describe(&error))
    })
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path).map_err(|error| CliError::NotFound(format!("read {}: {error}", path.display())))
}

/// Rows of a CSV file, in the order of a model's features.
pub(super) struct Rows {
    reader: Reader<Box<dyn Read>>,
    path: String,
    /// Of each feature, its column in the file.
    columns: Vec<usize>,
    names: Vec<String>,
    record: StringRecord,
}

impl Rows {
    /// Opens a file and finds the model's features in its header. "-" is standard input.
    pub(super) fn open(path: &Path, model: &Model) -> anyhow::Result<Self> {
        let source: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(path)
                .map_err(|error| CliError::NotFound(format!("read {}: {error}", path.display())))?;
            Box::new(file)
        };
        let path = path.display().to_string();
        let mut reader = ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(source);
        let header = reader
            .headers()
            .map_err(|error| CliError::Usage(format!("{path}: {error}")))?
            .clone();
        let names = model.feature_names();
        let columns = find_columns(&header, names)
            .map_err(|problem| CliError::Usage(format!("{path}: {problem}")))?;
        Ok(Self {
            reader,
            path,
            columns,
            names: names.to_vec(),
            record: StringRecord::new(),
        })
    }

    /// Appends the next row to `row`; false at the end of the file.
    pub(super) fn next(&mut self, row: &mut Vec<f64>) -> anyhow::Result<bool> {
        let more = self
            .reader
            .read_record(&mut self.record)
            .map_err(|error| CliError::Usage(format!("{}: {error}", self.path)))?;
        if !more {
            return Ok(false);
        }
        for (column, name) in self.columns.iter().zip(&self.names) {
            let cell = self.record.get(*column).unwrap_or_default();
            let value = number(cell).ok_or_else(|| {
                let line = self.record.position().map_or(0, csv::Position::line);
                CliError::Usage(format!(
                    "{} line {line}: {name}: {cell:?} is not a number; leave a missing value empty",
                    self.path
                ))
            })?;
            row.push(value);
        }
        Ok(true)
    }

    /// All rows, one after the other.
    pub(super) fn all(mut self) -> anyhow::Result<Vec<f64>> {
        let mut rows = Vec::new();
        while self.next(&mut rows)? {}
        Ok(rows)
    }
}

fn number(cell: &str) -> Option<f64> {
    if cell.is_empty() {
        return Some(f64::NAN);
    }
    cell.parse().ok()
}

/// Missing columns that an error names.
const SHOWN: usize = 5;

/// The column of each feature: by name, or in order when the model's names say nothing.
fn find_columns(header: &StringRecord, names: &[String]) -> Result<Vec<usize>, String> {
    let find = |name: &String| header.iter().position(|column| column == name);
    let missing: Vec<&str> = names
        .iter()
        .filter(|name| find(name).is_none())
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return Ok(names.iter().filter_map(find).collect());
    }
    let is_made_up = names.iter().enumerate().all(|(position, name)| {
        ["Column_", "f"]
            .iter()
            .any(|prefix| *name == format!("{prefix}{position}"))
    });
    if is_made_up && missing.len() == names.len() && header.len() == names.len() {
        return Ok((0..names.len()).collect());
    }
    let more = match missing.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(format!(
        "the header has no column for {}{more} of the model's {} features",
        missing[..missing.len().min(SHOWN)].join(", "),
        names.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(header: &[&str], names: &[&str]) -> Result<Vec<usize>, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        find_columns(&StringRecord::from(header.to_vec()), &names)
    }

    #[test]
    fn columns_are_found_by_name_and_in_order_only_without_names() {
        assert_eq!(columns(&["b", "x", "a"], &["a", "b"]), Ok(vec![2, 0]));
        assert_eq!(
            columns(&["p", "q"], &["Column_0", "Column_1"]),
            Ok(vec![0, 1])
        );
        assert_eq!(columns(&["p", "q"], &["f0", "f1"]), Ok(vec![0, 1]));
        assert!(columns(&["p", "q", "r"], &["f0", "f1"]).is_err());
        let problem = columns(&["a"], &["a", "b"]).expect_err("b is missing");
        assert_eq!(
            problem,
            "the header has no column for b of the model's 2 features"
        );
    }

    #[test]
    fn cells_are_numbers_or_missing() {
        assert!(number("").is_some_and(f64::is_nan));
        assert!(number("NaN").is_some_and(f64::is_nan));
        assert_eq!(number("-1.5e3"), Some(-1500.0));
        assert_eq!(number("inf"), Some(f64::INFINITY));
        assert_eq!(number("abc"), None);
    }
}
