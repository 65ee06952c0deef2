use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::Split;
use crate::tally::{Decision, Outcome};

/// A finite score; zero has one sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FiniteScore(f64);

impl FiniteScore {
    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Eq for FiniteScore {}

impl PartialOrd for FiniteScore {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FiniteScore {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl TryFrom<f64> for FiniteScore {
    type Error = InvalidScore;

    fn try_from(score: f64) -> Result<Self, InvalidScore> {
        // Adding zero turns -0 into 0.
        score
            .is_finite()
            .then_some(Self(score + 0.0))
            .ok_or(InvalidScore)
    }
}

/// The score is not a finite number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a score must be a finite number")]
pub struct InvalidScore;

/// Every distinct score of a group with its counts.
///
/// Only integers are added, so the same rows in any order, in any shards, give the same bits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExactScores {
    points: BTreeMap<FiniteScore, Split<i64>>,
}

impl ExactScores {
    /// Counts one decision so many times; -1 takes it back.
    pub fn record(
        &mut self,
        score: FiniteScore,
        decision: Decision,
        outcome: Option<Outcome>,
        times: i64,
    ) {
        let mut counts = Split::default();
        *counts.side_mut(decision).get_mut(outcome) = 1;
        self.add_at(score, &counts, times);
    }

    /// Adds the scores of other decisions so many times; a negative number takes them back.
    pub fn add(&mut self, other: &Self, times: i64) {
        for (score, counts) in &other.points {
            self.add_at(*score, counts, times);
        }
    }

    /// Scores that nothing is left of are dropped, so that equal contents are equal values.
    fn add_at(&mut self, score: FiniteScore, counts: &Split<i64>, times: i64) {
        let own = self.points.entry(score).or_default();
        own.approved.add(&counts.approved, times);
        own.declined.add(&counts.declined, times);
        if *own == Split::default() {
            self.points.remove(&score);
        }
    }

    /// The number of distinct scores that were seen.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether no score was counted.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    pub(super) fn points(&self) -> impl Iterator<Item = (f64, &Split<i64>)> {
        self.points
            .iter()
            .map(|(score, counts)| (score.get(), counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_zeros_are_one_score_and_no_other_number_is_lost() {
        let mut scores = ExactScores::default();
        for score in [0.0, -0.0, 0.5] {
            let score = FiniteScore::try_from(score).unwrap();
            scores.record(score, Decision::Approve, None, 1);
        }
        assert_eq!(scores.len(), 2);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(FiniteScore::try_from(bad), Err(InvalidScore));
        }
    }
}
