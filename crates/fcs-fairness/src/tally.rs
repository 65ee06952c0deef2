//! Signed counts of one group: decisions, and what became known of their outcomes.

use serde::{Deserialize, Serialize};

use crate::{GroupCounters, Undefined};

/// The largest number up to which floating point holds every integer.
const LARGEST_COUNT: i128 = 1 << 53;

/// What was decided. Only [`Decision::Approve`] selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The application was approved.
    Approve,
    /// The application was handed to a person. Not an approval.
    Refer,
    /// The application was denied.
    Deny,
}

/// How the loan went. Repaid is the favourable outcome, the positive class of every metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The applicant repaid.
    Repaid,
    /// The applicant defaulted.
    Defaulted,
}

/// One thing for each state of knowledge about an outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByOutcome<T> {
    /// Known to have repaid.
    pub repaid: T,
    /// Known to have defaulted.
    pub defaulted: T,
    /// Not known, or not yet.
    pub unknown: T,
}

impl<T> ByOutcome<T> {
    pub(crate) fn get_mut(&mut self, outcome: Option<Outcome>) -> &mut T {
        match outcome {
            Some(Outcome::Repaid) => &mut self.repaid,
            Some(Outcome::Defaulted) => &mut self.defaulted,
            None => &mut self.unknown,
        }
    }
}

impl ByOutcome<i64> {
    /// Decisions, whatever is known of their outcome.
    pub fn total(&self) -> i64 {
        self.known().wrapping_add(self.unknown)
    }

    /// Decisions whose outcome is known.
    pub fn known(&self) -> i64 {
        self.repaid.wrapping_add(self.defaulted)
    }

    pub(crate) fn add(&mut self, other: &Self, times: i64) {
        let product = |count: i64| count.wrapping_mul(times);
        self.repaid = self.repaid.wrapping_add(product(other.repaid));
        self.defaulted = self.defaulted.wrapping_add(product(other.defaulted));
        self.unknown = self.unknown.wrapping_add(product(other.unknown));
    }

    fn is_negative(&self) -> bool {
        self.repaid < 0 || self.defaulted < 0 || self.unknown < 0
    }
}

/// Every count that the metrics of decisions and outcomes follow from.
///
/// Counts are signed: a correction is a tally that is taken back and another that is added. They add
/// as integers modulo 2^64, so merging is associative and commutative without exception; no real
/// feed comes near the limit.
///
/// An outcome of an applicant who was not approved is rarely known: from a back-test, from
/// exploration, or from a table of history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Decisions that approved.
    pub approved: ByOutcome<i64>,
    /// Decisions that referred the application to a person.
    pub referred: ByOutcome<i64>,
    /// Decisions that denied.
    pub denied: ByOutcome<i64>,
}

impl Tally {
    /// One decision, with its outcome if that is known.
    pub fn one(decision: Decision, outcome: Option<Outcome>) -> Self {
        let mut tally = Self::default();
        let counts = match decision {
            Decision::Approve => &mut tally.approved,
            Decision::Refer => &mut tally.referred,
            Decision::Deny => &mut tally.denied,
        };
        *counts.get_mut(outcome) = 1;
        tally
    }

    /// The change when the outcome of a decision becomes known, changes or is withdrawn: add it to
    /// what was counted before.
    pub fn correction(decision: Decision, before: Option<Outcome>, after: Option<Outcome>) -> Self {
        let mut change = Self::one(decision, after);
        change.retract(&Self::one(decision, before));
        change
    }

    /// Adds the counts of other decisions.
    pub fn merge(&mut self, other: &Self) {
        self.add(other, 1);
    }

    /// Takes counts back.
    pub fn retract(&mut self, other: &Self) {
        self.add(other, -1);
    }

    /// Adds other counts so many times; a negative number takes them back.
    pub fn add(&mut self, other: &Self, times: i64) {
        self.approved.add(&other.approved, times);
        self.referred.add(&other.referred, times);
        self.denied.add(&other.denied, times);
    }

    /// All decisions.
    pub fn decisions(&self) -> i64 {
        self.approved.total().wrapping_add(self.declined().total())
    }

    /// Decisions that did not approve: referred or denied.
    pub fn declined(&self) -> ByOutcome<i64> {
        let mut declined = self.referred;
        declined.add(&self.denied, 1);
        declined
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Fails on counts that no decisions can have. What passes adds without overflow and converts to
    /// floating point without loss.
    pub(crate) fn check(&self) -> Result<(), Undefined> {
        let mut decisions = 0_i128;
        for counts in [self.approved, self.referred, self.denied] {
            if counts.is_negative() {
                return Err(Undefined::NegativeCount);
            }
            for count in [counts.repaid, counts.defaulted, counts.unknown] {
                decisions += i128::from(count);
            }
        }
        match decisions {
            0 => Err(Undefined::NoDecisions),
            1..=LARGEST_COUNT => Ok(()),
            _ => Err(Undefined::NotFinite),
        }
    }
}

/// Counters as the store keeps them; what they do not hold (outcomes of applicants who were not
/// approved) stays unknown.
impl TryFrom<&GroupCounters> for Tally {
    type Error = Undefined;

    fn try_from(counters: &GroupCounters) -> Result<Self, Undefined> {
        let count = |count: u64| i64::try_from(count).map_err(|_| Undefined::NotFinite);
        let known = count(counters.approved_with_outcome())?;
        let unknown_outcomes = |unknown: i64| ByOutcome {
            unknown,
            ..ByOutcome::default()
        };
        Ok(Self {
            approved: ByOutcome {
                repaid: count(counters.approved_repaid)?,
                defaulted: count(counters.approved_defaulted)?,
                unknown: count(counters.approved)? - known,
            },
            referred: unknown_outcomes(count(counters.referred)?),
            denied: unknown_outcomes(count(counters.denied)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_moves_one_decision() {
        let mut tally = Tally::one(Decision::Approve, None);
        tally.merge(&Tally::correction(
            Decision::Approve,
            None,
            Some(Outcome::Repaid),
        ));
        assert_eq!(tally, Tally::one(Decision::Approve, Some(Outcome::Repaid)));
        tally.merge(&Tally::correction(
            Decision::Approve,
            Some(Outcome::Repaid),
            Some(Outcome::Defaulted),
        ));
        assert_eq!(
            tally,
            Tally::one(Decision::Approve, Some(Outcome::Defaulted))
        );
        tally.retract(&Tally::one(Decision::Approve, Some(Outcome::Defaulted)));
        assert!(tally.is_empty());
    }

    #[test]
    fn a_correction_before_its_decision_is_a_negative_count_and_then_nothing_is_amiss() {
        let mut tally = Tally::correction(Decision::Approve, None, Some(Outcome::Repaid));
        assert_eq!(tally.check(), Err(Undefined::NegativeCount));
        tally.merge(&Tally::one(Decision::Approve, None));
        assert_eq!(tally.check(), Ok(()));
        tally.denied.unknown = i64::MAX;
        assert_eq!(tally.check(), Err(Undefined::NotFinite));
    }

    #[test]
    fn counters_of_the_store_are_a_tally_with_unknown_outcomes() {
        let counters = GroupCounters {
            approved: 10,
            referred: 2,
            denied: 3,
            approved_repaid: 4,
            approved_defaulted: 1,
            ..GroupCounters::default()
        };
        let tally = Tally::try_from(&counters).unwrap();
        assert_eq!((tally.decisions(), tally.approved.unknown), (15, 5));
        assert_eq!(tally.declined().known(), 0);
        let impossible = GroupCounters {
            denied: u64::MAX,
            ..counters
        };
        assert_eq!(Tally::try_from(&impossible), Err(Undefined::NotFinite));
    }
}
