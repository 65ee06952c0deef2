//! A sheet for people: the metrics that are asked for first. JSON holds all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use fcs_fairness::scores::Resolution;
use fcs_fairness::sheet::{Cell, Group, Metric, Name, Sheet};
use fcs_fairness::{Measured, Undefined};

use super::compute::Document;
use super::decisions::Count;
use crate::output::table;

const OF_DECISIONS: [(&str, Name); 6] = [
    ("selection rate", Name::SelectionRate),
    ("adverse impact ratio", Name::AdverseImpactRatio),
    ("difference", Name::DemographicParityDifference),
    ("denial odds ratio", Name::DenialOddsRatio),
    ("Fisher", Name::FisherExact),
    ("standard deviations", Name::TwoStandardDeviations),
];

const OF_OUTCOMES: [(&str, Name); 4] = [
    (
        "true positive rate, difference",
        Name::EqualOpportunityDifference,
    ),
    (
        "false positive rate, difference",
        Name::FalsePositiveRateDifference,
    ),
    (
        "repaid among approved, difference",
        Name::PredictiveParityDifference,
    ),
    ("equalised odds difference", Name::EqualisedOddsDifference),
];

/// The whole text.
pub(super) fn text(document: &Document) -> String {
    let sheet = &document.sheet;
    let mut text = reading(&document.read);
    text.push_str(&spelled("decision", &document.values.decision));
    text.push_str(&spelled("label", &document.values.label));
    text.push_str(&of_sheet(sheet, !document.values.label.is_empty()));
    text
}

/// The groups of a sheet; those of outcomes only if any are known.
pub(super) fn of_sheet(sheet: &Sheet, with_outcomes: bool) -> String {
    let mut text = format!("\n{}\n", heading(sheet));
    let mut reasons = BTreeSet::new();
    let columns = OF_DECISIONS.map(Column::from);
    text.push_str(&groups(sheet, &columns, true, &mut reasons));
    if sheet.scores != Resolution::None {
        text.push_str("\nScores\n");
        text.push_str(&groups(sheet, &of_scores(sheet), false, &mut reasons));
    }
    if with_outcomes {
        text.push_str("\nOutcomes\n");
        let columns = OF_OUTCOMES.map(Column::from);
        text.push_str(&groups(sheet, &columns, false, &mut reasons));
    }
    text.push_str(&notes(sheet, &reasons));
    text
}

fn reading(read: &Count) -> String {
    let mut text = format!("{} decisions in {} rows", read.decisions, read.rows);
    for (count, what) in [
        (read.without_decision, "left out without a decision"),
        (read.without_label, "without a label"),
        (read.without_score, "without a score"),
    ] {
        if count > 0 {
            let _ = write!(text, "; {count} {what}");
        }
    }
    text.push('\n');
    text
}

/// How the cells of a column were understood, so that a wrong reading is seen.
pub(super) fn spelled<T: serde::Serialize>(
    column: &str,
    spelled: &BTreeMap<T, BTreeMap<String, u64>>,
) -> String {
    let mut parts = Vec::new();
    for (meaning, cells) in spelled {
        let meaning = word(meaning);
        for (cell, count) in cells {
            parts.push(format!("{cell} is {meaning} ({count})"));
        }
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("{column}: {}\n", parts.join(", "))
}

/// The name of a variant, in words.
pub(super) fn word<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().replace('_', " ")
}

fn heading(sheet: &Sheet) -> String {
    let within = sheet.stratum.as_ref();
    let within = within.map_or_else(String::new, |stratum| format!(" within {stratum}"));
    let compared = match (&sheet.reference, sheet.reference_undefined) {
        (Some(group), None) => format!("compared with {}", named(group)),
        (Some(group), Some(reason)) => format!("not compared with {}: {reason}", named(group)),
        (None, _) => "nothing to compare".to_owned(),
    };
    format!(
        "By {}{within} ({compared}; {} unknown)",
        sheet.attributes.join(" and "),
        sheet.without_value
    )
}

fn named(group: &Group) -> String {
    group.0.join(", ")
}

/// A column of a table of groups.
struct Column {
    header: String,
    name: Name,
    share: Option<f64>,
}

impl From<(&'static str, Name)> for Column {
    fn from((header, name): (&'static str, Name)) -> Self {
        Self {
            header: header.to_owned(),
            name,
            share: None,
        }
    }
}

/// The distance of the means, and adverse impact at each quantile that was asked for.
fn of_scores(sheet: &Sheet) -> Vec<Column> {
    let mut columns = vec![Column::from((
        "standardised mean difference",
        Name::StandardisedMeanDifference,
    ))];
    let metrics = sheet.cells.iter().flat_map(|cell| match cell {
        Cell::Shown { metrics, .. } => metrics.as_slice(),
        Cell::Suppressed { .. } | Cell::Inconsistent { .. } => &[],
    });
    let mut seen = Vec::new();
    for share in metrics.filter_map(|metric| metric.share_asked) {
        if !seen.contains(&share) {
            seen.push(share);
            columns.push(Column {
                header: format!("adverse impact ratio at {} %", share * 100.0),
                name: Name::AdverseImpactRatioAtQuantile,
                share: Some(share),
            });
        }
    }
    columns
}

fn groups(
    sheet: &Sheet,
    columns: &[Column],
    with_sizes: bool,
    reasons: &mut BTreeSet<Undefined>,
) -> String {
    let mut header = vec!["group"];
    if with_sizes {
        header.push("#decisions");
    }
    header.extend(columns.iter().map(|column| column.header.as_str()));
    let mut rows = Vec::with_capacity(sheet.cells.len());
    for cell in &sheet.cells {
        let (group, size, metrics) = parts(cell);
        let mut row = vec![named(group)];
        if with_sizes {
            row.push(size);
        }
        match metrics {
            Ok(metrics) => {
                row.extend(columns.iter().map(|column| show(column, metrics, reasons)));
            }
            Err(state) => row.resize(header.len(), state.to_owned()),
        }
        rows.push(row);
    }
    format!("{}\n", table(&header, rows))
}

/// The group of a cell, its size, and its metrics or why they are not shown.
fn parts(cell: &Cell) -> (&Group, String, Result<&[Metric], &'static str>) {
    match cell {
        Cell::Shown {
            group,
            tally,
            metrics,
        } => (group, tally.decisions().to_string(), Ok(metrics)),
        Cell::Suppressed { group, from, below } if *below == from + 1 => {
            (group, from.to_string(), Err("suppressed"))
        }
        Cell::Suppressed { group, from, below } => {
            (group, format!("{from} to {}", below - 1), Err("suppressed"))
        }
        Cell::Inconsistent { group } => (group, "–".to_owned(), Err("inconsistent")),
    }
}

fn show(column: &Column, metrics: &[Metric], reasons: &mut BTreeSet<Undefined>) -> String {
    let of_column =
        |metric: &&Metric| metric.name == column.name && metric.share_asked == column.share;
    let Some(metric) = metrics.iter().find(of_column) else {
        return "reference".to_owned();
    };
    match metric.result {
        Measured::Interval(found) => format!(
            "{:.3} [{:.3}, {:.3}]",
            found.value, found.lower, found.upper
        ),
        Measured::Point { value } => format!("{value:.3}"),
        Measured::Test(test) => match test.statistic {
            Some(statistic) => format!("{statistic:.2} (p {})", probability(test.p_value)),
            None => format!("p {}", probability(test.p_value)),
        },
        Measured::Undefined { reason } => {
            reasons.insert(reason);
            format!("– ({})", word(&reason))
        }
    }
}

fn probability(p: f64) -> String {
    if p >= 0.001 || p == 0.0 {
        format!("{p:.3}")
    } else {
        format!("{p:.0e}")
    }
}

fn notes(sheet: &Sheet, reasons: &BTreeSet<Undefined>) -> String {
    let mut text = String::from("\n");
    for reason in reasons {
        let _ = writeln!(text, "{}: {reason}.", word(reason));
    }
    let suppressed = |cell: &&Cell| matches!(cell, Cell::Suppressed { .. });
    if sheet.cells.iter().any(|cell| suppressed(&cell)) {
        let _ = writeln!(
            text,
            "suppressed: fewer than {} decisions (--minimum-cell-size).",
            sheet.minimum_cell_size
        );
    }
    let _ = writeln!(
        text,
        "Intervals have {} % confidence, for one look at a fixed file. -o json has every metric with its counts.",
        sheet.confidence.get() * 100.0
    );
    text
}
