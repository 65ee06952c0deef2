//! The document of a run, and its tables.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use serde_json::Value;

use crate::contest::Outcome;
use crate::peers::OURS;
use crate::targets::{self, Measure};

/// All that was measured in one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What the processor calls itself.
    pub(crate) processor: String,
    /// Whether expensive peers and repetitions were left out.
    pub(crate) quick: bool,
    /// Times are thread CPU time; ratios are of the least times.
    pub(crate) unit: &'static str,
    /// Per shape, what building the peers took.
    pub(crate) builds: Value,
    /// The contests.
    pub(crate) contests: Vec<Contest>,
}

/// One contest.
#[derive(Debug, Serialize)]
pub(crate) struct Contest {
    /// The model.
    pub(crate) shape: String,
    /// What was asked.
    pub(crate) measure: Measure,
    /// Rows per call; references for contributions against a population.
    pub(crate) size: usize,
    /// Different rows per repetition.
    pub(crate) rows: usize,
    /// How our engine finds leaves.
    pub(crate) kernel: String,
    /// Engines, ours first.
    pub(crate) engines: Vec<Line>,
}

/// One engine in one contest.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    /// Its name.
    pub(crate) engine: String,
    /// Least of the repetitions.
    pub(crate) microseconds_min: Option<f64>,
    /// Median of the repetitions.
    pub(crate) microseconds_median: Option<f64>,
    /// Its least time divided by ours.
    pub(crate) ratio: Option<f64>,
    /// What the ratio is meant to be at least.
    pub(crate) ratio_target: Option<f64>,
    /// The time that ours is meant to take at most.
    pub(crate) microseconds_target: Option<f64>,
    /// Greatest difference from the model's own library.
    pub(crate) difference: Option<f64>,
    /// What the difference is meant to be at most.
    pub(crate) difference_target: Option<f64>,
    /// CPU time of other threads, as a share of its own.
    pub(crate) helpers_share: f64,
    /// Why it has no times.
    pub(crate) refused: Option<String>,
    /// What is wrong with its answers, which are then compared with nothing.
    pub(crate) fault: Option<String>,
}

impl Line {
    /// Whether everything that was named is reached; `None` when nothing is.
    pub(crate) fn reached(&self) -> Option<bool> {
        let checks = [
            self.ratio_target
                .map(|least| self.ratio.is_some_and(|ratio| ratio >= least)),
            self.microseconds_target
                .map(|most| self.microseconds_min.is_some_and(|time| time <= most)),
            self.difference_target
                .map(|most| self.difference.is_some_and(|found| found <= most)),
        ];
        checks.into_iter().flatten().reduce(|all, one| all && one)
    }
}

impl Contest {
    /// Compares the outcomes with ours and with the right answers, which the engine `right` gave.
    pub(crate) fn new(
        (shape, measure, size): (&str, Measure, usize),
        (rows, kernel): (usize, &str),
        outcomes: &[Outcome],
        right: &str,
    ) -> Self {
        let named = |name: &str| outcomes.iter().find(|outcome| outcome.engine == name);
        let ours = named(OURS).and_then(Outcome::min);
        let lines = outcomes.iter().map(|outcome| {
            let is_ours = outcome.engine == OURS;
            let right = named(right)
                .filter(|right| right.engine != outcome.engine && right.fault.is_none());
            Line {
                engine: outcome.engine.clone(),
                microseconds_min: outcome.min(),
                microseconds_median: outcome.median(),
                ratio: outcome.min().zip(ours).map(|(theirs, ours)| theirs / ours),
                ratio_target: targets::ratio_min(shape, measure, size, &outcome.engine)
                    .filter(|_| outcome.refused.is_none()),
                microseconds_target: targets::microseconds_max(shape, measure).filter(|_| is_ours),
                difference: right.and_then(|right| outcome.difference(right)),
                difference_target: targets::difference_max(shape, measure).filter(|_| is_ours),
                helpers_share: outcome.helpers_share,
                refused: outcome.refused.clone(),
                fault: outcome.fault.clone(),
            }
        });
        Self {
            shape: shape.to_owned(),
            measure,
            size,
            rows,
            kernel: kernel.to_owned(),
            engines: lines.collect(),
        }
    }

    fn title(&self) -> String {
        let (shape, size, rows) = (&self.shape, self.size, self.rows);
        match self.measure {
            Measure::Predict => format!(
                "{shape}: margins, {size} a call, {rows} different rows ({})",
                self.kernel
            ),
            Measure::PathContributions => {
                format!("{shape}: contributions along paths, {size} a call, {rows} different rows")
            }
            Measure::ReferenceContributions => {
                format!("{shape}: contributions against {size} references, {rows} different rows")
            }
            Measure::Load => format!(
                "{shape}: from the model file to the first margin (lleaves and tl2cgen: compiled before)"
            ),
        }
    }
}

impl Report {
    /// The tables, in Markdown.
    pub(crate) fn tables(&self) -> String {
        let mut parts = vec![format!(
            "{}{}\nThread CPU time per row; ratios are of the least times.\n",
            self.processor,
            if self.quick { ", quick" } else { "" }
        )];
        for contest in &self.contests {
            parts.push(format!("### {}\n\n{}\n", contest.title(), table(contest)));
        }
        parts.join("\n")
    }
}

const HEADER: [&str; 7] = [
    "engine",
    "min µs",
    "median µs",
    "ratio",
    "target",
    "reached",
    "max difference",
];

fn table(contest: &Contest) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(HEADER);
    for line in &contest.engines {
        table.add_row(cells(line));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn cells(line: &Line) -> [String; 7] {
    let mut engine = vec![line.engine.clone()];
    engine.extend(line.refused.as_ref().map(|why| format!("refused: {why}")));
    engine.extend(line.fault.clone());
    if line.helpers_share > 0.05 {
        let percent = line.helpers_share * 100.0;
        engine.push(format!("+{percent:.0} % in other threads"));
    }
    let mut targets = Vec::new();
    targets.extend(
        line.ratio_target
            .map(|least| format!(">= {}x", number(least))),
    );
    targets.extend(
        line.microseconds_target
            .map(|most| format!("<= {}", number(most))),
    );
    targets.extend(line.difference_target.map(|most| format!("<= {most:.0e}")));
    let reached = line.reached().map(|yes| if yes { "yes" } else { "NO" });
    [
        engine.join(", "),
        line.microseconds_min.map(number).unwrap_or_default(),
        line.microseconds_median.map(number).unwrap_or_default(),
        line.ratio
            .map(|ratio| format!("{}x", number(ratio)))
            .unwrap_or_default(),
        targets.join(", "),
        reached.unwrap_or_default().to_owned(),
        line.difference
            .map(|found| format!("{found:.1e}"))
            .unwrap_or_default(),
    ]
}

/// Three digits, or all that stand before the point.
fn number(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
