//! The scores of one group: exactly, or in 100 bins with frozen edges. Higher is better.

use serde::{Deserialize, Serialize};

pub use exact::{ExactScores, InvalidScore};
pub use histogram::{BINS, Bin, Edges, Histogram, InvalidEdges, Scale, Score, ScoreSums};
pub(crate) use moment::Moment;
pub use sample::Population;
pub(crate) use sample::{Point, Sample};

use crate::tally::ByOutcome;

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

/// Scores that were counted in different ways cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scores counted exactly or in bins with other edges cannot be added to these")]
pub struct DifferentBins;

impl Scores {
    /// Adds the scores of other decisions so many times; a negative number takes them back.
    pub fn add(&mut self, other: &Self, times: i64) -> Result<(), DifferentBins> {
        match (&mut *self, other) {
            (_, Self::None) => Ok(()),
            (Self::None, Self::Exact(scores)) => {
                let mut own = ExactScores::default();
                own.add(scores, times);
                *self = Self::Exact(own);
                Ok(())
            }
            (Self::None, Self::Binned(histogram)) => {
                let mut own = Histogram::new(histogram.edges().clone());
                own.add(histogram, times)?;
                *self = Self::Binned(own);
                Ok(())
            }
            (Self::Exact(own), Self::Exact(scores)) => {
                own.add(scores, times);
                Ok(())
            }
            (Self::Binned(own), Self::Binned(histogram)) => own.add(histogram, times),
            (Self::Exact(_), Self::Binned(_)) | (Self::Binned(_), Self::Exact(_)) => {
                Err(DifferentBins)
            }
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
