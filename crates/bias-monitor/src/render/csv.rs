//! The groups as a table.

use csv::Writer;
use fcs_fairness::report::GroupReport;
use fcs_fairness::sheet::{Cell, Group, Name, Sheet};
use fcs_fairness::{Interval, Measured, Verdict};

use crate::app::document::Document;

const HEADER: [&str; 18] = [
    "attribute",
    "group",
    "reference_group",
    "decisions",
    "approved",
    "referred",
    "denied",
    "approval_rate",
    "approval_rate_lower",
    "approval_rate_upper",
    "adverse_impact_ratio",
    "adverse_impact_ratio_lower",
    "adverse_impact_ratio_upper",
    "standardised_mean_difference",
    "default_rate_among_approved",
    "verdict_of_one_look",
    "decisions_without_group",
    "stratum",
];

/// One row for each group of each attribute; an empty cell is a number that there is not.
pub(crate) fn table(document: &Document) -> Result<Vec<u8>, csv::Error> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for part in &document.attributes {
        for group in &part.report.groups {
            let mut row = vec![
                part.report.attribute.clone(),
                harmless(&group.group),
                harmless(&part.report.reference_group),
            ];
            row.extend(numbers(group));
            row.push(part.unknown.to_string());
            row.push(String::new());
            writer.write_record(row)?;
        }
    }
    let examined = document.examination.iter();
    let sheets = examined.flat_map(|it| std::iter::once(&it.sheet).chain(&it.strata));
    for sheet in sheets {
        for cell in &sheet.cells {
            writer.write_record(examined_row(sheet, cell))?;
        }
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

/// The row of a group that was examined; one that is suppressed has no numbers.
fn examined_row(sheet: &Sheet, cell: &Cell) -> Vec<String> {
    let named = |group: &Group| harmless(&group.0.join(", "));
    let (Cell::Shown { group, .. } | Cell::Suppressed { group, .. } | Cell::Inconsistent { group }) =
        cell;
    let reference = sheet.reference.as_ref().map(named).unwrap_or_default();
    let mut row = vec![sheet.attributes.join(" and "), named(group), reference];
    if let Cell::Shown { tally, metrics, .. } = cell {
        let counts = [
            tally.decisions(),
            tally.approved.total(),
            tally.referred.total(),
            tally.denied.total(),
        ];
        row.extend(counts.map(|count| count.to_string()));
        let interval = |name| {
            let metric = metrics.iter().find(|metric| metric.name == name);
            match metric.map(|metric| metric.result) {
                Some(Measured::Interval(it)) => {
                    [it.value, it.lower, it.upper].map(|it| it.to_string())
                }
                _ => Default::default(),
            }
        };
        row.extend(interval(Name::SelectionRate));
        row.extend(interval(Name::AdverseImpactRatio));
        let [difference, ..] = interval(Name::StandardisedMeanDifference);
        row.push(difference);
    }
    row.resize(HEADER.len() - 2, String::new());
    row.push(sheet.without_value.to_string());
    row.push(sheet.stratum.clone().unwrap_or_default());
    row
}

/// A name that no spreadsheet takes for a formula.
fn harmless(name: &str) -> String {
    let quote = if name.starts_with(['=', '+', '-', '@']) {
        "'"
    } else {
        ""
    };
    format!("{quote}{name}")
}

fn numbers(group: &GroupReport) -> Vec<String> {
    let counters = &group.counters;
    let comparison = group.comparison.as_ref();
    let ratio = comparison.and_then(|it| it.adverse_impact_ratio);
    let difference = comparison.and_then(|it| it.standardised_mean_difference);
    let mut cells = vec![
        group.decisions.to_string(),
        counters.approved.to_string(),
        counters.referred.to_string(),
        counters.denied.to_string(),
    ];
    cells.extend(interval(group.approval_rate));
    cells.extend(interval(ratio));
    cells.push(number(difference.map(|it| it.value)));
    cells.push(number(group.default_rate_among_approved.map(|it| it.value)));
    cells.push(comparison.map_or_else(String::new, |it| verdict(it.verdict).to_owned()));
    cells
}

fn interval(interval: Option<Interval>) -> [String; 3] {
    let parts = interval.map(|it| [it.value, it.lower, it.upper]);
    parts.map_or_else(Default::default, |parts| {
        parts.map(|part| number(Some(part)))
    })
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// A verdict in words.
pub(super) const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Breach => "breach",
        Verdict::Clear => "clear",
        Verdict::InsufficientEvidence => "insufficient_evidence",
    }
}
