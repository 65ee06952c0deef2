//! Rollouts for people and as documents.

use std::fmt::Write as _;

use fcs_proto::deployment::v1::{Rollout, RolloutEvent, RolloutSummary};
use serde_json::{Value, json};

use crate::output::table;

const MICROS: f64 = 1_000_000.0;

pub(super) fn overview(rollouts: &[RolloutSummary]) -> String {
    let header = [
        "rollout",
        "phase",
        "environment",
        "model",
        "requested by",
        "#approvals",
        "updated",
    ];
    let row = |it: &RolloutSummary| {
        vec![
            it.rollout_id.clone(),
            it.phase.clone(),
            it.environment.clone(),
            it.model.clone(),
            it.requested_by.clone(),
            it.approvals.to_string(),
            it.updated_at.clone(),
        ]
    };
    table(&header, rollouts.iter().map(row))
}

pub(super) fn summary(it: &RolloutSummary) -> Value {
    json!({
        "rollout_id": it.rollout_id,
        "phase": it.phase,
        "environment": it.environment,
        "model": it.model,
        "requested_by": it.requested_by,
        "approvals": it.approvals,
        "updated_at": it.updated_at,
    })
}

pub(super) fn text(rollout: &Rollout) -> String {
    let header = ["#", "when", "who", "what", "#leaf"];
    let events = rollout.events.iter().map(|event| {
        vec![
            event.sequence.to_string(),
            event.occurred_at.clone(),
            event.actor.clone(),
            what(event),
            event.leaf_index.to_string(),
        ]
    });
    format!(
        "{}\nplan digest {}\n{}\n{}",
        rollout.rollout_id,
        rollout.plan_digest,
        place(rollout),
        table(&header, events)
    )
}

/// The kind of an event, and in brackets what it says beside that: a verdict and its metric, a cause, a reason.
pub(super) fn what(event: &RolloutEvent) -> String {
    let detail: Value = serde_json::from_str(&event.detail).unwrap_or(Value::Null);
    let cause = &detail["cause"];
    let said = [
        &detail["verdict"]["verdict"],
        &detail["verdict"]["reason"],
        &detail["metric"],
        cause,
        &cause["cause"],
        &cause["reason"],
        &detail["reason"],
    ];
    let said: Vec<&str> = said.into_iter().filter_map(Value::as_str).collect();
    if said.is_empty() {
        return event.kind.clone();
    }
    format!("{} ({})", event.kind, said.join(", "))
}

/// Where a rollout stands, in a line.
pub(super) fn place(rollout: &Rollout) -> String {
    let percent = f64::from(rollout.weight_basis_points) / 100.0;
    let mut line = format!(
        "{}: step {}, {percent} % of the applications",
        rollout.phase,
        rollout.step + 1
    );
    if rollout.bake_needed_micros > 0 {
        let seconds = |micros: u64| micros as f64 / MICROS;
        let (baked, needed) = (
            seconds(rollout.baked_micros),
            seconds(rollout.bake_needed_micros),
        );
        let _ = write!(line, ", watched for {baked:.0} of {needed:.0} s");
    }
    if !rollout.pause.is_empty() {
        let _ = write!(line, ", stands still: {}", rollout.pause);
    }
    line
}

pub(super) fn document(rollout: &Rollout) -> Value {
    json!({
        "rollout_id": rollout.rollout_id,
        "phase": rollout.phase,
        "pause": rollout.pause,
        "requested_by": rollout.requested_by,
        "plan": serde_json::from_str::<Value>(&rollout.plan).unwrap_or(Value::Null),
        "plan_digest": rollout.plan_digest,
        "step": rollout.step,
        "weight_basis_points": rollout.weight_basis_points,
        "baked_micros": rollout.baked_micros,
        "bake_needed_micros": rollout.bake_needed_micros,
        "head_digest": rollout.head_digest,
        "events": rollout.events.iter().map(event).collect::<Vec<_>>(),
    })
}

pub(super) fn event(event: &RolloutEvent) -> Value {
    json!({
        "sequence": event.sequence,
        "occurred_at": event.occurred_at,
        "actor": event.actor,
        "kind": event.kind,
        "detail": serde_json::from_str::<Value>(&event.detail).unwrap_or(Value::Null),
        "leaf_index": event.leaf_index,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_tells_its_verdict_and_its_cause() {
        for (kind, detail, expected) in [
            (
                "baseline_ready",
                json!({"kind": "baseline_ready"}),
                "baseline_ready",
            ),
            (
                "judged",
                json!({"verdict": {"verdict": "breach"}, "metric": "errors"}),
                "judged (breach, errors)",
            ),
            (
                "judged",
                json!({"verdict": {"verdict": "no_data", "reason": "stale"}, "metric": null}),
                "judged (no_data, stale)",
            ),
            (
                "paused",
                json!({"cause": "population"}),
                "paused (population)",
            ),
            (
                "rollback_started",
                json!({"cause": {"cause": "guard", "reason": "memory above 0.9"}}),
                "rollback_started (guard, memory above 0.9)",
            ),
        ] {
            let event = RolloutEvent {
                kind: kind.to_owned(),
                detail: detail.to_string(),
                ..RolloutEvent::default()
            };
            assert_eq!(what(&event), expected);
        }
    }
}
