//! The scores of one group: exactly, or in 100 bins with frozen edges. Higher is better.

use serde::{Deserialize, Serialize};

pub use exact::{ExactScores, FiniteScore, InvalidScore};
pub use histogram::{BINS, Bin, Edges, Histogram, InvalidEdges, Scale, Score, ScoreSums};
pub(crate) use moment::Moment;
pub(crate) use sample::Point;
pub use sample::{Population, Sample};

use crate::tally::{ByOutcome, Decision, Outcome};

mod exact;
mod histogram;
mod moment;
mod sample;

/// One thing for approved and one for declined applicants, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split<T> {
    /// Of approved applicants.
    pub approved: ByOutcome<T>,
    /// Of applicants who were referred or denied.
    pub declined: ByOutcome<T>,
}

/// How the scores of a group are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scores {
    /// No score was counted.
    #[default]
    None,
    /// Every distinct score with its counts: from a table of rows.
    Exact(ExactScores),
    /// Counts and sums in bins: from counters.
    Binned(Histogram),
}

/// How finely scores are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// No score is known.
    None,
    /// Every score is known.
    Exact,
    /// Scores are known by bin. Means, spreads and the Brier score are exact all the same; areas,
    /// separations, distances and cuts take the members of a bin for tied.
    Binned,
}

/// Scores that were counted in different ways cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scores counted exactly or in bins with other edges cannot be added to these")]
pub struct DifferentBins;

impl Scores {
    /// Adds the scores of other decisions so many times; a negative number takes them back. Fails, and
    /// changes nothing, if they were counted in another way.
    pub fn add(&mut self, other: &Self, times: i64) -> Result<(), DifferentBins> {
        match (&mut *self, other) {
            (_, Self::None) => {}
            (Self::None, Self::Exact(scores)) => {
                let mut own = ExactScores::default();
                own.add(scores, times);
                *self = Self::Exact(own);
            }
            (Self::None, Self::Binned(histogram)) => {
                let mut own = Histogram::new(histogram.edges().clone());
                own.add(histogram, times)?;
                *self = Self::Binned(own);
            }
            (Self::Exact(own), Self::Exact(scores)) => own.add(scores, times),
            (Self::Binned(own), Self::Binned(histogram)) => own.add(histogram, times)?,
            (Self::Exact(_), Self::Binned(_)) | (Self::Binned(_), Self::Exact(_)) => {
                return Err(DifferentBins);
            }
        }
        self.forget_emptiness();
        Ok(())
    }

    /// Counts one exact score so many times. Fails, and changes nothing, if scores were counted in bins.
    pub(crate) fn record(
        &mut self,
        score: FiniteScore,
        decision: Decision,
        outcome: Option<Outcome>,
        times: i64,
    ) -> Result<(), DifferentBins> {
        match self {
            Self::None => {
                let mut own = ExactScores::default();
                own.record(score, decision, outcome, times);
                *self = Self::Exact(own);
            }
            Self::Exact(own) => own.record(score, decision, outcome, times),
            Self::Binned(_) => return Err(DifferentBins),
        }
        self.forget_emptiness();
        Ok(())
    }

    /// Equal contents are equal values, also after everything was taken back.
    fn forget_emptiness(&mut self) {
        if self.is_empty() {
            *self = Self::None;
        }
    }

    /// How finely the scores are known.
    pub fn resolution(&self) -> Resolution {
        match self {
            Self::None => Resolution::None,
            Self::Exact(_) => Resolution::Exact,
            Self::Binned(_) => Resolution::Binned,
        }
    }

    /// Whether no score is left.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::Exact(scores) => scores.is_empty(),
            Self::Binned(histogram) => histogram.bins().next().is_none(),
        }
    }
}
