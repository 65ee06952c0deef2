//! The summary for people.

use std::fmt::Write;

use crate::demo::summary::{Attribute, CalibrationSummary, Group, Interval, Summary};
use crate::output::{bar, table};

/// Everything but the example decisions, which the caller shows with `decision explain`.
pub(crate) fn render(summary: &Summary) -> String {
    let mut text = outcomes(summary);
    for attribute in &summary.fairness {
        let _ = write!(text, "\n{}", attribute_table(attribute));
    }
    if summary.calibration.labelled > 0 {
        let _ = write!(text, "\n{}", calibration(&summary.calibration));
    }
    let _ = write!(text, "\n{}", evidence(summary));
    text
}

fn outcomes(summary: &Summary) -> String {
    let total = summary.decisions.max(1) as f64;
    let row = |name: &str, count: u64| {
        let share = count as f64 / total;
        vec![
            name.to_owned(),
            count.to_string(),
            percent(share),
            bar(share, 30),
        ]
    };
    let counts = &summary.outcomes;
    let rows = [
        row("approve", counts.approve),
        row("refer", counts.refer),
        row("deny", counts.deny),
    ];
    let mut reasons: Vec<_> = summary.reasons.iter().collect();
    reasons.sort_by_key(|(code, count)| (std::cmp::Reverse(**count), (*code).clone()));
    let top = reasons.first().map_or(1, |(_, count)| **count).max(1) as f64;
    let reasons = reasons.into_iter().map(|(code, count)| {
        vec![
            code.clone(),
            count.to_string(),
            bar(*count as f64 / top, 30),
        ]
    });
    format!(
        "Decisions by {} ({} in the log, highest index {})\n{}\n\nPrincipal reasons of denials\n{}\n",
        summary.model,
        summary.decisions,
        summary.highest_index,
        table(&["outcome", "#count", "#share", ""], rows),
        table(&["reason", "#denials", ""], reasons),
    )
}

/// One attribute's groups, also used by `bias report`.
pub(crate) fn attribute_table(attribute: &Attribute) -> String {
    let row = |group: &Group| {
        let reference = group.group == attribute.reference_group;
        let compared = |interval: Option<&Interval>| {
            if reference {
                "reference".to_owned()
            } else {
                show(interval)
            }
        };
        vec![
            group.group.clone(),
            group.decisions.to_string(),
            show(group.approval_rate.as_ref()),
            compared(group.adverse_impact_ratio.as_ref()),
            compared(group.standardised_mean_difference.as_ref()),
            group.verdict.unwrap_or_default().replace('_', " "),
            show(group.default_rate_among_approved.as_ref()),
        ]
    };
    format!(
        "By {} (compared with {}; {} unknown)\n{}\n",
        attribute.attribute,
        attribute.reference_group,
        attribute.unknown,
        table(
            &[
                "group",
                "#decisions",
                "approval rate",
                "adverse impact ratio",
                "standardised mean difference",
                "verdict",
                "default rate among approved",
            ],
            attribute.groups.iter().map(row),
        )
    )
}

/// Predicted against realised, also used by `bias report`.
pub(crate) fn calibration(calibration: &CalibrationSummary) -> String {
    let rows = calibration.bins.iter().map(|bin| {
        let realised = bin.realised.as_ref().map_or(0.0, |interval| interval.value);
        vec![
            format!("{:.1} – {:.1}", bin.lower, bin.upper),
            bin.labelled.to_string(),
            percent(bin.mean_predicted),
            show(bin.realised.as_ref()),
            bar(realised, 30),
        ]
    });
    format!(
        "Calibration among the approved: predicted {}, realised {} ({} outcomes, expected error {:.4})\n{}\n",
        percent(calibration.mean_predicted),
        percent(calibration.mean_realised),
        calibration.labelled,
        calibration.expected_calibration_error,
        table(&["predicted", "#outcomes", "#mean", "realised", ""], rows),
    )
}

fn evidence(summary: &Summary) -> String {
    let latency = &summary.latency_ms;
    let verified = if summary.audit.checkpoint_verified {
        "verified"
    } else {
        "NOT VERIFIED"
    };
    format!(
        "Replay      {} decisions computed again, {} with other bytes\n\
         Audit log   {} leaves cover {} decisions; checkpoint {verified}, {} inclusion proofs checked\n\
         Throughput  {:.0} decisions/s with {} in flight\n\
         Latency     p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms\n\
         First explained decision after {:.1} s\n\n{}",
        summary.replayed,
        summary.replay_mismatches,
        summary.audit.size,
        summary.audit.last_decision_index,
        summary.audit.decisions_proved,
        summary.throughput_per_second,
        summary.concurrency,
        latency.p50,
        latency.p90,
        latency.p99,
        latency.max,
        summary.first_explained_decision_s,
        summary.audit.checkpoint,
    )
}

fn show(interval: Option<&Interval>) -> String {
    interval.map_or_else(
        || "–".to_owned(),
        |interval| {
            format!(
                "{:.3} [{:.3}, {:.3}]",
                interval.value, interval.lower, interval.upper
            )
        },
    )
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
