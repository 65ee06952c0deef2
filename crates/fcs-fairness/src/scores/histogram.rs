use std::collections::BTreeMap;
use std::sync::Arc;

use fcs_core::Probability;
use serde::{Deserialize, Serialize};

use super::{DifferentBins, Split};
use crate::tally::{Decision, Outcome};

/// The number of bins of a score.
pub const BINS: usize = 100;

const MILLION: i64 = 1_000_000;
/// Scores are at most 10^9 units away from zero, so that sums of squares hold 10^8 of the largest.
const LARGEST_SCORE: i64 = 1_000_000_000 * MILLION;

/// A score in integer millionths of its unit (a probability, or points), so that sums are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(i64);

impl Score {
    /// A number of points; `None` beyond 10^9.
    pub fn from_points(points: i64) -> Option<Self> {
        Self::from_millionths(points.checked_mul(MILLION)?)
    }

    /// A number of millionths; `None` beyond 10^15.
    pub fn from_millionths(millionths: i64) -> Option<Self> {
        let fits = (-LARGEST_SCORE..=LARGEST_SCORE).contains(&millionths);
        fits.then_some(Self(millionths))
    }

    /// The score in millionths.
    pub fn millionths(self) -> i64 {
        self.0
    }
}

/// The probability of repayment, rounded to the nearest millionth.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a probability is within [0, 1], so the product is within [0, 1 000 000]"
)]
impl From<Probability> for Score {
    fn from(probability: Probability) -> Self {
        Self((f64::from(probability) * MILLION as f64).round() as i64)
    }
}

/// What the scores mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The probability of repayment.
    Probability,
    /// Points; higher is better.
    Points,
}

/// The inner edges of the bins, ascending, and the scale; frozen with the model, because counts in
/// bins that move can neither be merged nor compared.
///
/// Bin `i` holds `edge[i - 1] <= score < edge[i]`; the first and the last bin are open outwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "EdgesForm", into = "EdgesForm")]
pub struct Edges {
    scale: Scale,
    /// Always `BINS - 1`, strictly ascending.
    inner: Arc<[Score]>,
}

#[derive(Serialize, Deserialize)]
struct EdgesForm {
    scale: Scale,
    inner: Vec<Score>,
}

/// The edges are not those of [`BINS`] bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEdges {
    /// Another number of edges.
    #[error("expected {} inner edges, found {count}", BINS - 1)]
    Count {
        /// The number found.
        count: usize,
    },
    /// An edge is not above the one before it.
    #[error("inner edge {index} is not above the edge before it")]
    Order {
        /// The index of the edge.
        index: usize,
    },
}

impl Edges {
    /// Hundredths of a probability.
    pub fn hundredths() -> Self {
        let inner = (1..100).map(|hundredth| Score(hundredth * (MILLION / 100)));
        Self {
            scale: Scale::Probability,
            inner: inner.collect(),
        }
    }

    /// The given inner edges. Fails unless there are 99 of them, strictly ascending.
    pub fn new(scale: Scale, inner: &[Score]) -> Result<Self, InvalidEdges> {
        if inner.len() != BINS - 1 {
            return Err(InvalidEdges::Count { count: inner.len() });
        }
        if let Some(before) = inner.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(InvalidEdges::Order { index: before + 1 });
        }
        Ok(Self {
            scale,
            inner: inner.into(),
        })
    }

    /// What the scores mean.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// The inner edges, ascending.
    pub fn inner(&self) -> &[Score] {
        &self.inner
    }

    /// The bin of a score, `0..BINS`.
    pub fn bin_of(&self, score: Score) -> u8 {
        let bin = self.inner.partition_point(|edge| *edge <= score);
        u8::try_from(bin).unwrap_or(u8::MAX)
    }
}

impl TryFrom<EdgesForm> for Edges {
    type Error = InvalidEdges;

    fn try_from(form: EdgesForm) -> Result<Self, InvalidEdges> {
        Self::new(form.scale, &form.inner)
    }
}

impl From<Edges> for EdgesForm {
    fn from(edges: Edges) -> Self {
        Self {
            scale: edges.scale,
            inner: edges.inner.to_vec(),
        }
    }
}

/// Count, sum and sum of squares of scores in millionths; additive and signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreSums {
    /// Decisions.
    pub count: i64,
    /// Sum of their scores in millionths.
    pub sum: i128,
    /// Sum of the squares of their scores in square millionths.
    pub square_sum: i128,
}

impl ScoreSums {
    fn one(score: Score) -> Self {
        let score = i128::from(score.millionths());
        Self {
            count: 1,
            sum: score,
            square_sum: score * score,
        }
    }

    fn add(&mut self, other: &Self, times: i64) {
        let wide = i128::from(times);
        self.count = self.count.wrapping_add(other.count.wrapping_mul(times));
        self.sum = self.sum.wrapping_add(other.sum.wrapping_mul(wide));
        self.square_sum = self
            .square_sum
            .wrapping_add(other.square_sum.wrapping_mul(wide));
    }
}

/// The sums of one bin.
pub type Bin = Split<ScoreSums>;

impl Bin {
    pub(super) fn cells(&self) -> [&ScoreSums; 6] {
        let (approved, declined) = (&self.approved, &self.declined);
        [
            &approved.repaid,
            &approved.defaulted,
            &approved.unknown,
            &declined.repaid,
            &declined.defaulted,
            &declined.unknown,
        ]
    }

    fn cells_mut(&mut self) -> [&mut ScoreSums; 6] {
        let (approved, declined) = (&mut self.approved, &mut self.declined);
        [
            &mut approved.repaid,
            &mut approved.defaulted,
            &mut approved.unknown,
            &mut declined.repaid,
            &mut declined.defaulted,
            &mut declined.unknown,
        ]
    }

    fn add(&mut self, other: &Self, times: i64) {
        for (own, other) in self.cells_mut().into_iter().zip(other.cells()) {
            own.add(other, times);
        }
    }
}

impl<T> Split<T> {
    pub(super) fn side_mut(&mut self, decision: Decision) -> &mut crate::tally::ByOutcome<T> {
        match decision {
            Decision::Approve => &mut self.approved,
            Decision::Refer | Decision::Deny => &mut self.declined,
        }
    }
}

/// The scores of one group in [`BINS`] bins; exact under merging. Only bins that hold something are
/// kept, so a minute of one group is small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    edges: Edges,
    bins: BTreeMap<u8, Bin>,
}

impl Histogram {
    /// An empty histogram.
    pub fn new(edges: Edges) -> Self {
        Self {
            edges,
            bins: BTreeMap::new(),
        }
    }

    /// Counts one decision; `times` is -1 to take it back.
    pub fn record(
        &mut self,
        score: Score,
        decision: Decision,
        outcome: Option<Outcome>,
        times: i64,
    ) {
        let index = self.edges.bin_of(score);
        let bin = self.bins.entry(index).or_default();
        let sums = bin.side_mut(decision).get_mut(outcome);
        sums.add(&ScoreSums::one(score), times);
        // Most decisions leave something behind, and then the rest of the bin need not be looked at.
        if *sums == ScoreSums::default() && *bin == Bin::default() {
            self.bins.remove(&index);
        }
    }

    /// Adds the sums of one bin, for example a stored row. `false` if there is no such bin.
    pub fn add_bin(&mut self, index: u8, bin: &Bin, times: i64) -> bool {
        let exists = usize::from(index) < BINS;
        if exists {
            self.add_to(index, bin, times);
        }
        exists
    }

    /// Adds the scores of other decisions so many times; a negative number takes them back. Fails if
    /// the edges differ.
    pub fn add(&mut self, other: &Self, times: i64) -> Result<(), DifferentBins> {
        if !Arc::ptr_eq(&self.edges.inner, &other.edges.inner) && self.edges != other.edges {
            return Err(DifferentBins);
        }
        for (index, bin) in &other.bins {
            self.add_to(*index, bin, times);
        }
        Ok(())
    }

    /// The frozen edges.
    pub fn edges(&self) -> &Edges {
        &self.edges
    }

    /// The bins that hold something, in ascending order.
    pub fn bins(&self) -> impl Iterator<Item = (u8, &Bin)> {
        self.bins.iter().map(|(index, bin)| (*index, bin))
    }

    /// Empty bins are dropped, so that equal contents are equal values.
    fn add_to(&mut self, index: u8, bin: &Bin, times: i64) {
        let own = self.bins.entry(index).or_default();
        own.add(bin, times);
        if *own == Bin::default() {
            self.bins.remove(&index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_belongs_to_the_bin_that_starts_with_it() {
        let edges = Edges::hundredths();
        for (millionths, bin) in [(-5, 0), (0, 0), (9_999, 0), (10_000, 1), (999_999, 99)] {
            assert_eq!(edges.bin_of(Score(millionths)), bin, "{millionths}");
        }
        assert_eq!(edges.bin_of(Score(1_000_000)), 99);
        assert_eq!(edges.bin_of(Score(LARGEST_SCORE)), 99);
    }

    #[test]
    fn edges_must_ascend_and_be_ninety_nine() {
        let short = Edges::new(Scale::Points, &[Score(1)]);
        assert_eq!(short, Err(InvalidEdges::Count { count: 1 }));
        let mut inner = Edges::hundredths().inner().to_vec();
        inner[7] = inner[6];
        let flat = Edges::new(Scale::Points, &inner);
        assert_eq!(flat, Err(InvalidEdges::Order { index: 7 }));
    }

    #[test]
    fn what_is_taken_back_leaves_no_trace() {
        let mut histogram = Histogram::new(Edges::hundredths());
        let score = Score(431_000);
        histogram.record(score, Decision::Deny, None, 1);
        assert_eq!(histogram.bins().count(), 1);
        histogram.record(score, Decision::Deny, None, -1);
        assert_eq!(histogram, Histogram::new(Edges::hundredths()));
    }

    #[test]
    fn other_edges_and_other_bins_are_refused() {
        let mut own = Histogram::new(Edges::hundredths());
        let points: Vec<Score> = (1..100).map(|edge| Score(edge * 7)).collect();
        let other = Histogram::new(Edges::new(Scale::Points, &points).unwrap());
        assert_eq!(own.add(&other, 1), Err(DifferentBins));
        assert!(!own.add_bin(100, &Bin::default(), 1));
        assert_eq!(own.add(&Histogram::new(Edges::hundredths()), 1), Ok(()));
    }

    #[test]
    fn a_histogram_survives_json() {
        let mut histogram = Histogram::new(Edges::hundredths());
        histogram.record(Score(999_999), Decision::Approve, Some(Outcome::Repaid), 1);
        let text = serde_json::to_string(&histogram).unwrap();
        assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), histogram);
    }
}
