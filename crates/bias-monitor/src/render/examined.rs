//! Groups that were examined, and overrides, as parts of the page.

use fcs_fairness::Measured;
use fcs_fairness::sheet::{Cell, Group, Metric, Name, Sheet};
use maud::{Markup, html};

use super::plot::{Ratio, ratios};
use crate::app::document::OverridePart;
use crate::app::examination::{Basis, Examination};

/// The metrics that the page shows; the JSON has all of them.
const COLUMNS: [(&str, Name); 6] = [
    ("selected", Name::SelectionRate),
    ("adverse impact ratio", Name::AdverseImpactRatio),
    ("difference", Name::DemographicParityDifference),
    ("Fisher", Name::FisherExact),
    ("score, standardised", Name::StandardisedMeanDifference),
    (
        "repaid among approved, difference",
        Name::PredictiveParityDifference,
    ),
];

/// Every stratum of an examination, all together first.
pub(super) fn examination(examined: &Examination) -> Markup {
    let sheets = std::iter::once(&examined.sheet).chain(&examined.strata);
    html! {
        h2 { "Examined: " (examined.sheet.attributes.join(" and ")) }
        p class="soft" { (basis(examined.basis)) " " (examined.decisions) " decisions are compared." }
        @for sheet in sheets { (part(sheet)) }
    }
}

const fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Model => "By what the model decided.",
        Basis::Final => "By what a person decided, or else the model.",
        Basis::LowSideOverrides => {
            "Low-side overrides: of what the model denied, what people approved."
        }
        Basis::HighSideOverrides => {
            "High-side overrides: of what the model approved, what people left approved."
        }
    }
}

fn part(sheet: &Sheet) -> Markup {
    let compared: Vec<(String, Option<fcs_fairness::Interval>)> = sheet
        .cells
        .iter()
        .filter_map(|cell| match cell {
            Cell::Shown { group, metrics, .. } if Some(group) != sheet.reference.as_ref() => {
                Some((named(group), ratio(metrics)))
            }
            _ => None,
        })
        .collect();
    let bars: Vec<Ratio<'_>> = compared
        .iter()
        .map(|(name, ratio)| Ratio {
            name,
            ratio: *ratio,
        })
        .collect();
    let alternative = format!(
        "Adverse impact ratios by {}",
        sheet.attributes.join(" and ")
    );
    let reference = sheet.reference.as_ref().map(named);
    html! {
        @if let Some(stratum) = &sheet.stratum { h3 { (stratum) } }
        @if !bars.is_empty() {
            figure {
                (ratios(&alternative, &bars, 0.8))
                figcaption {
                    "Rate of selection over that of " b { (reference.unwrap_or_default()) }
                    ", with its interval. The solid line is four fifths, the dotted one parity."
                }
            }
        }
        div class="scroll" { table {
            thead { tr {
                th { "group" } th class="number" { "decisions" }
                @for (header, _) in COLUMNS { th class="number" { (header) } }
            } }
            tbody { @for cell in &sheet.cells { (row(cell)) } }
        } }
        p class="soft" {
            (sheet.without_value) " decisions have no value. Groups of fewer than " (sheet.minimum_cell_size)
            " decisions are listed without numbers."
        }
    }
}

fn row(cell: &Cell) -> Markup {
    let without = |group: &Group, why: String| {
        html! { tr { td { (named(group)) } td class="number" { (why) } @for _ in COLUMNS { td {} } } }
    };
    match cell {
        Cell::Suppressed { group, from, below } => {
            without(group, format!("{from} to {}", below - 1))
        }
        Cell::Inconsistent { group } => without(group, "inconsistent".to_owned()),
        Cell::Shown {
            group,
            tally,
            metrics,
        } => html! {
            tr {
                td { (named(group)) }
                td class="number" { (tally.decisions()) }
                @for (_, name) in COLUMNS { td class="number" { (value(metrics, name)) } }
            }
        },
    }
}

fn ratio(metrics: &[Metric]) -> Option<fcs_fairness::Interval> {
    match found(metrics, Name::AdverseImpactRatio)? {
        Measured::Interval(interval) => Some(interval),
        _ => None,
    }
}

fn found(metrics: &[Metric], name: Name) -> Option<Measured> {
    let metric = metrics.iter().find(|metric| metric.name == name);
    metric.map(|metric| metric.result)
}

fn value(metrics: &[Metric], name: Name) -> String {
    match found(metrics, name) {
        None => "reference".to_owned(),
        Some(Measured::Interval(it)) => {
            format!("{:.3} [{:.3}, {:.3}]", it.value, it.lower, it.upper)
        }
        Some(Measured::Point { value }) => format!("{value:.3}"),
        Some(Measured::Test(test)) if test.p_value < 0.0001 => "p < 0.0001".to_owned(),
        Some(Measured::Test(test)) => format!("p {:.4}", test.p_value),
        Some(Measured::Undefined { reason }) => reason.to_string(),
    }
}

fn named(group: &Group) -> String {
    group.0.join(", ")
}

/// What people decided instead of a model, or of what it referred to them.
pub(super) fn overrides(parts: &[OverridePart]) -> Markup {
    html! {
        h2 { "What people decided" }
        @if parts.is_empty() { p { "No override was recorded." } }
        @else { div class="scroll" { table {
            thead { tr { th { "the model" } th { "the person" } th { "reason" } th class="number" { "decisions" } } }
            tbody { @for part in parts { tr {
                td { (part.decided) }
                td { (part.person) }
                td { (part.reason) }
                td class="number" { (part.decisions) }
            } } }
        } } }
    }
}
