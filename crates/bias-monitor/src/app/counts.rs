//! Increments of the counters. Everything is a sum, so a correction is an increment with a minus.

use std::collections::BTreeMap;

use fcs_core::{InvalidId, ModelVersion};
use fcs_fairness::calibration::BINS;

use super::facts::{AttributeName, CreditOutcome, Decision, GroupName, KnownGroup, Outcome};

/// Width of a calibration bin in parts per million.
const BIN_WIDTH_PPM: i64 = 10_000;

/// Which decisions a counter holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// All of them.
    Total,
    /// Those of one group.
    Group(AttributeName, GroupName),
}

impl Cell {
    /// The cell with these text forms.
    pub fn from_columns(attribute: &str, group: &str) -> Result<Self, InvalidId> {
        match (attribute, group) {
            ("", "") => Ok(Self::Total),
            _ => Ok(Self::Group(attribute.parse()?, group.parse()?)),
        }
    }

    /// The cells that a decision counts in: the total, and the groups of its applicant.
    pub(super) fn of<'a>(
        groups: impl IntoIterator<Item = (&'a AttributeName, &'a KnownGroup)>,
    ) -> impl Iterator<Item = Self> {
        let known = groups
            .into_iter()
            .map(|(name, known)| Self::Group(name.clone(), known.group.clone()));
        std::iter::once(Self::Total).chain(known)
    }

    /// The text forms of attribute and group; both empty for the total.
    pub fn columns(&self) -> (&str, &str) {
        match self {
            Self::Total => ("", ""),
            Self::Group(attribute, group) => (attribute.as_str(), group.as_str()),
        }
    }
}

/// What a counter counts by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CounterKey {
    /// The model that scored.
    pub model: ModelVersion,
    /// The traffic arm that scored.
    pub arm: String,
    /// Which decisions.
    pub cell: Cell,
    /// The minute of the decisions.
    pub minute: i64,
}

/// An increment of one counter row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Decisions that approved.
    pub approved: i64,
    /// Decisions that referred.
    pub referred: i64,
    /// Decisions that denied.
    pub denied: i64,
    /// Sum of scores.
    pub score_sum: i64,
    /// Sum of squared scores.
    pub score_square_sum: i64,
    /// Approved and known to have repaid.
    pub approved_repaid: i64,
    /// Approved and known to have defaulted.
    pub approved_defaulted: i64,
}

impl Counts {
    /// What one decision counts.
    fn of(decision: &Decision, known: Option<CreditOutcome>) -> Self {
        let is = |outcome: Outcome| i64::from(decision.outcome == outcome);
        // Outcomes of applications that were not approved are stored, not counted: selective labels.
        let is_known =
            |outcome: CreditOutcome| is(Outcome::Approve) * i64::from(known == Some(outcome));
        Self {
            approved: is(Outcome::Approve),
            referred: is(Outcome::Refer),
            denied: is(Outcome::Deny),
            score_sum: decision.score,
            score_square_sum: decision.score * decision.score,
            approved_repaid: is_known(CreditOutcome::Repaid),
            approved_defaulted: is_known(CreditOutcome::Defaulted),
        }
    }

    pub(super) fn add(&mut self, other: &Self, sign: Sign) {
        let sign = sign.factor();
        self.approved += sign * other.approved;
        self.referred += sign * other.referred;
        self.denied += sign * other.denied;
        self.score_sum += sign * other.score_sum;
        self.score_square_sum += sign * other.score_square_sum;
        self.approved_repaid += sign * other.approved_repaid;
        self.approved_defaulted += sign * other.approved_defaulted;
    }
}

/// What a calibration row counts by: the model and a hundredth of the predicted probability.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BinKey {
    /// The model that predicted.
    pub model: ModelVersion,
    /// 0 to 99.
    pub bin: i64,
}

/// An increment of one calibration row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BinCounts {
    /// Approved with a known outcome.
    pub labelled: i64,
    /// Those of them who defaulted.
    pub defaulted: i64,
    /// Sum of their predicted probabilities in parts per million.
    pub predicted_sum_ppm: i64,
}

/// Whether something is counted or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Count it.
    Plus,
    /// Take it back.
    Minus,
}

impl Sign {
    pub(super) const fn factor(self) -> i64 {
        match self {
            Self::Plus => 1,
            Self::Minus => -1,
        }
    }
}

/// Increments of many rows, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Increments {
    /// Increments of the counters.
    pub counters: BTreeMap<CounterKey, Counts>,
    /// Increments of the calibration bins.
    pub bins: BTreeMap<BinKey, BinCounts>,
}

impl Increments {
    /// Counts a decision, or takes it back, under what is known of its application.
    pub fn add<'a>(
        &mut self,
        decision: &Decision,
        groups: impl IntoIterator<Item = (&'a AttributeName, &'a KnownGroup)>,
        outcome: Option<CreditOutcome>,
        sign: Sign,
    ) {
        let counts = Counts::of(decision, outcome);
        for cell in Cell::of(groups) {
            let key = CounterKey {
                model: decision.model.clone(),
                arm: decision.arm.clone(),
                cell,
                minute: decision.minute,
            };
            self.counters.entry(key).or_default().add(&counts, sign);
        }
        if let (Outcome::Approve, Some(outcome)) = (decision.outcome, outcome) {
            let key = BinKey {
                model: decision.model.clone(),
                bin: bin_of(decision.probability_ppm),
            };
            let bin = self.bins.entry(key).or_default();
            bin.labelled += sign.factor();
            bin.defaulted += sign.factor() * i64::from(outcome == CreditOutcome::Defaulted);
            bin.predicted_sum_ppm += sign.factor() * decision.probability_ppm;
        }
    }

    /// Drops the increments that cancelled out.
    pub fn settle(&mut self) {
        self.counters
            .retain(|_, counts| *counts != Counts::default());
        self.bins.retain(|_, bin| *bin != BinCounts::default());
    }
}

/// The bin of a probability; one million parts belong to the last bin.
fn bin_of(probability_ppm: i64) -> i64 {
    let last = i64::try_from(BINS).expect("there are a hundred bins") - 1;
    (probability_ppm / BIN_WIDTH_PPM).clamp(0, last)
}

#[cfg(test)]
mod tests {
    use fcs_core::Probability;
    use fcs_fairness::calibration;

    use super::*;
    use crate::app::facts::{Source, parts_per_million};

    fn decision(outcome: Outcome) -> Decision {
        Decision {
            application_id: "A-1".parse().unwrap(),
            minute: 7,
            model: "demo/1".parse().unwrap(),
            arm: "stable".to_owned(),
            outcome,
            score: 640,
            probability_ppm: 123_456,
            bins: Vec::new(),
        }
    }

    #[test]
    fn taking_back_cancels_exactly() {
        let groups = [(
            "sex".parse().unwrap(),
            KnownGroup {
                group: "female".parse().unwrap(),
                source: Source::SelfReported,
            },
        )];
        let known = || groups.iter().map(|(name, known)| (name, known));
        let mut increments = Increments::default();
        let outcome = Some(CreditOutcome::Defaulted);
        increments.add(&decision(Outcome::Approve), known(), outcome, Sign::Plus);
        assert_eq!((increments.counters.len(), increments.bins.len()), (2, 1));
        increments.add(&decision(Outcome::Approve), known(), outcome, Sign::Minus);
        increments.settle();
        assert_eq!(increments, Increments::default());
    }

    #[test]
    fn outcomes_count_only_for_the_approved() {
        for outcome in [Outcome::Refer, Outcome::Deny] {
            let mut increments = Increments::default();
            increments.add(
                &decision(outcome),
                [],
                Some(CreditOutcome::Repaid),
                Sign::Plus,
            );
            let counts = increments.counters.values().next().unwrap();
            assert_eq!((counts.approved_repaid, counts.approved_defaulted), (0, 0));
            assert!(increments.bins.is_empty());
        }
    }

    #[test]
    fn bins_are_those_of_the_fairness_library() {
        for step in 0..=1_000_u32 {
            let probability = Probability::try_from(f64::from(step) / 1_000.0).unwrap();
            let expected = i64::try_from(calibration::bin_of(probability)).unwrap();
            assert_eq!(bin_of(parts_per_million(probability)), expected, "{step}");
        }
    }
}
