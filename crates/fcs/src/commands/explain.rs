//! Why a decision came out as it did, for people.

use std::fmt::Write as _;

use fcs_decision::features::FeatureInput;
use fcs_decision::record::DecisionRecord;
use fcs_proto::scoring::v1::Decision;

use crate::commands::decision::outcome;
use crate::output::{bar, table};

/// Outcome, principal reasons, every contribution as a picture, and the evidence.
pub(crate) fn text(decision: &Decision, record: &DecisionRecord) -> String {
    let head = format!(
        "{} of application {}: {} with score {} (probability of the adverse outcome {:.2} %)",
        decision.decision_id,
        decision.application_id,
        outcome(decision),
        decision.score,
        decision.probability * 100.0,
    );
    let cutoffs = format!(
        "cut-offs: approve from {}, refer from {}; decided by {}",
        record.policy.approve_at_least,
        record.policy.refer_at_least,
        record.decided_by.as_str(),
    );
    let evidence = format!(
        "model {} (manifest {}), arm {}, reference population {}, record digest {}, log index {}",
        decision.model,
        decision.manifest_digest,
        decision.arm,
        record.reference_population.id,
        hex::encode(&decision.record_digest),
        decision.log_index,
    );
    let contributions = if record.contributions.is_empty() {
        "no score: required values are missing\n".to_owned()
    } else {
        contributions(record)
    };
    format!(
        "{head}\n{cutoffs}\n{}{}\n{contributions}\n{evidence}\n",
        duties(record),
        reasons(record),
    )
}

/// Policy, notice and disclosures; nothing for a record of format 1.
fn duties(record: &DecisionRecord) -> String {
    let mut lines = String::new();
    if let Some(policy) = &record.policy.applied {
        let hit = if policy.rules_hit.is_empty() {
            "none".to_owned()
        } else {
            policy.rules_hit.join(", ")
        };
        let _ = writeln!(
            lines,
            "policy {} {}; rules that hold: {hit}",
            policy.name, policy.version
        );
    }
    if let Some(offer) = &record.counteroffer {
        let amount = offer
            .amount
            .as_ref()
            .map(|it| format!("{} {}", it.value, it.currency));
        let parts: Vec<String> = amount.into_iter().chain(offer.terms.clone()).collect();
        let _ = writeln!(lines, "offered instead: {}", parts.join("; "));
    }
    if let Some((notice, due)) = record.notice.and_then(|it| Some((it, it.due_by?))) {
        let what = if notice.required {
            "notice"
        } else {
            "decision"
        };
        let form = notice
            .form_hint
            .map(|form| format!(", nearest sample form {}", form.as_str()));
        let _ = writeln!(lines, "{what} due by {due}{}", form.unwrap_or_default());
    }
    let sources = record.outside_sources.unwrap_or_default();
    for (due, section) in [(sources.fcra_615a, "615(a)"), (sources.fcra_615b, "615(b)")] {
        if due {
            let _ = writeln!(lines, "disclosure of FCRA section {section} is due");
        }
    }
    if let Some(day) = record.retain_until {
        let _ = writeln!(lines, "keep the record until {day}");
    }
    lines
}

fn reasons(record: &DecisionRecord) -> String {
    if record.principal_reasons.is_empty() {
        return "no principal reasons: nothing adverse was decided\n".into();
    }
    let rows = record.principal_reasons.iter().map(|reason| {
        vec![
            reason.rank.to_string(),
            reason.text.clone(),
            reason.code.clone(),
            reason.regb_ref.clone(),
            format!("{:+.3}", reason.contribution),
        ]
    });
    table(
        &["#", "principal reason", "code", "form C-1", "#contribution"],
        rows,
    )
}

/// Largest first. Positive moves towards the adverse outcome.
fn contributions(record: &DecisionRecord) -> String {
    let mut sorted: Vec<_> = record.contributions.iter().collect();
    sorted.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(b.0)));
    let greatest = sorted
        .first()
        .map_or(1.0, |(_, value)| value.abs())
        .max(f64::MIN_POSITIVE);
    let rows = sorted.into_iter().map(|(name, value)| {
        let picture = bar(value.abs() / greatest, 20);
        let (better, worse) = if *value > 0.0 {
            (String::new(), picture)
        } else {
            (picture, String::new())
        };
        vec![
            name.clone(),
            shown(record.features.get(name)),
            format!("{value:+.4}"),
            better,
            worse,
        ]
    });
    let header = [
        "feature",
        "#value",
        "#contribution",
        "towards approval",
        "towards denial",
    ];
    format!(
        "margin {:+.4} = reference population {:+.4} + contributions\n{}",
        record.margin.unwrap_or_default(),
        record.base_margin.unwrap_or_default(),
        table(&header, rows),
    )
}

fn shown(value: Option<&FeatureInput>) -> String {
    match value {
        Some(FeatureInput::Number(number)) => number.to_string(),
        Some(FeatureInput::Category(name)) => name.clone(),
        Some(FeatureInput::Missing) | None => "missing".into(),
    }
}
