use serde::{Deserialize, Serialize};

use super::{Verdict, Weight};

/// Whom a fixed threshold is held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// The candidate, unless the stable arm exceeds the threshold as well.
    #[default]
    Candidate,
    /// The candidate, whatever the stable arm does.
    Any,
}

/// What follows from a fixed threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardAction {
    /// Nothing.
    Continue,
    /// Both arms exceed it, so it is not the candidate: stand still, and go back if that does not end soon.
    Hold,
    /// It is not the candidate, and going back would not help: stand still until a person says so.
    Pause,
    /// Go back.
    RollBack,
}

/// What follows from the same [`super::Sustained`] rule on both arms.
///
/// A stable arm that exceeds the threshold, for however short a time, shares the incident; one without data excuses
/// nothing, and neither does a weight that leaves no stable arm.
pub fn guard_action(
    candidate: Verdict,
    stable: Verdict,
    weight: Weight,
    attribution: Attribution,
) -> GuardAction {
    let is_shared = matches!(stable, Verdict::Breach | Verdict::Insufficient { .. });
    match candidate {
        Verdict::Breach if attribution == Attribution::Any || weight.is_whole() => {
            GuardAction::RollBack
        }
        Verdict::Breach if is_shared => GuardAction::Hold,
        Verdict::Breach => GuardAction::RollBack,
        Verdict::Clear | Verdict::Insufficient { .. } | Verdict::NoData { .. } => {
            GuardAction::Continue
        }
    }
}
