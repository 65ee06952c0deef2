//! `fcs model card`: one HTML file with everything that a reader must know of a model, and no outside resource.

mod charts;
mod effects;
mod page;
mod plot;

use std::path::Path;

use anyhow::Context as _;
use fcs_core::ModelVersion;
use fcs_decision::manifest::{FileRole, Manifest};
use fcs_forest::Engine;
use model_server::app::package::{Checked, SignedPackage, check};
use model_server::registry::Registry;
use serde::Serialize;

use super::{Keys, package_error};
use crate::cli::Global;
use crate::output::print;
use crate::progress;
use effects::{Effect, Margins, effect};

/// Rows that effects and attributions are computed over, at most; a larger population is thinned evenly.
const ROWS_MAX: usize = 1_000;
/// Bins of a histogram made here.
const SCORE_BINS: u32 = 24;

/// What the page shows, computed and read.
struct Facts<'a> {
    manifest: &'a Manifest,
    signers: String,
    trees: usize,
    scores: Scores,
    /// One per feature.
    effects: Vec<Effect>,
    /// Mean absolute attribution per feature over the golden rows, in log-odds; one per feature.
    importance: Vec<f64>,
    effect_rows: usize,
    golden_rows: usize,
    model_card: String,
    data_sheet: String,
}

/// A histogram of scores, and what it is of.
struct Scores {
    edges: Vec<f64>,
    rows: Vec<f64>,
    /// Which rows, from the manifest; or `None` when the golden rows had to do.
    data: Option<String>,
}

#[derive(Serialize)]
struct Written {
    model: ModelVersion,
    file: String,
    bytes: usize,
    calibration: &'static str,
    score_distribution: &'static str,
}

/// Writes the card of a verified package.
pub(super) async fn run(
    global: &Global,
    registry: &Registry,
    model: &ModelVersion,
    keys: &Keys,
    to: &Path,
) -> anyhow::Result<()> {
    let package = keys.fetch(registry, model).await?;
    let checked = check(&package).map_err(package_error)?;
    let facts = facts(&package, &checked);
    let html = page::page(&facts).into_string();
    std::fs::write(to, &html).with_context(|| format!("write {}", to.display()))?;
    let has = |given: bool| {
        if given {
            "from the package"
        } else {
            "not in the package"
        }
    };
    let written = Written {
        model: model.clone(),
        file: to.display().to_string(),
        bytes: html.len(),
        calibration: has(package.signed.manifest.calibration.is_some()),
        score_distribution: has(package.signed.manifest.score_distribution.is_some()),
    };
    print(global.output, &written, |written| {
        format!(
            "{} ({} bytes)\ncalibration: {}\nscore distribution: {}",
            written.file, written.bytes, written.calibration, written.score_distribution
        )
    })
}

impl Margins for Engine {
    fn margins(&self, rows: &[Vec<f64>]) -> Vec<f64> {
        let mut margins = vec![0.0; rows.len()];
        Engine::margins(self, &rows.concat(), &mut margins);
        margins
    }
}

fn facts<'a>(package: &'a SignedPackage, checked: &Checked) -> Facts<'a> {
    let manifest = &package.signed.manifest;
    let engine = Engine::new(&checked.model.forest);
    let rows = thinned(&checked.references);
    let bar = progress::bar("feature effects", manifest.features.len() as u64);
    let one = |(column, feature)| {
        let effect = effect(&engine, &rows, column, feature);
        bar.inc(1);
        effect
    };
    let effects = manifest.features.iter().enumerate().map(one).collect();
    bar.finish_and_clear();
    let text = |role| String::from_utf8_lossy(package.file(role)).into_owned();
    Facts {
        manifest,
        signers: super::signers(&package.signed.signatures),
        trees: checked.model.forest.tree_count(),
        scores: scores(manifest, checked),
        effects,
        importance: importance(checked, manifest.features.len()),
        effect_rows: rows.len(),
        golden_rows: checked.golden.len(),
        model_card: text(FileRole::ModelCard),
        data_sheet: text(FileRole::DataSheet),
    }
}

fn thinned(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let step = rows.len().div_ceil(ROWS_MAX).max(1);
    rows.iter().step_by(step).cloned().collect()
}

fn importance(checked: &Checked, width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; width];
    for row in &checked.golden {
        let contributions = checked.model.attributor.contributions(&row.values);
        for (sum, contribution) in sums.iter_mut().zip(contributions) {
            *sum += contribution.abs();
        }
    }
    let count = checked.golden.len() as f64;
    sums.into_iter().map(|sum| sum / count).collect()
}

/// The manifest's table; without one, the scores of the golden rows, in bins of one width.
fn scores(manifest: &Manifest, checked: &Checked) -> Scores {
    if let Some(table) = &manifest.score_distribution {
        return Scores {
            edges: table.edges.iter().copied().map(f64::from).collect(),
            rows: table.rows.iter().copied().map(f64::from).collect(),
            data: Some(table.data.clone()),
        };
    }
    let scale = &manifest.score;
    let low = f64::from(scale.minimum);
    let width = (f64::from(scale.maximum) - low) / f64::from(SCORE_BINS);
    let edges: Vec<f64> = (0..=SCORE_BINS)
        .map(|bin| low + width * f64::from(bin))
        .collect();
    let mut rows = vec![0.0; edges.len() - 1];
    for golden in &checked.golden {
        let score = f64::from(scale.scale(golden.margin));
        let bin = edges
            .partition_point(|edge| *edge <= score)
            .saturating_sub(1);
        let last = rows.len() - 1;
        rows[bin.min(last)] += 1.0;
    }
    Scores {
        edges,
        rows,
        data: None,
    }
}
