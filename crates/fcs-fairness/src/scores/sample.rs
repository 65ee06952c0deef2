//! One form of scores for every formula: ascending points, whether exact or binned.

use fcs_core::Probability;

use super::{BINS, Bin, Moment, Scale, ScoreSums, Scores, Split};
use crate::Undefined;
use crate::calibration;
use crate::tally::ByOutcome;

const MILLION: f64 = 1_000_000.0;

/// Whose decisions a metric is about, and so what it can claim.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    /// Every decision; no outcome is needed.
    AllDecisions,
    /// Approved applicants whose outcome is known: observable in production, and says nothing about
    /// those who were not approved (selective labels).
    ApprovedWithKnownOutcome,
    /// Every applicant whose outcome is known, approved or not: observable in a back-test or with
    /// exploration. Representative only if outcomes of the others are not missing by choice.
    KnownOutcome,
}

/// Decisions with one score, or in one bin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Point {
    /// Orders points: the score, or the index of the bin.
    pub(crate) key: f64,
    pub(crate) repaid: Moment,
    pub(crate) defaulted: Moment,
    pub(crate) unknown: Moment,
}

impl Point {
    pub(crate) fn known(&self) -> Moment {
        self.repaid.and(self.defaulted)
    }

    pub(crate) fn all(&self) -> Moment {
        self.known().and(self.unknown)
    }
}

/// What the keys of points mean; points of two groups are comparable if these are equal.
#[derive(Clone, Debug, PartialEq)]
enum Keys {
    Scores,
    Bins(super::Edges),
}

/// The scores of one population of one group, ascending, ready for every formula.
#[derive(Clone, Debug)]
pub struct Sample {
    pub(crate) points: Vec<Point>,
    pub(crate) population: Population,
    pub(crate) is_probability: bool,
    pub(crate) repaid: Moment,
    pub(crate) defaulted: Moment,
    pub(crate) all: Moment,
    keys: Keys,
}

impl Sample {
    /// The scores of a population. Fails if it has none, or on counts that cannot be.
    pub fn new(scores: &Scores, population: Population) -> Result<Self, Undefined> {
        let (mut points, keys, scale) = match scores {
            Scores::None => return Err(Undefined::NoScores),
            Scores::Exact(scores) => {
                let points = exact_points(scores, population)?;
                (points, Keys::Scores, Scale::Probability)
            }
            Scores::Binned(histogram) => {
                let points = binned_points(histogram.bins(), population)?;
                let edges = histogram.edges();
                (points, Keys::Bins(edges.clone()), edges.scale())
            }
        };
        points.retain(|point| point.all().count > 0.0);
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return Err(Undefined::NoScores);
        };
        let in_range = first.all().mean >= 0.0 && last.all().mean <= 1.0;
        let sum = |part: fn(&Point) -> Moment| {
            let parts = points.iter().map(part);
            parts.fold(Moment::default(), Moment::and)
        };
        Ok(Self {
            population,
            is_probability: scale == Scale::Probability && in_range,
            repaid: sum(|point| point.repaid),
            defaulted: sum(|point| point.defaulted),
            all: sum(Point::all),
            keys,
            points,
        })
    }

    /// The people of the sample.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a sum of counts below 2^53 is an integer, and a larger one saturates"
    )]
    pub fn count(&self) -> i64 {
        self.all.count as i64
    }

    /// Whether the scores of both were counted in the same way.
    pub(crate) fn check_comparable(&self, other: &Self) -> Result<(), Undefined> {
        if self.keys == other.keys {
            Ok(())
        } else {
            Err(Undefined::DifferentBins)
        }
    }

    /// The counts of both samples at every key of either, ascending. Fails if the keys differ in
    /// meaning.
    pub(crate) fn beside(&self, other: &Self) -> Result<Vec<(f64, f64)>, Undefined> {
        self.check_comparable(other)?;
        let (mut own, mut others) = (
            self.points.iter().peekable(),
            other.points.iter().peekable(),
        );
        let mut pairs = Vec::with_capacity(self.points.len() + other.points.len());
        loop {
            let key = match (own.peek(), others.peek()) {
                (Some(one), Some(two)) => one.key.min(two.key),
                (Some(point), None) | (None, Some(point)) => point.key,
                (None, None) => return Ok(pairs),
            };
            let count_at = |point: Option<&Point>| point.map_or(0.0, |point| point.all().count);
            pairs.push((
                count_at(own.next_if(|point| point.key <= key)),
                count_at(others.next_if(|point| point.key <= key)),
            ));
        }
    }

    /// The sample in ten bins of probability of width 0.1; the bins that hold something.
    pub(crate) fn deciles(&self) -> Vec<Point> {
        let mut deciles: Vec<(usize, Point)> = Vec::new();
        for point in &self.points {
            let decile = decile_of(point.all().mean);
            match deciles.last_mut() {
                Some((last, sum)) if *last == decile => {
                    sum.repaid = sum.repaid.and(point.repaid);
                    sum.defaulted = sum.defaulted.and(point.defaulted);
                    sum.unknown = sum.unknown.and(point.unknown);
                }
                Some(_) | None => deciles.push((decile, *point)),
            }
        }
        deciles.into_iter().map(|(_, point)| point).collect()
    }
}

/// The tenth of a probability, rounded to millionths first as everywhere.
fn decile_of(probability: f64) -> usize {
    let bin = Probability::try_from(probability).map_or(0, calibration::bin_of);
    bin / (BINS / 10)
}

/// The counts or sums of a population, by outcome; zero where it has none.
fn members<T: Copy + Default>(
    split: &Split<T>,
    population: Population,
    sum: impl Fn(T, T) -> T,
) -> ByOutcome<T> {
    let (approved, declined) = (split.approved, split.declined);
    let nothing = T::default();
    match population {
        Population::AllDecisions => ByOutcome {
            repaid: sum(approved.repaid, declined.repaid),
            defaulted: sum(approved.defaulted, declined.defaulted),
            unknown: sum(approved.unknown, declined.unknown),
        },
        Population::KnownOutcome => ByOutcome {
            repaid: sum(approved.repaid, declined.repaid),
            defaulted: sum(approved.defaulted, declined.defaulted),
            unknown: nothing,
        },
        Population::ApprovedWithKnownOutcome => ByOutcome {
            unknown: nothing,
            ..approved
        },
    }
}

fn exact_points(
    scores: &super::ExactScores,
    population: Population,
) -> Result<Vec<Point>, Undefined> {
    let mut points = Vec::with_capacity(scores.len());
    for (score, counts) in scores.points() {
        let counts = members(counts, population, i64::wrapping_add);
        let moment = |count: i64| match count {
            ..0 => Err(Undefined::NegativeCount),
            count => Ok(Moment::of(count, score)),
        };
        points.push(Point {
            key: score,
            repaid: moment(counts.repaid)?,
            defaulted: moment(counts.defaulted)?,
            unknown: moment(counts.unknown)?,
        });
    }
    Ok(points)
}

fn binned_points<'a>(
    bins: impl Iterator<Item = (u8, &'a Bin)>,
    population: Population,
) -> Result<Vec<Point>, Undefined> {
    let mut points = Vec::with_capacity(BINS);
    for (index, bin) in bins {
        let sums = members(bin, population, ScoreSums::plus);
        points.push(Point {
            key: f64::from(index),
            repaid: sums.repaid.moment()?,
            defaulted: sums.defaulted.moment()?,
            unknown: sums.unknown.moment()?,
        });
    }
    Ok(points)
}

impl ScoreSums {
    fn plus(mut self, other: Self) -> Self {
        self.count = self.count.wrapping_add(other.count);
        self.sum = self.sum.wrapping_add(other.sum);
        self.square_sum = self.square_sum.wrapping_add(other.square_sum);
        self
    }

    /// The difference of two large numbers is taken in integers: in floating point it would cancel
    /// to noise. Fails on sums that no decisions can have.
    fn moment(self) -> Result<Moment, Undefined> {
        if self.count == 0 && self.sum == 0 && self.square_sum == 0 {
            return Ok(Moment::default());
        }
        if self.count <= 0 {
            return Err(Undefined::NegativeCount);
        }
        let count = i128::from(self.count);
        let spread = || {
            let squares = count.checked_mul(self.square_sum)?;
            squares.checked_sub(self.sum.checked_mul(self.sum)?)
        };
        let spread = spread().ok_or(Undefined::NotFinite)?;
        if spread < 0 {
            return Err(Undefined::NegativeCount);
        }
        let count = self.count as f64;
        Ok(Moment {
            count,
            mean: self.sum as f64 / MILLION / count,
            squared_deviations: spread as f64 / (MILLION * MILLION) / count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::{Edges, ExactScores, FiniteScore, Histogram, Score};
    use crate::tally::{Decision, Outcome};

    fn finite(score: f64) -> FiniteScore {
        FiniteScore::try_from(score).unwrap()
    }

    fn exact(values: &[f64]) -> Sample {
        let mut scores = ExactScores::default();
        for value in values {
            scores.record(finite(*value), Decision::Approve, None, 1);
        }
        Sample::new(&Scores::Exact(scores), Population::AllDecisions).unwrap()
    }

    #[test]
    fn two_samples_are_laid_side_by_side() {
        let pairs = exact(&[0.1, 0.3, 0.3]).beside(&exact(&[0.2, 0.3])).unwrap();
        assert_eq!(pairs, [(1.0, 0.0), (0.0, 1.0), (2.0, 1.0)]);
    }

    #[test]
    fn a_population_leaves_the_others_out() {
        let mut scores = ExactScores::default();
        let repaid = Some(Outcome::Repaid);
        scores.record(finite(0.9), Decision::Approve, repaid, 1);
        scores.record(finite(0.5), Decision::Deny, repaid, 1);
        scores.record(finite(0.1), Decision::Deny, None, 1);
        let scores = Scores::Exact(scores);
        let size = |population| Sample::new(&scores, population).unwrap().all.count;
        assert!((size(Population::AllDecisions) - 3.0).abs() < 1e-15);
        assert!((size(Population::KnownOutcome) - 2.0).abs() < 1e-15);
        assert!((size(Population::ApprovedWithKnownOutcome) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn bins_know_the_mean_and_spread_within_them() {
        let mut histogram = Histogram::new(Edges::hundredths());
        for millionths in [431_000, 439_000, 10_000] {
            let score = Score::from_millionths(millionths).unwrap();
            histogram.record(score, Decision::Deny, None, 1);
        }
        let binned = Sample::new(&Scores::Binned(histogram), Population::AllDecisions).unwrap();
        let (binned, exact) = (binned.all, exact(&[0.431, 0.439, 0.01]).all);
        assert!((binned.mean - exact.mean).abs() < 1e-15);
        assert!((binned.squared_deviations - exact.squared_deviations).abs() < 1e-15);
    }

    #[test]
    fn what_was_taken_back_but_never_counted_is_a_negative_count() {
        let mut histogram = Histogram::new(Edges::hundredths());
        let score = Score::from_millionths(5).unwrap();
        histogram.record(score, Decision::Deny, None, -1);
        let sample = Sample::new(&Scores::Binned(histogram), Population::AllDecisions);
        assert_eq!(sample.err(), Some(Undefined::NegativeCount));
    }
}
