use fcs_core::UnixMicros;
use serde::{Deserialize, Serialize};

use super::analysis::{Expression, Name, Query};
use crate::statistics::{
    Attribution, GuardAction, Sample, Sustained, SustainedRule, Verdict, Weight, guard_action,
};

/// Longest hold of a guard in microseconds: the values of twice as long are asked for at each look.
const HOLD_MAX: u64 = 6 * 3_600 * 1_000_000;

/// A fixed threshold for a fixed time. It proves nothing and needs no stable arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// What it is called.
    pub name: Name,
    /// What is exceeded, and for how long.
    pub rule: SustainedRule,
    /// Where the values come from.
    pub measure: Measure,
    /// Whom it is held against.
    #[serde(default)]
    pub attribution: Attribution,
    /// What follows when both arms exceed it.
    #[serde(default)]
    pub when_shared: WhenShared,
}

/// Where a guard's values come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Measure {
    /// The share of bad requests in a sliding window.
    Share {
        /// The bad requests of a model in a window.
        bad: Query,
        /// Length of the window in microseconds.
        window_micros: u64,
    },
    /// One number for a model.
    Value {
        /// The expression.
        query: Expression,
    },
}

/// What follows when both arms exceed a guard, so that it is not the candidate's doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenShared {
    /// Stand still, and go back if it does not end soon: an incident.
    #[default]
    Hold,
    /// Stand still until a person says so: the population is another one. No version helps against that.
    Pause,
}

/// The values of one arm, oldest first; `None` where one is missing.
pub type Samples = Vec<(UnixMicros, Option<Sample>)>;

/// The values of both arms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GuardSamples {
    /// The version that is rolled out.
    pub candidate: Samples,
    /// The version that it replaces.
    pub stable: Samples,
}

impl Guard {
    pub(super) fn problem(&self) -> Option<&'static str> {
        let rule = &self.rule;
        if !rule.threshold.is_finite() {
            return Some("the threshold must be a number");
        }
        if rule.hold_micros > HOLD_MAX || rule.gap_tolerance_micros == 0 || rule.age_max_micros == 0
        {
            return Some("a guard holds for at most 6 h, with gaps and ages above 0");
        }
        match self.measure {
            Measure::Share { window_micros, .. } if window_micros < 1_000_000 => {
                Some("the window must be at least a second")
            }
            _ => None,
        }
    }

    /// What follows from the values of both arms.
    pub fn action(&self, samples: &GuardSamples, weight: Weight, now: UnixMicros) -> GuardAction {
        let candidate = self.verdict(&samples.candidate, now);
        let stable = self.verdict(&samples.stable, now);
        match self.when_shared {
            WhenShared::Hold => guard_action(candidate, stable, weight, self.attribution),
            // Its values outlive the stable arm's traffic, so it is known with everything on the candidate as well.
            WhenShared::Pause => {
                let part = Weight::try_from(1).expect("this is a weight");
                match guard_action(candidate, stable, part, self.attribution) {
                    GuardAction::Hold => GuardAction::Pause,
                    other => other,
                }
            }
        }
    }

    /// Whether either arm exceeds the threshold now, for however short a time, and that would end by itself.
    pub fn is_exceeded(&self, samples: &GuardSamples, now: UnixMicros) -> bool {
        let is_above = |samples| {
            let verdict = self.verdict(samples, now);
            matches!(verdict, Verdict::Breach | Verdict::Insufficient { .. })
        };
        self.when_shared == WhenShared::Hold
            && (is_above(&samples.candidate) || is_above(&samples.stable))
    }

    /// Whether it is known that neither arm exceeds the threshold, and that would have been an incident.
    pub fn is_clear(&self, samples: &GuardSamples, now: UnixMicros) -> bool {
        let is_clear = |samples| matches!(self.verdict(samples, now), Verdict::Clear);
        self.when_shared == WhenShared::Hold
            && is_clear(&samples.candidate)
            && is_clear(&samples.stable)
    }

    /// What the guard saw, in words.
    pub fn told(&self, samples: &GuardSamples) -> String {
        let last = |samples: &Samples| {
            let value = samples.iter().rev().find_map(|(_, sample)| *sample);
            value.map_or_else(|| "unknown".to_owned(), |it| format!("{:.4}", it.value))
        };
        format!(
            "{} above {} for {} s: candidate {}, stable {}",
            self.name,
            self.rule.threshold,
            self.rule.hold_micros / 1_000_000,
            last(&samples.candidate),
            last(&samples.stable)
        )
    }

    fn verdict(&self, samples: &Samples, now: UnixMicros) -> Verdict {
        let mut watch = Sustained::new(self.rule);
        for (at, sample) in samples {
            watch.observe(*at, *sample);
        }
        watch.verdict(now)
    }
}
