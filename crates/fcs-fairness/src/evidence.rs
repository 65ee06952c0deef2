//! Everything that is counted of one group.

use crate::scores::{DifferentBins, FiniteScore, Population, Scores};
use crate::tally::{Decision, Outcome, Tally};

/// Decisions, outcomes and scores of one group; additive and signed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Decisions and outcomes.
    pub tally: Tally,
    /// Scores, of the decisions that have one.
    pub scores: Scores,
}

impl Evidence {
    /// Adds the evidence of other decisions so many times; a negative number takes it back. Fails, and
    /// changes nothing, if the scores were counted in another way.
    pub fn add(&mut self, other: &Self, times: i64) -> Result<(), DifferentBins> {
        self.scores.add(&other.scores, times)?;
        self.tally.add(&other.tally, times);
        Ok(())
    }

    /// Counts one decision so many times, its score exactly; -1 takes it back. Fails, and changes
    /// nothing, if scores were counted in bins.
    pub fn record(
        &mut self,
        decision: Decision,
        outcome: Option<Outcome>,
        score: Option<FiniteScore>,
        times: i64,
    ) -> Result<(), DifferentBins> {
        if let Some(score) = score {
            self.scores.record(score, decision, outcome, times)?;
        }
        self.tally.add(&Tally::one(decision, outcome), times);
        Ok(())
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.tally.is_empty() && self.scores.is_empty()
    }

    /// The people that a metric of decisions or outcomes covers.
    pub(crate) fn members(&self, population: Population) -> i64 {
        let known = self.tally.approved.known();
        match population {
            Population::AllDecisions => self.tally.decisions(),
            Population::ApprovedWithKnownOutcome => known,
            Population::KnownOutcome => known.wrapping_add(self.tally.declined().known()),
        }
    }
}
