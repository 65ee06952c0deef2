//! The document of a run, and its tables.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{Contest, Target};
use crate::measure::Line;

/// Everything of one run.
#[derive(Default, Serialize)]
pub(crate) struct Report {
    lines: Vec<Compared>,
}

/// One contender at one concurrency, beside ours.
#[derive(Serialize)]
struct Compared {
    contest: &'static str,
    #[serde(flatten)]
    line: Line,
    /// Our answers in a second divided by its.
    answers_ratio: f64,
    /// Its CPU for an answer divided by ours.
    cpu_ratio: f64,
    /// The greatest difference of its probabilities from ours.
    difference: f64,
    target: Option<Target>,
    reached: Option<bool>,
}

impl Report {
    /// Takes the lines of a contest, which come by connections, then in the order of its contenders, ours first.
    pub(super) fn add(&mut self, contest: &Contest, lines: &[Line], differences: &[f64]) {
        for turn in lines.chunks(contest.entrants.len()) {
            let ours = &turn[0];
            for ((line, (_, target)), difference) in
                turn.iter().zip(&contest.entrants).zip(differences)
            {
                let answers_ratio = ours.per_second / line.per_second;
                let cpu_ratio = line.cpu_us / ours.cpu_us;
                let target = target.filter(|target| target.concerns(line.connections));
                self.lines.push(Compared {
                    contest: contest.title,
                    line: line.clone(),
                    answers_ratio,
                    cpu_ratio,
                    difference: *difference,
                    target,
                    reached: target.map(|target| match target {
                        Target::Cpu { ratio_min } => cpu_ratio >= ratio_min,
                        Target::Answers { ratio_min, .. } => answers_ratio >= ratio_min,
                    }),
                });
            }
        }
    }

    /// The tables, in Markdown.
    pub(crate) fn tables(&self) -> String {
        let contests = self.lines.chunk_by(|one, next| one.contest == next.contest);
        let tables =
            contests.map(|lines| format!("### {}\n\n{}\n", lines[0].contest, table(lines)));
        tables.collect::<Vec<_>>().join("\n")
    }
}

impl Target {
    fn concerns(self, measured: u32) -> bool {
        match self {
            Self::Cpu { .. } => true,
            Self::Answers { connections, .. } => connections == measured,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Cpu { ratio_min } => format!("CPU >= {ratio_min:.0}x"),
            Self::Answers { ratio_min, .. } => format!("answers >= {ratio_min:.0}x"),
        }
    }
}

const HEADER: [&str; 12] = [
    "contender",
    "connections",
    "answers/s",
    "p50 ms",
    "p99 ms",
    "CPU us",
    "memory MiB",
    "answers, ours / it",
    "CPU, it / ours",
    "target",
    "reached",
    "max difference",
];

fn table(lines: &[Compared]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(HEADER);
    for compared in lines {
        let line = &compared.line;
        let reached = compared.reached.map(|yes| if yes { "yes" } else { "NO" });
        table.add_row([
            line.contender.to_owned(),
            line.connections.to_string(),
            format!("{:.0}", line.per_second),
            format!("{:.2}", line.p50_ms),
            format!("{:.2}", line.p99_ms),
            format!("{:.0}", line.cpu_us),
            format!("{:.0}", line.memory_mib),
            format!("{:.2}x", compared.answers_ratio),
            format!("{:.2}x", compared.cpu_ratio),
            compared.target.map(Target::text).unwrap_or_default(),
            reached.unwrap_or_default().to_owned(),
            format!("{:.1e}", compared.difference),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
