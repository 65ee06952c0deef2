//! The sheet as a page. Every text is escaped; nothing is fetched, and the page says so to the browser.

use fcs_fairness::Interval;
use fcs_fairness::report::GroupReport;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use super::csv::verdict;
use super::examined::{examination, overrides};
use super::plot::{Ratio, ratios};
use crate::app::document::{AttributePart, Document, DriftPart};
use crate::app::drift::Against;

const STYLE: &str = include_str!("sheet.css");

/// The whole page.
pub(crate) fn page(document: &Document) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "Fairness sheet" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (header(document))
                    @for part in &document.attributes { (attribute(part)) }
                    @if let Some(examined) = &document.examination { (examination(examined)) }
                    (overrides(&document.overrides))
                    (verdicts(document))
                    (drift(document))
                    (alerts(document))
                }
            }
        }
    };
    page.into_string()
}

fn header(document: &Document) -> Markup {
    let model = document
        .model
        .as_ref()
        .map_or_else(|| "all models".to_owned(), ToString::to_string);
    let when = document
        .day
        .as_deref()
        .map_or("all time", |day| day.get(..10).unwrap_or(day));
    html! {
        h1 { "Fairness sheet" }
        p { (model) ", " (when) ": " (document.decisions) " decisions" }
        p class="soft" {
            "Made " (document.made_at) " from the decision log up to index " (document.last_index)
            ", under the policy " code { (document.policy) } ". Intervals are for one look at a sample of fixed size; "
            "the verdicts below stay valid while they are watched."
        }
    }
}

fn attribute(part: &AttributePart) -> Markup {
    let report = &part.report;
    let compared: Vec<Ratio<'_>> = report
        .groups
        .iter()
        .filter(|group| group.group != report.reference_group)
        .map(|group| Ratio {
            name: &group.group,
            ratio: group.comparison.and_then(|it| it.adverse_impact_ratio),
        })
        .collect();
    let alternative = format!("Adverse impact ratios by {}", report.attribute);
    html! {
        h2 { (report.attribute) }
        @if !compared.is_empty() {
            figure {
                (ratios(&alternative, &compared, report.thresholds.air_floor))
                figcaption {
                    "Approval rate over that of " b { (report.reference_group) } ", with its interval. The solid line is the "
                    "floor of " (report.thresholds.air_floor) ", the dotted one parity."
                }
            }
        }
        div class="scroll" { table {
            thead { tr {
                th { "group" } th class="number" { "decisions" } th class="number" { "approved" }
                th class="number" { "adverse impact ratio" } th class="number" { "score, standardised" }
                th class="number" { "default among approved" } th { "one look" }
            } }
            tbody { @for group in &report.groups { (row(group)) } }
        } }
        p class="soft" { (part.unknown) " decisions have no value of " (report.attribute) "." }
    }
}

fn row(group: &GroupReport) -> Markup {
    let comparison = group.comparison.as_ref();
    let said = comparison.map_or("reference", |it| verdict(it.verdict));
    html! {
        tr {
            td { (group.group) }
            td class="number" { (group.decisions) }
            td class="number" { (percent(group.approval_rate)) }
            td class="number" { (plain(comparison.and_then(|it| it.adverse_impact_ratio))) }
            td class="number" { (plain(comparison.and_then(|it| it.standardised_mean_difference))) }
            td class="number" { (percent(group.default_rate_among_approved)) }
            td class=(said) { (said.replace('_', " ")) }
        }
    }
}

fn verdicts(document: &Document) -> Markup {
    html! {
        h2 { "Verdicts of the evidence" }
        @if document.verdicts.is_empty() { p { "No group is watched, or none had a decision yet." } }
        @else { div class="scroll" { table {
            thead { tr { th { "model" } th { "group" } th { "verdict" } th { "grounds" } th class="number" { "more decisions" } } }
            tbody { @for part in &document.verdicts { tr {
                td { (part.model) @if let Some(baseline) = &part.baseline_model { " (shadow of " (baseline) ")" } }
                td { (part.attribute) "=" (part.group) }
                @match &part.judgement {
                    Some(judgement) => {
                        td class=(word(&judgement.verdict)) { (word(&judgement.verdict).replace('_', " ")) }
                        td { (word(&judgement.grounds).replace('_', " ")) }
                        td class="number" { @if let Some(more) = judgement.more_decisions { (more) } }
                    }
                    None => { td { "not looked at yet" } td {} td {} }
                }
            } } }
        } } }
    }
}

fn drift(document: &Document) -> Markup {
    html! {
        h2 { "Drift in the last 24 hours" }
        @match &document.drift {
            Some(part) => (drift_part(part)),
            None => p { "Nothing is known: a sheet of one model shows its drift, once there are decisions and a reference." },
        }
    }
}

fn drift_part(part: &DriftPart) -> Markup {
    html! {
        p { (part.lines.len()) " comparisons to be watched, " (part.stable) " that show nothing, "
            (part.insufficient) " with too few decisions." }
        @if !part.lines.is_empty() { div class="scroll" { table {
            thead { tr {
                th { "variable" } th { "arm" } th { "group" } th { "against" } th { "level" }
                th class="number" { "PSI (by chance)" } th class="number" { "KS (by chance)" }
            } }
            tbody { @for line in &part.lines { tr {
                td { (line.variable) }
                td { (line.arm) }
                td { @if line.attribute.is_empty() { "all" } @else { (line.attribute) "=" (line.group) } }
                td { (against(line.against)) }
                td class=(word(&line.level)) { (word(&line.level)) }
                td class="number" { @if let Some(psi) = line.drift.psi { (format!("{:.3} ({:.3})", psi.value, psi.chance_limit)) } }
                td class="number" { @if let Some(ks) = line.drift.kolmogorov_smirnov { (format!("{:.3} ({:.3})", ks.value, ks.chance_limit)) } }
            } } }
        } } }
    }
}

fn alerts(document: &Document) -> Markup {
    html! {
        h2 { "Alerts and what people did about them" }
        @if document.alerts.is_empty() { p { "Nothing happened." } }
        @else { div class="scroll" { table {
            thead { tr { th class="number" { "#" } th { "when" } th { "model" } th { "group" } th { "what" } } }
            tbody { @for part in &document.alerts { tr {
                td class="number" { (part.sequence) }
                td { (part.entry.at) }
                td { (part.model) @if let Some(baseline) = &part.baseline_model { " (shadow of " (baseline) ")" } }
                td { (part.attribute) "=" (part.group) }
                td { code { (serde_json::to_string(&part.entry.change).unwrap_or_default()) } }
            } } }
        } } }
    }
}

/// The word that stands for a value in JSON, or the first member of an object that does.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

fn percent(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |it| {
        format!(
            "{:.1} % [{:.1}, {:.1}]",
            100.0 * it.value,
            100.0 * it.lower,
            100.0 * it.upper
        )
    })
}

fn plain(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |it| {
        format!("{:.3} [{:.3}, {:.3}]", it.value, it.lower, it.upper)
    })
}

const fn against(against: Against) -> &'static str {
    match against {
        Against::Reference => "what it was built on",
        Against::Stable => "the stable arm",
        Against::Earlier => "the time before",
    }
}
