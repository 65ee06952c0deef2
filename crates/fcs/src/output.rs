//! Printing results: tables for people, one JSON document for programs. The one place that writes them to standard
//! output.

use std::io::{self, Write as _};

use comfy_table::{Cell, CellAlignment, LineStyle, Table, TableStyle};
use serde::Serialize;

use crate::cli::Format;

/// Prints a value as JSON, or what `table` makes of it.
pub(crate) fn print<T: Serialize>(
    format: Format,
    value: &T,
    table: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    let text = match format {
        Format::Json => serde_json::to_string_pretty(value)?,
        Format::Table => table(value).trim_end().to_owned(),
    };
    line(&text)
}

/// Prints one line of a result that comes in lines.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// One line below the header, and nothing else that is not data.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table with a header; columns whose header starts with `#` are numbers and align right.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(header.iter().map(|name| name.trim_start_matches('#')));
    for row in rows {
        table.add_row(row.into_iter().map(Cell::new));
    }
    for (index, name) in header.iter().enumerate() {
        if let (true, Some(column)) = (name.starts_with('#'), table.column_mut(index)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// A horizontal bar of up to `width` cells for a share of the greatest value.
pub(crate) fn bar(share: f64, width: u8) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * f64::from(width) * 8.0).round();
    let mut bar = String::new();
    let mut left = eighths;
    while left >= 8.0 {
        bar.push('█');
        left -= 8.0;
    }
    let rest = EIGHTHS
        .iter()
        .enumerate()
        .find(|(eighth, _)| *eighth as f64 >= left);
    bar.push_str(rest.map_or("", |(_, cell)| cell));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_share() {
        assert_eq!(bar(0.0, 4), "");
        assert_eq!(bar(0.5, 4), "██");
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(0.3, 1), "▎");
        assert_eq!(bar(7.0, 2), "██", "a share above one fills the bar");
    }

    #[test]
    fn tables_hold_every_cell() {
        let text = table(&["name", "#count"], [vec!["a".into(), "1".into()]]);
        assert!(text.contains("name") && text.contains("count") && !text.contains('#'));
    }
}
