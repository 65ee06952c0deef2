//! What people decided instead of a model.

use fcs_core::{ApiError, DecisionId, UnixMicros};

use super::{Problems, check_size};
use crate::app::facts::{EventId, Override, OverrideReason, PersonsOutcome};

/// An override, not yet checked.
pub struct OverrideInput {
    /// The sender's identifier of the event.
    pub event_id: String,
    /// The decision.
    pub decision_id: String,
    /// `None` when the sender's word is missing or unknown.
    pub outcome: Option<PersonsOutcome>,
    /// A code of the lender's.
    pub reason: String,
    /// RFC 3339.
    pub occurred_at: String,
}

/// Checks a batch of overrides.
pub fn overrides(items: Vec<OverrideInput>) -> Result<Vec<Override>, ApiError> {
    check_size(items.len())?;
    let mut problems = Problems::default();
    let mut checked = Vec::with_capacity(items.len());
    for (position, item) in items.into_iter().enumerate() {
        checked.extend(item_of(position, &item, &mut problems));
    }
    problems.refuse("OVERRIDES_INVALID", "the overrides break the schema")?;
    Ok(checked)
}

fn item_of(position: usize, item: &OverrideInput, problems: &mut Problems) -> Option<Override> {
    let pointer = |field: &str| format!("/items/{position}/{field}");
    let event_id = problems.parse::<EventId>(&item.event_id, &pointer("event_id"));
    let decision_id = problems.parse::<DecisionId>(&item.decision_id, &pointer("decision_id"));
    let reason = problems.parse::<OverrideReason>(&item.reason, &pointer("reason"));
    if item.outcome.is_none() {
        let rule = "the outcome must be approve or deny";
        problems.push("OUTCOME_INVALID", pointer("outcome"), rule);
    }
    let occurred_at = UnixMicros::parse_rfc3339(&item.occurred_at)
        .map_err(|error| problems.push("TIME_INVALID", pointer("occurred_at"), error.to_string()))
        .ok();
    Some(Override {
        event_id: event_id?,
        decision_id: decision_id?,
        outcome: item.outcome?,
        reason: reason?,
        occurred_at: occurred_at?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> OverrideInput {
        OverrideInput {
            event_id: "ev-1".to_owned(),
            decision_id: "dec_01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
            outcome: PersonsOutcome::parse("approve"),
            reason: "income_verified".to_owned(),
            occurred_at: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn what_is_right_is_taken() {
        let taken = overrides(vec![input()]).unwrap();
        assert_eq!(taken[0].reason.as_str(), "income_verified");
        assert_eq!(taken[0].outcome, PersonsOutcome::Approve);
    }

    #[test]
    fn every_broken_rule_is_told() {
        let bad = OverrideInput {
            event_id: String::new(),
            decision_id: "17".to_owned(),
            outcome: PersonsOutcome::parse("refer"),
            reason: "Because he said so".to_owned(),
            occurred_at: "yesterday".to_owned(),
        };
        let error = overrides(vec![input(), bad]).err().unwrap();
        let pointers: Vec<_> = error
            .violations
            .iter()
            .map(|it| it.pointer.as_str())
            .collect();
        assert_eq!(
            pointers,
            [
                "/items/1/event_id",
                "/items/1/decision_id",
                "/items/1/reason",
                "/items/1/outcome",
                "/items/1/occurred_at"
            ]
        );
    }
}
