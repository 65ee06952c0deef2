use std::collections::BTreeMap;

use fcs_core::{EValue, ln_mean_exp};
use serde::{Deserialize, Serialize};

use super::arm::{LATENCY_FACTORS, RiskRatio, worse_than};
use super::{Arms, Counts, Tally, Weight};

/// Most bounds that a histogram may have.
const BOUNDS_MAX: usize = 64;

/// Latencies of both arms in buckets, by the weight that was in force.
///
/// A sum of integers, as [`Counts`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Latencies {
    bounds_s: Vec<f64>,
    cells: BTreeMap<Weight, Buckets>,
}

/// Requests per bucket and arm: one more bucket than bounds, the last without an upper bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets {
    /// The version that is rolled out.
    pub candidate: Vec<u64>,
    /// The version that it replaces.
    pub stable: Vec<u64>,
}

/// Why latencies cannot be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLatencies {
    /// The bounds are no bounds of a histogram.
    #[error("bounds of latencies must be 1 to 64 finite numbers above 0 that rise")]
    Bounds,
    /// Other buckets than the histogram has.
    #[error("{found} buckets of latencies where the bounds make {expected}")]
    Buckets {
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
}

impl Latencies {
    /// No request has been counted. `bounds_s` are the upper bounds of the buckets, in seconds.
    pub fn new(bounds_s: Vec<f64>) -> Result<Self, InvalidLatencies> {
        let rises = bounds_s.is_sorted_by(|lower, upper| lower < upper);
        let usable = bounds_s
            .iter()
            .all(|bound| bound.is_finite() && *bound > 0.0);
        if !usable || !rises || !(1..=BOUNDS_MAX).contains(&bounds_s.len()) {
            return Err(InvalidLatencies::Bounds);
        }
        let cells = BTreeMap::new();
        Ok(Self { bounds_s, cells })
    }

    /// Counts what happened while `weight` was in force.
    pub fn add(&mut self, weight: Weight, buckets: &Buckets) -> Result<(), InvalidLatencies> {
        let expected = self.bounds_s.len() + 1;
        for found in [buckets.candidate.len(), buckets.stable.len()] {
            if found != expected {
                return Err(InvalidLatencies::Buckets { expected, found });
            }
        }
        let cell = self.cells.entry(weight).or_insert_with(|| Buckets {
            candidate: vec![0; expected],
            stable: vec![0; expected],
        });
        add_all(&mut cell.candidate, &buckets.candidate);
        add_all(&mut cell.stable, &buckets.stable);
        Ok(())
    }

    /// The upper bounds of the buckets, in seconds.
    pub fn bounds_s(&self) -> &[f64] {
        &self.bounds_s
    }

    /// The counts with "slower than the bound of this position" as what is bad. With a bound of 2 s and a limit
    /// of 1 %, "p99 above 2 s" is a statement about these counts.
    pub fn slower_than(&self, position: usize) -> Counts {
        let mut counts = Counts::default();
        for (weight, buckets) in &self.cells {
            let (candidate, stable) = (&buckets.candidate, &buckets.stable);
            let arms = Arms {
                candidate: exceeding(candidate, position),
                stable: exceeding(stable, position),
            };
            counts.add(*weight, arms);
        }
        counts
    }

    /// Evidence that the candidate is slower anywhere in the distribution: that its risk of exceeding some
    /// bound is more than `tolerated` times the stable arm's.
    ///
    /// The mean over bounds of the e-processes of [`worse_than`]. All of them are about the same requests in the
    /// same order, so their mean is an e-process, and no alpha is split.
    pub fn slower_anywhere(&self, tolerated: RiskRatio) -> EValue {
        let of_bound =
            |position| worse_than(&self.slower_than(position), tolerated, &LATENCY_FACTORS).ln();
        let logarithms: Vec<f64> = (0..self.bounds_s.len()).map(of_bound).collect();
        EValue::from_ln(ln_mean_exp(&logarithms))
    }
}

fn add_all(sums: &mut [u64], more: &[u64]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.saturating_add(*more);
    }
}

fn exceeding(buckets: &[u64], position: usize) -> Tally {
    let sum = |part: &[u64]| part.iter().fold(0_u64, |sum, n| sum.saturating_add(*n));
    let slower = buckets.get(position + 1..).map_or(0, sum);
    Tally::new(sum(buckets), slower).unwrap_or_default()
}

/// Latencies as stored, before their checks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    bounds_s: Vec<f64>,
    cells: BTreeMap<Weight, Buckets>,
}

impl TryFrom<Unchecked> for Latencies {
    type Error = InvalidLatencies;

    fn try_from(stored: Unchecked) -> Result<Self, InvalidLatencies> {
        let mut latencies = Self::new(stored.bounds_s)?;
        for (weight, buckets) in &stored.cells {
            latencies.add(*weight, buckets)?;
        }
        Ok(latencies)
    }
}
