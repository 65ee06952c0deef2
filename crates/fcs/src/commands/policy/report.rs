//! A comparison, printed.

use std::collections::BTreeMap;

use fcs_decision::record::Outcome;
use fcs_fairness::{Confidence, GroupCounters, adverse_impact_ratio};
use serde::Serialize;

use super::compare::{Comparison, Side};
use crate::cli::Global;
use crate::output::{print, table};

#[derive(Serialize)]
struct Report {
    decisions: u64,
    skipped: BTreeMap<String, u64>,
    swaps: Vec<Swap>,
    approval_rate_before: f64,
    approval_rate_after: f64,
    score_psi: Option<f64>,
    first_reason_changed: u64,
    with_reasons_on_both_sides: u64,
    reasons: Vec<ReasonChange>,
    groups: Vec<GroupChange>,
}

#[derive(Serialize)]
struct Swap {
    before: &'static str,
    after: &'static str,
    decisions: u64,
}

#[derive(Serialize)]
struct ReasonChange {
    code: String,
    before: u64,
    after: u64,
}

#[derive(Serialize)]
struct GroupChange {
    attribute: String,
    group: String,
    /// The group that it is compared with: the largest of the attribute.
    reference: String,
    decisions: u64,
    approval_rate_before: f64,
    approval_rate_after: f64,
    adverse_impact_ratio_before: Option<f64>,
    adverse_impact_ratio_after: Option<f64>,
    /// 95 % limits of the ratio after.
    adverse_impact_ratio_after_limits: Option<[f64; 2]>,
}

/// Prints a comparison.
pub(crate) fn print_comparison(global: &Global, comparison: &Comparison) -> anyhow::Result<()> {
    print(global.output, &report(comparison), text)
}

fn report(comparison: &Comparison) -> Report {
    let swap = |(outcomes, decisions): (&(Outcome, Outcome), &u64)| Swap {
        before: outcomes.0.as_str(),
        after: outcomes.1.as_str(),
        decisions: *decisions,
    };
    let (before, after) = (&comparison.before, &comparison.after);
    let mut codes: Vec<&String> = before.reasons.keys().chain(after.reasons.keys()).collect();
    codes.sort_unstable();
    codes.dedup();
    let count = |side: &Side, code: &String| side.reasons.get(code).copied().unwrap_or_default();
    let reason = |code: &String| ReasonChange {
        code: code.clone(),
        before: count(before, code),
        after: count(after, code),
    };
    Report {
        decisions: comparison.decisions(),
        skipped: comparison.skipped.clone(),
        swaps: comparison.swaps.iter().map(swap).collect(),
        approval_rate_before: approval_rate(before),
        approval_rate_after: approval_rate(after),
        score_psi: comparison.score_drift(),
        first_reason_changed: comparison.first_reason_changed,
        with_reasons_on_both_sides: comparison.with_reasons,
        reasons: codes.into_iter().map(reason).collect(),
        groups: groups(before, after),
    }
}

fn confidence() -> Confidence {
    Confidence::try_from(0.95).expect("0.95 lies between 0 and 1")
}

/// Approvals among the decisions; an incomplete application is none.
fn approval_rate(side: &Side) -> f64 {
    let decided: u64 = side.outcomes.values().sum::<u64>() - side.count(Outcome::Incomplete);
    rate(side.count(Outcome::Approve), decided)
}

fn rate(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn groups(before: &Side, after: &Side) -> Vec<GroupChange> {
    let none = GroupCounters::default();
    let change = |(attribute, group): &(String, String)| {
        let of = |side: &Side, group: &str| {
            let key = (attribute.clone(), group.to_owned());
            side.groups.get(&key).copied().unwrap_or(none)
        };
        let others = before
            .groups
            .iter()
            .filter(|((other, _), _)| other == attribute);
        let reference = others.max_by_key(|(_, counters)| counters.decisions());
        let reference = reference.map_or(group.as_str(), |((_, group), _)| group);
        let ratio = |side: &Side| {
            let interval =
                adverse_impact_ratio(&of(side, group), &of(side, reference), confidence());
            interval.filter(|_| group != reference)
        };
        let (was, is) = (of(before, group), of(after, group));
        GroupChange {
            attribute: attribute.clone(),
            group: group.clone(),
            reference: reference.to_owned(),
            decisions: was.decisions(),
            approval_rate_before: rate(was.approved, was.decisions()),
            approval_rate_after: rate(is.approved, is.decisions()),
            adverse_impact_ratio_before: ratio(before).map(|interval| interval.value),
            adverse_impact_ratio_after: ratio(after).map(|interval| interval.value),
            adverse_impact_ratio_after_limits: ratio(after).map(|it| [it.lower, it.upper]),
        }
    };
    before.groups.keys().map(change).collect()
}

fn text(report: &Report) -> String {
    let percent = |rate: f64| format!("{:.2} %", rate * 100.0);
    let mut parts = vec![format!(
        "{} decisions made again; approval rate {} before, {} after ({:+.2} points)",
        report.decisions,
        percent(report.approval_rate_before),
        percent(report.approval_rate_after),
        (report.approval_rate_after - report.approval_rate_before) * 100.0,
    )];
    parts.extend(
        report
            .skipped
            .iter()
            .map(|(why, count)| format!("{count} left out: {why}")),
    );
    parts.push(format!("\nSwap set\n{}", swap_table(&report.swaps)));
    if let Some(drift) = report.score_psi {
        parts.push(format!(
            "population stability index of the score: {drift:.4}"
        ));
    }
    parts.push(format!(
        "the most important reason changes in {} of {} decisions with reasons on both sides",
        report.first_reason_changed, report.with_reasons_on_both_sides
    ));
    let reasons = report.reasons.iter().map(|reason| {
        let change = i128::from(reason.after) - i128::from(reason.before);
        vec![
            reason.code.clone(),
            reason.before.to_string(),
            reason.after.to_string(),
            format!("{change:+}"),
        ]
    });
    parts.push(format!(
        "\nPrincipal reasons\n{}",
        table(&["code", "#before", "#after", "#change"], reasons)
    ));
    if !report.groups.is_empty() {
        let ratio =
            |ratio: Option<f64>| ratio.map_or("reference".to_owned(), |it| format!("{it:.3}"));
        let rows = report.groups.iter().map(|group| {
            let limits = group.adverse_impact_ratio_after_limits;
            vec![
                group.attribute.clone(),
                group.group.clone(),
                group.decisions.to_string(),
                percent(group.approval_rate_before),
                percent(group.approval_rate_after),
                ratio(group.adverse_impact_ratio_before),
                ratio(group.adverse_impact_ratio_after),
                limits
                    .map(|[low, high]| format!("{low:.3} to {high:.3}"))
                    .unwrap_or_default(),
            ]
        });
        let header = [
            "attribute",
            "group",
            "#decisions",
            "#approved before",
            "#after",
            "#impact ratio before",
            "#after",
            "95 % limits",
        ];
        parts.push(format!("\nGroups\n{}", table(&header, rows)));
    }
    parts.join("\n")
}

/// Rows as they were, columns as they would be.
fn swap_table(swaps: &[Swap]) -> String {
    let occurs = |outcome: &&Outcome| {
        swaps
            .iter()
            .any(|swap| swap.before == outcome.as_str() || swap.after == outcome.as_str())
    };
    let outcomes: Vec<&str> = Outcome::ALL
        .iter()
        .filter(occurs)
        .map(|it| it.as_str())
        .collect();
    let count = |before: &str, after: &str| {
        let same = swaps
            .iter()
            .find(|swap| swap.before == before && swap.after == after);
        same.map_or(0, |swap| swap.decisions).to_string()
    };
    let rows = outcomes.iter().map(|before| {
        let counts = outcomes.iter().map(|after| count(before, after));
        std::iter::once((*before).to_owned())
            .chain(counts)
            .collect()
    });
    let heads: Vec<String> = outcomes
        .iter()
        .map(|outcome| format!("#{outcome}"))
        .collect();
    let mut header = vec!["before \\ after"];
    header.extend(heads.iter().map(String::as_str));
    table(&header, rows)
}
