//! What format 2 adds: where a model comes from, how it is computed, and how it did on rows it has not seen.

use std::collections::BTreeMap;

use fcs_core::{Digest, ModelVersion};
use serde::Deserialize;

use super::check::{is_commit, not_blank};

/// Largest number of bins of a table.
const BINS_MAX: usize = 1_000;

/// Where a model comes from. Every part is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lineage {
    /// SHA-256 of the source data as they were obtained.
    pub data_sha256: Option<Digest>,
    /// Commit of the repository that built the package, 7 to 64 hexadecimal digits.
    pub git_commit: Option<String>,
    /// SHA-256 of the training script.
    pub training_script_sha256: Option<Digest>,
    /// The model version that this one was developed from.
    pub parent: Option<ModelVersion>,
    /// Versions of the libraries that the training used, by name.
    pub libraries: BTreeMap<String, String>,
}

/// How the model is computed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineInfo {
    /// The kernel that must compute the margin; a server that cannot run it refuses the package.
    pub kernel: String,
}

/// Predicted against observed, on rows that the model was not trained on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Which rows.
    pub data: String,
    /// Bins of rows with similar predictions, in ascending order.
    pub bins: Vec<CalibrationBin>,
}

/// Rows with similar predictions.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationBin {
    /// Mean predicted probability of the adverse outcome.
    pub mean_probability: f64,
    /// Share of the rows with the adverse outcome.
    pub adverse_rate: f64,
    /// Number of rows.
    pub rows: u32,
}

/// How scores are distributed, on rows that the model was not trained on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreDistribution {
    /// Which rows.
    pub data: String,
    /// Edges of the bins in points, ascending: one more than there are bins. A bin holds the scores from its lower
    /// edge to below its upper one; the last bin also holds its upper edge.
    pub edges: Vec<i32>,
    /// Rows of each bin.
    pub rows: Vec<u32>,
}

pub(super) fn lineage(lineage: &Lineage, problems: &mut Vec<String>) {
    if let Some(commit) = &lineage.git_commit
        && !is_commit(commit)
    {
        problems
            .push("lineage.git_commit: must be 7 to 64 lower-case hexadecimal digits".to_owned());
    }
    for (name, version) in &lineage.libraries {
        not_blank("lineage.libraries", name, problems);
        not_blank(&format!("lineage.libraries.{name}"), version, problems);
    }
}

pub(super) fn engine(engine: &EngineInfo, problems: &mut Vec<String>) {
    not_blank("engine.kernel", &engine.kernel, problems);
}

pub(super) fn calibration(calibration: &Calibration, problems: &mut Vec<String>) {
    let bins = &calibration.bins;
    not_blank("calibration.data", &calibration.data, problems);
    if !(1..=BINS_MAX).contains(&bins.len()) {
        problems.push(format!("calibration.bins: must hold 1 to {BINS_MAX} bins"));
    }
    for (index, bin) in bins.iter().enumerate() {
        let mut add = |key: &str, problem: &str| {
            problems.push(format!("calibration.bins[{index}].{key}: {problem}"));
        };
        for (key, value) in [
            ("mean_probability", bin.mean_probability),
            ("adverse_rate", bin.adverse_rate),
        ] {
            if !(0.0..=1.0).contains(&value) {
                add(key, "must be from 0 to 1");
            }
        }
        if bin.rows == 0 {
            add("rows", "must be at least 1");
        }
    }
    if bins
        .windows(2)
        .any(|pair| pair[0].mean_probability >= pair[1].mean_probability)
    {
        problems.push("calibration.bins: mean_probability must ascend strictly".to_owned());
    }
}

pub(super) fn score_distribution(table: &ScoreDistribution, problems: &mut Vec<String>) {
    not_blank("score_distribution.data", &table.data, problems);
    if !(1..=BINS_MAX).contains(&table.rows.len()) {
        problems.push(format!(
            "score_distribution.rows: must hold 1 to {BINS_MAX} bins"
        ));
    }
    if table.edges.len() != table.rows.len() + 1 {
        problems.push(format!(
            "score_distribution.edges: must hold {} edges, found {}",
            table.rows.len() + 1,
            table.edges.len()
        ));
    }
    if table.edges.windows(2).any(|pair| pair[0] >= pair[1]) {
        problems.push("score_distribution.edges: must ascend strictly".to_owned());
    }
    if table.rows.iter().all(|rows| *rows == 0) {
        problems.push("score_distribution.rows: must hold at least one row".to_owned());
    }
}
