use serde::{Deserialize, Serialize};

use crate::anytime::Starts;
use crate::anytime::multiple::Multiplicity;

/// The document as it is written. [`super::Policy::checked`] says whether its numbers can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// The format of the document; 1.
    pub format: u32,
    /// The name of the policy, for example `us-ecoa`.
    pub name: String,
    /// The version of the policy; every change of a number is a new one.
    pub version: u32,
    /// Where it applies, for example `US`, `US-NY` or `EU`.
    pub jurisdiction: String,
    /// The day from which it applies, `YYYY-MM-DD`.
    pub effective_from: String,
    /// Why the numbers are what they are, for whoever has to defend them.
    pub rationale: String,
    /// What evidence must satisfy.
    #[serde(default)]
    pub evidence: EvidenceSection,
    /// When alarms are raised and end.
    #[serde(default)]
    pub alarm: AlarmSection,
    /// What counts as drift.
    #[serde(default)]
    pub drift: DriftSection,
    /// What is watched.
    pub attributes: Vec<AttributeSection>,
}

/// What evidence must satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvidenceSection {
    /// The probability of a wrong answer that is accepted.
    pub alpha: f64,
    /// How the number of groups and metrics is paid for.
    pub multiplicity: Multiplicity,
    /// Whether a breach at any time shares one alpha for ever, or alarms by a run length.
    pub starts: Starts,
    /// For `starts = "every_block"`: the mean number of blocks to a false alarm.
    pub run_length_blocks: u64,
    /// A group with fewer decisions gets no answer.
    pub minimum_group_size: u64,
    /// The lowest acceptable adverse impact ratio.
    pub air_floor: f64,
    /// By how much a new version may widen the approval gap.
    pub gap_tolerance: f64,
    /// No decision at all for so long is a stopped feed.
    pub feed_stale_after_s: u32,
    /// No decision of one side for so long is a missing side.
    pub side_stale_after_s: u32,
    /// How long a clearance is good for.
    pub clear_valid_for_s: u32,
}

impl Default for EvidenceSection {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            multiplicity: Multiplicity::EBh,
            starts: Starts::Lifetime,
            run_length_blocks: 10_000,
            minimum_group_size: 30,
            air_floor: 0.8,
            gap_tolerance: 0.02,
            feed_stale_after_s: 3_600,
            side_stale_after_s: 86_400,
            clear_valid_for_s: 30 * 86_400,
        }
    }
}

/// When alarms are raised and end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlarmSection {
    /// Looks in a row that must find a breach. Evidence is valid at every look, so 1 is sound.
    pub raise_after_looks: u32,
    /// How long a clearance must hold until an alarm ends.
    pub clear_hold_s: u32,
    /// The longest time for which an alarm may be muted.
    pub mute_max_s: u32,
}

impl Default for AlarmSection {
    fn default() -> Self {
        Self {
            raise_after_looks: 1,
            clear_hold_s: 3_600,
            mute_max_s: 7 * 86_400,
        }
    }
}

/// What counts as drift. A distance must reach its threshold and also exceed what chance does to samples of
/// that size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DriftSection {
    /// The probability that chance alone exceeds its limit, for all features of one look together.
    pub significance: f64,
    /// Population stability index from which to watch.
    pub psi_watch: f64,
    /// Population stability index from which to act.
    pub psi_act: f64,
    /// Kolmogorov-Smirnov distance from which to watch.
    pub ks_watch: f64,
    /// Kolmogorov-Smirnov distance from which to act.
    pub ks_act: f64,
    /// Jensen-Shannon distance (square root, base 2) from which to report.
    pub js_act: f64,
    /// Wasserstein distance in standard deviations of the reference from which to report.
    pub wasserstein_act: f64,
    /// Change of a rate (missing, unseen, out of range) from which to act.
    pub rate_change_act: f64,
    /// The share of approved applications with a known outcome from which a vintage counts as complete.
    pub vintage_complete_share: f64,
}

impl Default for DriftSection {
    fn default() -> Self {
        Self {
            significance: 0.01,
            psi_watch: 0.1,
            psi_act: 0.25,
            ks_watch: 0.1,
            ks_act: 0.2,
            js_act: 0.1,
            wasserstein_act: 0.1,
            rate_change_act: 0.01,
            vintage_complete_share: 0.9,
        }
    }
}

/// Where the membership in groups is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Self-reported or observed values.
    Value,
    /// Probabilities of membership; can show a breach and never clears.
    Proxy,
}

/// One attribute that is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeSection {
    /// The name of the attribute.
    pub name: String,
    /// The group that others are compared with.
    pub reference: String,
    /// The groups that are compared; empty for all that come.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Where the membership is known from.
    #[serde(default = "by_value")]
    pub channel: Channel,
    /// Instead of the general floor.
    #[serde(default)]
    pub air_floor: Option<f64>,
    /// Instead of the general tolerance.
    #[serde(default)]
    pub gap_tolerance: Option<f64>,
    /// Instead of the general minimum size.
    #[serde(default)]
    pub minimum_group_size: Option<u64>,
}

fn by_value() -> Channel {
    Channel::Value
}
