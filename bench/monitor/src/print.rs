//! The results for people.

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::counting::Counting;
use crate::durable::Durable;
use crate::memory::Memory;
use crate::report::Line;

/// Everything of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) counting: [Counting; 2],
    pub(crate) durable: Vec<Durable>,
    pub(crate) memory: Vec<Memory>,
    /// Decisions of the report.
    pub(crate) rows: usize,
    pub(crate) report: Vec<Line>,
}

/// Events a second of each store.
pub(crate) fn durable_table(lines: &[Durable]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_header(["store", "events", "written", "events/s"]);
    for line in lines {
        table.add_row([
            line.store.to_owned(),
            line.events.to_owned(),
            line.written.to_string(),
            format!("{:.0}", median(&line.events_per_second)),
        ]);
    }
    table
}

impl Results {
    /// Three tables in Markdown.
    pub(crate) fn text(&self) -> String {
        let [first, _] = &self.counting;
        format!(
            "Counting {} events on one processor, {} of them outcomes; the target is {TARGET_EVENTS:.0} a second\n\n{}\n\n\
             Written, with everything on one processor, PostgreSQL as well; the target is {TARGET_DURABLE:.0} a second\n\n{}\n\n\
             Memory of 100 groups over 90 days, counters with scores in 100 bins\n\n{}\n\n\
             A report of {} decisions, three attributes; the target is {TARGET_RATIO} times the first line\n\n{}",
            first.events,
            first.outcomes,
            self.counting_table(),
            durable_table(&self.durable),
            self.memory_table(),
            self.rows,
            self.report_table(),
        )
    }

    fn counting_table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header([
            "counters by model, arm, minute and",
            "events/s",
            "increments an event",
            "counters",
        ]);
        for counting in &self.counting {
            table.add_row([
                counting.by.to_owned(),
                format!("{:.0}", median(&counting.events_per_second)),
                format!("{:.1}", counting.increments_per_event),
                counting.counters.to_string(),
            ]);
        }
        table
    }

    fn memory_table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header([
            "counters of",
            "counters",
            "bytes each",
            "GiB",
        ]);
        for memory in &self.memory {
            table.add_row([
                memory.what.clone(),
                memory.counters.to_string(),
                format!("{:.0}", memory.bytes_per_counter),
                format!("{:.2}", memory.gib),
            ]);
        }
        table
    }

    fn report_table(&self) -> Table {
        let ours = self.report.first().map(|line| median(&line.milliseconds));
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header([
            "contender",
            "CPU ms",
            "times our report",
            "numbers compared",
            "greatest difference",
        ]);
        for line in &self.report {
            let milliseconds = median(&line.milliseconds);
            let ratio = ours.map_or(f64::NAN, |ours| milliseconds / ours);
            let difference = line
                .difference
                .map_or_else(String::new, |it| format!("{it:.0e}"));
            table.add_row([
                line.contender.clone(),
                format!("{milliseconds:.3}"),
                format!("{ratio:.1}"),
                line.compared.to_string(),
                difference,
            ]);
        }
        table
    }
}

const TARGET_EVENTS: f64 = 1e6;
const TARGET_DURABLE: f64 = 50_000.0;
const TARGET_RATIO: u32 = 100;

/// The middle of some numbers.
fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
