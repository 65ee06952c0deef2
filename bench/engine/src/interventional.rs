//! Contributions against a reference population, beside shap, which is called from Python.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::contest::{Outcome, Scale};
use crate::peers::ours::{PathContributions, ReferenceContributions};
use crate::peers::{self, Entrant, OURS};
use crate::shape::{Rows, Shape, read_doubles};
use crate::targets::{PATHS, SHAP};

/// How to call shap.
#[derive(Debug)]
pub(crate) struct Shap {
    /// The Python that has it.
    pub(crate) python: PathBuf,
    /// `interventional.py`.
    pub(crate) script: PathBuf,
    /// Where the test rows and the references are.
    pub(crate) data: PathBuf,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    microseconds_per_row: Vec<f64>,
    refused: Option<String>,
    #[serde(default)]
    missed: f64,
}

/// Rounding that shap is forgiven: it keeps some numbers in 32 bits.
const MISSED_MAX: f64 = 1e-5;

impl Shap {
    /// Explains the first rows against the first references. Its cost grows with the references, so the more there
    /// are, the fewer rows it gets.
    pub(crate) fn explain(&self, shape: &Shape, references: usize) -> anyhow::Result<Outcome> {
        let (rows, repetitions) = match references {
            0..=1_000 => (8, 3),
            1_001..=10_000 => (2, 1),
            _ => (1, 1),
        };
        let values = shape.folder.join("interventional.f64");
        let output = Command::new(&self.python)
            .arg(&self.script)
            .args([
                &shape.model_path(),
                &self.path("rows.f64"),
                &self.path("references.f64"),
            ])
            .args([rows, references, repetitions].map(|number: usize| number.to_string()))
            .arg(&values)
            .output()
            .with_context(|| format!("start {}", self.python.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let answer: Answer = serde_json::from_str(text.trim()).with_context(|| {
            let reason = String::from_utf8_lossy(&output.stderr);
            format!("call shap: {}", reason.trim())
        })?;
        if let Some(reason) = answer.refused {
            return Ok(Outcome::refused(SHAP, reason));
        }
        let answers = read_doubles(&values)?;
        ensure!(
            answers.len() == rows * shape.rows.width,
            "shap answers {} numbers for {rows} rows",
            answers.len()
        );
        let adds_up = answer.missed <= MISSED_MAX;
        Ok(Outcome {
            engine: SHAP.to_owned(),
            microseconds_per_row: answer.microseconds_per_row,
            helpers_share: 0.0,
            answers,
            scale: Scale::Margin,
            refused: None,
            fault: (!adds_up).then(|| {
                let missed = answer.missed;
                format!("wrong: its values miss the margin by up to {missed:.1}")
            }),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// The reference population, as a shape's model sees it.
    pub(crate) fn references(&self, shape: &Shape) -> anyhow::Result<Rows> {
        shape.read_rows(&self.path("references.f64"))
    }
}

/// Our own two kinds of contributions.
pub(crate) fn entrants<'a>(
    shape: &'a Shape,
    references: &'a Rows,
    count: usize,
) -> Vec<Entrant<'a>> {
    vec![
        peers::entrant(OURS, move || {
            ReferenceContributions::load(shape, references, count)
        }),
        peers::entrant(PATHS, || PathContributions::load(shape)),
    ]
}
