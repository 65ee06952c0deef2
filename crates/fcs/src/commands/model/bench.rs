//! `fcs model bench`: how fast this machine scores and attributes with a model, on one thread.

use std::path::Path;
use std::time::{Duration, Instant};

use fcs_forest::{Attributor, Engine, Model, PathAttributor};
use serde::Serialize;

use super::file::{Rows, read_model};
use crate::cli::{BenchArguments, Format};
use crate::exit::CliError;
use crate::output::{print, table};
use crate::progress;

/// Rows of the batches that are measured.
const BATCHES: [usize; 3] = [1, 16, 256];
/// Rounds of a measurement, of which the median counts.
const ROUNDS: u32 = 9;

#[derive(Serialize)]
struct Report {
    model: String,
    trees: usize,
    leaves: usize,
    kernel: &'static str,
    /// Reading and compiling the model file.
    load_ms: f64,
    measures: Vec<Measure>,
}

#[derive(Serialize)]
struct Measure {
    what: String,
    /// Median of the rounds.
    us_per_row: f64,
    rows_per_second: f64,
}

/// Runs the command.
pub(super) fn run(output: Format, arguments: &BenchArguments) -> anyhow::Result<()> {
    if !(arguments.seconds > 0.0 && arguments.seconds <= 60.0) {
        return Err(
            CliError::Usage("--seconds: name more than 0 and at most 60".to_owned()).into(),
        );
    }
    let start = Instant::now();
    let model = read_model(&arguments.file, arguments.format.as_deref())?;
    let engine = Engine::new(&model);
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    let rows = rows(&model, arguments)?;
    let report = Report {
        model: arguments.file.display().to_string(),
        trees: model.tree_count(),
        leaves: model.leaf_count(),
        kernel: engine.kernel().name(),
        load_ms,
        measures: measure(&engine, &rows, Duration::from_secs_f64(arguments.seconds)),
    };
    print(output, &report, text)
}

/// The rows to score; a package brings its own.
fn rows(model: &Model, arguments: &BenchArguments) -> anyhow::Result<Vec<f64>> {
    let golden = arguments.file.join("golden.csv");
    let path: &Path = match &arguments.rows {
        Some(path) => path,
        None if golden.is_file() => &golden,
        None => return Err(CliError::Usage("name rows to score with --rows".to_owned()).into()),
    };
    let rows = Rows::open(path, model)?.all()?;
    if rows.is_empty() {
        return Err(CliError::Usage(format!("{} holds no rows", path.display())).into());
    }
    Ok(rows)
}

fn measure(engine: &Engine, rows: &[f64], time: Duration) -> Vec<Measure> {
    let model = engine.model();
    let width = model.feature_names().len();
    let progress = progress::spinner("measuring".to_owned());
    let mut measures = Vec::new();
    for batch in BATCHES {
        let batch = batch.min(rows.len() / width);
        let whole = &rows[..rows.len() / width / batch * batch * width];
        let mut margins = vec![0.0; batch];
        let what = format!("margins, {batch} at once");
        measures.push(timed(what, time, whole.len() / width, || {
            for rows in whole.chunks_exact(batch * width) {
                engine.margins(rows, &mut margins);
            }
            std::hint::black_box(&margins);
        }));
    }
    let mut contributions = vec![0.0; rows.len()];
    if let Ok(paths) = PathAttributor::new(model) {
        measures.push(timed(
            "contributions along paths".into(),
            time,
            rows.len() / width,
            || {
                paths.contributions_of(rows, &mut contributions);
                std::hint::black_box(&contributions);
            },
        ));
    }
    let references: Vec<Vec<f64>> = rows.chunks(width).map(<[f64]>::to_vec).collect();
    if let Ok(attributor) = Attributor::new(model, &references) {
        let what = format!("contributions against {} references", references.len());
        measures.push(timed(what, time, rows.len() / width, || {
            attributor.contributions_of(rows, &mut contributions);
            std::hint::black_box(&contributions);
        }));
    }
    progress.finish_and_clear();
    measures
}

/// The median time per row of some rounds that take about `time` together; each calls `work` at least once.
fn timed(what: String, time: Duration, row_count: usize, mut work: impl FnMut()) -> Measure {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut calls = 0_u32;
        while calls == 0 || start.elapsed() < time / ROUNDS {
            work();
            calls += 1;
        }
        rounds.push(start.elapsed().as_secs_f64() / f64::from(calls) / row_count as f64);
    }
    rounds.sort_by(f64::total_cmp);
    let median = rounds[rounds.len() / 2];
    Measure {
        what,
        us_per_row: median * 1e6,
        rows_per_second: 1.0 / median,
    }
}

fn text(report: &Report) -> String {
    let rows = report.measures.iter().map(|measure| {
        vec![
            measure.what.clone(),
            format!("{:.2}", measure.us_per_row),
            format!("{:.0}", measure.rows_per_second),
        ]
    });
    format!(
        "{}: {} trees, {} leaves, kernel {}, ready after {:.1} ms\none thread, medians of {ROUNDS} rounds\n\n{}",
        report.model,
        report.trees,
        report.leaves,
        report.kernel,
        report.load_ms,
        table(&["what", "#\u{b5}s per row", "#rows per second"], rows)
    )
}
