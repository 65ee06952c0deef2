//! A trained model on disk with the rows that it is measured on.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, ensure};
use fcs_forest::{Format, Model};
use serde::Deserialize;

/// Rows of numbers, one after the other, in the two widths that engines take. NaN is missing.
#[derive(Debug)]
pub(crate) struct Rows {
    /// Numbers per row.
    pub(crate) width: usize,
    /// For engines that take 64-bit numbers.
    pub(crate) doubles: Vec<f64>,
    /// The same numbers for engines that take 32-bit ones.
    pub(crate) singles: Vec<f32>,
}

impl Rows {
    /// Reads little-endian 64-bit numbers. With `round`, both widths hold the same 32-bit numbers, as a model does
    /// that was trained on them.
    pub(crate) fn read(path: &Path, width: usize, round: bool) -> anyhow::Result<Self> {
        let mut doubles = read_doubles(path)?;
        ensure!(
            doubles.len().is_multiple_of(width),
            "{} does not hold rows of {width} numbers",
            path.display()
        );
        #[expect(
            clippy::cast_possible_truncation,
            reason = "engines of 32 bits get the nearest number"
        )]
        let singles: Vec<f32> = doubles.iter().map(|number| *number as f32).collect();
        if round {
            doubles = singles.iter().map(|number| f64::from(*number)).collect();
        }
        Ok(Self {
            width,
            doubles,
            singles,
        })
    }

    /// Number of rows.
    pub(crate) fn count(&self) -> usize {
        self.doubles.len() / self.width
    }

    /// Rows from `first` on, as 64-bit numbers.
    pub(crate) fn doubles(&self, first: usize, count: usize) -> &[f64] {
        &self.doubles[first * self.width..][..count * self.width]
    }

    /// Rows from `first` on, as 32-bit numbers.
    pub(crate) fn singles(&self, first: usize, count: usize) -> &[f32] {
        &self.singles[first * self.width..][..count * self.width]
    }
}

/// Reads a file of little-endian 64-bit numbers.
pub(crate) fn read_doubles(path: &Path) -> anyhow::Result<Vec<f64>> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let (numbers, rest) = bytes.as_chunks::<8>();
    ensure!(
        rest.is_empty(),
        "{} does not hold 64-bit numbers",
        path.display()
    );
    Ok(numbers
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes))
        .collect())
}

/// One model to measure on.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Its name in tables.
    pub(crate) name: String,
    /// Where its files are.
    pub(crate) folder: PathBuf,
    /// The library that trained it.
    pub(crate) library: Library,
    /// The rows to score.
    pub(crate) rows: Rc<Rows>,
}

/// A library that trains models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Library {
    /// Writes `model.txt`.
    LightGbm,
    /// Writes `model.json`.
    XgBoost,
}

/// What `models.py` notes of a shape.
#[derive(Debug, Deserialize)]
struct Note {
    library: Library,
    features: usize,
}

impl Shape {
    /// Opens `data/name`, as `models.py` wrote it.
    pub(crate) fn open(data: &Path, name: &str) -> anyhow::Result<Self> {
        let folder = data.join(name);
        let path = folder.join("shape.json");
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let note: Note =
            serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))?;
        let round = note.library == Library::XgBoost;
        Ok(Self {
            name: name.to_owned(),
            folder,
            library: note.library,
            rows: Rc::new(Rows::read(&data.join("rows.f64"), note.features, round)?),
        })
    }

    /// Other rows as this model's own library sees them: XGBoost keeps 32 bits of a number.
    pub(crate) fn read_rows(&self, path: &Path) -> anyhow::Result<Rows> {
        Rows::read(path, self.rows.width, self.library == Library::XgBoost)
    }

    /// The model file.
    pub(crate) fn model_path(&self) -> PathBuf {
        self.folder.join(match self.library {
            Library::LightGbm => "model.txt",
            Library::XgBoost => "model.json",
        })
    }

    /// The contents of the model file.
    pub(crate) fn model_bytes(&self) -> anyhow::Result<Vec<u8>> {
        let path = self.model_path();
        fs::read(&path).with_context(|| format!("read {}", path.display()))
    }

    /// The model as our own reader sees it.
    pub(crate) fn model(&self) -> anyhow::Result<Model> {
        let bytes = self.model_bytes()?;
        let format = Format::detect(&bytes).context("tell the format of the model file")?;
        Model::read(&bytes, format).with_context(|| format!("read the model of {}", self.name))
    }
}
