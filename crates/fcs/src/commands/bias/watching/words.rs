//! Verdicts and alerts in words.

use std::fmt::Write as _;

use super::{Entry, Verdict};

/// A verdict with what it rests on and what happened before.
pub(super) fn explain(verdict: &Verdict, history: &[Entry]) -> String {
    let mut text = format!(
        "{} of {} under {}: {}\n\n{}\n",
        verdict.group,
        verdict.attribute,
        model(&verdict.model, &verdict.baseline_model),
        verdict.verdict.replace('_', " "),
        grounds(verdict)
    );
    if verdict.by_proxy {
        text.push_str(
            "\nby probabilities of a proxy: of the weighted ratio, which is pulled towards 1, so that nothing is cleared; \
             decisions are sums of probabilities\n",
        );
    }
    let (breach, kept) = if verdict.baseline_model.is_empty() {
        ("a ratio below the floor", "a ratio above the floor")
    } else {
        (
            "a gap widened by more than the tolerance",
            "a gap widened by less than the tolerance",
        )
    };
    let _ = writeln!(
        text,
        "\n{} decisions of the group, {} of the reference group\n{}",
        verdict.group_decisions,
        verdict.reference_decisions,
        evidence(breach, Some(verdict.breach_ln_e))
    );
    let _ = writeln!(text, "{}", evidence(kept, verdict.clear_ln_e));
    if let Some(more) = verdict.more_decisions {
        let _ = writeln!(
            text,
            "an answer takes about {more} more decisions, if it goes on like this"
        );
    }
    if !verdict.found_at.is_empty() {
        let _ = writeln!(text, "found at {}", verdict.found_at);
    }
    let _ = writeln!(
        text,
        "judged at {} by policy {}",
        verdict.judged_at, verdict.policy_digest
    );
    let _ = writeln!(text, "\nalert: {}", verdict.alert);
    if !verdict.acknowledged_by.is_empty() {
        let _ = writeln!(text, "acknowledged by {}", verdict.acknowledged_by);
    }
    if !verdict.muted_until.is_empty() {
        let _ = writeln!(text, "muted until {}", verdict.muted_until);
    }
    for entry in history {
        let _ = writeln!(text, "  {}", self::entry(entry));
    }
    text
}

/// A model, and in the shadow of which it is.
pub(super) fn model(model: &str, baseline: &str) -> String {
    if baseline.is_empty() {
        return model.to_owned();
    }
    format!("{model} (shadow of {baseline})")
}

/// One line of an alert's history.
pub(super) fn entry(entry: &Entry) -> String {
    let mut text = format!(
        "{} {} {} {} {}: {}",
        entry.sequence,
        entry.at,
        model(&entry.model, &entry.baseline_model),
        entry.attribute,
        entry.group,
        entry.change
    );
    if !entry.by.is_empty() {
        let _ = write!(text, " by {}", entry.by);
    }
    if !entry.detail.is_empty() {
        let _ = write!(text, " ({})", entry.detail);
    }
    text
}

fn grounds(verdict: &Verdict) -> &str {
    let is_gap = !verdict.baseline_model.is_empty();
    match verdict.grounds.as_str() {
        "shown" if is_gap => {
            "The model is shown to widen the gap to the reference group's approval rate by more than the tolerance."
        }
        "cleared" if is_gap => {
            "The model is shown to widen the gap by less than the tolerance, not too long ago."
        }
        "shown" => {
            "The group's approval rate is shown to be below the floor's share of the reference group's."
        }
        "shown_by_run_length" => {
            "A change to below the floor was found; such a find comes by chance once in the policy's run length."
        }
        "cleared" => "The adverse impact ratio is shown to be above the floor, not too long ago.",
        "clearance_expired" => "It was cleared, but too long ago for the policy to count.",
        "missing_reference" => "No decision of the reference group was ever seen.",
        "missing_group" => "No decision of the group was ever seen.",
        "too_few_decisions" => "A side has fewer decisions than the policy asks for.",
        "undecided" => "The decisions so far show neither a breach nor that there is none.",
        "silence" => "Decisions stopped coming, so nothing can be said of now.",
        other => other,
    }
}

/// An e-value in words: how many times the bets against the opposite have multiplied their stake.
fn evidence(what: &str, ln_e: Option<f64>) -> String {
    match ln_e {
        None => format!("evidence of {what}: none can be had"),
        Some(ln_e) => format!("evidence of {what}: e = {}", e_value(ln_e)),
    }
}

fn e_value(ln_e: f64) -> String {
    if ln_e.abs() < 13.0 {
        format!("{:.3}", ln_e.exp())
    } else {
        format!("10^{:.1}", ln_e / std::f64::consts::LN_10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_values_can_be_read() {
        assert_eq!(e_value(0.0), "1.000");
        assert_eq!(e_value(20.0_f64.ln()), "20.000");
        assert_eq!(e_value(230.0), "10^99.9");
    }
}
