//! What was measured, as a table or a document.

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::measure::Line;

/// Everything of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) lines: Vec<Line>,
    /// Rows a second of the bare commits.
    pub(crate) group_commit_per_second: f64,
}

impl Report {
    /// The table in Markdown, and what the limit says.
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header([
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
        let limit = self.group_commit_per_second;
        let ours = self.lines.iter().filter(|it| it.contender == crate::OURS);
        let shares = ours.map(|line| {
            let percent = line.per_second / limit * 100.0;
            format!(
                "ours at {} connections: {percent:.0} % of them\n",
                line.connections
            )
        });
        let shares: String = shares.collect();
        format!("{table}\n\nbare commits of the same rows, 64 each: {limit:.0} rows/s\n{shares}")
    }
}
