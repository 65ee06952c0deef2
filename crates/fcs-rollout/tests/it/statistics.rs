//! The statistics of rollouts, against numbers that were found in other ways.

mod exact;
mod golden;
mod judging;
mod printed;
mod properties;
mod simulation;
mod slowness;
mod sustained;

use fcs_core::Alpha;
use fcs_rollout::statistics::arm::RiskRatio;
use fcs_rollout::statistics::{Arms, Counts, RateLimit, Tally, Weight};

pub(crate) fn alpha(level: f64) -> Alpha {
    level.try_into().unwrap()
}

pub(crate) fn ratio(value: f64) -> RiskRatio {
    value.try_into().unwrap()
}

pub(crate) fn limit(value: f64) -> RateLimit {
    value.try_into().unwrap()
}

pub(crate) fn weight(basis_points: u32) -> Weight {
    basis_points.try_into().unwrap()
}

pub(crate) fn tally(requests: u64, bad: u64) -> Tally {
    Tally::new(requests, bad).unwrap()
}

/// `K` bad requests of the candidate among `M`, and nothing else.
pub(crate) fn bad(candidate: u64, both: u64) -> Arms {
    let stable = both - candidate;
    Arms {
        candidate: tally(candidate, candidate),
        stable: tally(stable, stable),
    }
}

/// Cells of weight, `K` and `M`.
pub(crate) fn counts(cells: &[(u32, u64, u64)]) -> Counts {
    let mut counts = Counts::default();
    for (basis_points, candidate, both) in cells {
        counts.add(weight(*basis_points), bad(*candidate, *both));
    }
    counts
}

/// Fails unless two numbers agree to `relative` of the second.
pub(crate) fn assert_close(actual: f64, expected: f64, relative: f64) {
    let close = (actual - expected).abs() <= relative * expected.abs();
    assert!(close, "{actual} is not {expected}");
}
