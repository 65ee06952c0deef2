//! What was measured, as a table or a document.

use comfy_table::Table;
use serde::Serialize;

/// One contender at one concurrency; medians over the repetitions.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) contender: &'static str,
    pub(crate) connections: u32,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// CPU of all its processes for one answer.
    pub(crate) cpu_us: f64,
    pub(crate) memory_mib: f64,
}

/// Everything of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) lines: Vec<Line>,
    /// Rows a second of the bare commits.
    pub(crate) group_commit_per_second: f64,
}

impl Report {
    pub(crate) fn print(&self) {
        let mut table = Table::new();
        table.set_header([
            "contender",
            "connections",
            "answers/s",
            "p50 ms",
            "p99 ms",
            "CPU us",
            "memory MiB",
            "ours / it",
        ]);
        for line in &self.lines {
            let ours = self.lines.iter().find(|other| {
                other.connections == line.connections && other.contender == crate::OURS
            });
            let ratio = ours.map_or(f64::NAN, |ours| ours.per_second / line.per_second);
            table.add_row([
                line.contender.to_owned(),
                line.connections.to_string(),
                format!("{:.0}", line.per_second),
                format!("{:.2}", line.p50_ms),
                format!("{:.2}", line.p99_ms),
                format!("{:.0}", line.cpu_us),
                format!("{:.0}", line.memory_mib),
                format!("{ratio:.2}"),
            ]);
        }
        println!("{table}");
        println!(
            "bare commits of the same rows, 64 each: {:.0} rows/s",
            self.group_commit_per_second
        );
        for line in self
            .lines
            .iter()
            .filter(|line| line.contender == crate::OURS)
        {
            println!(
                "ours at {} connections: {:.0} % of them",
                line.connections,
                line.per_second / self.group_commit_per_second * 100.0
            );
        }
    }
}

/// The median; of an even number the lower one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN)
}
