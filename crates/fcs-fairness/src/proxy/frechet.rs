//! Fréchet's bounds: the range of rates that agree with the probabilities and the decisions, whatever the
//! relation between the two.
//!
//! Kallus, N., Mao, X. and Zhou, A. (2022), "Assessing Algorithmic Fairness with Unobserved Protected Class
//! Using Data Combination", Management Science 68(3), 1959-1981 (arXiv 1906.00285): among the people of one
//! cell, of whom a share `b` belongs to the group and a share `y` is approved, the share of approved members
//! is within `[max(0, b + y - 1), min(b, y)]`, and every number in it is possible.
//!
//! Cells are bins of the group's own probability of a twentieth each. Wider cells keep the bounds valid and
//! make them wider; cells of one person would make them look exact, because a person's decision is then
//! taken for a probability. The bounds say nothing of chance: in bins with few people they are narrower than
//! those of the population would be.

use serde::{Deserialize, Serialize};

use super::counts::people;
use super::{Pair, ProxyCounts, of_reference, ratio};
use crate::Undefined;

/// What a value cannot leave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The least value.
    pub lower: f64,
    /// The greatest value; `None` if there is no limit.
    pub upper: Option<f64>,
}

/// The bounds of a rate.
struct Rate {
    lower: f64,
    upper: f64,
}

/// The bounds of the selection rate of a group; within `[0, 1]`.
///
/// # Panics
/// If there is no such group.
pub fn selection_rate(counts: &ProxyCounts, group: usize) -> Result<Bounds, Undefined> {
    rate(counts, group).map(|rate| Bounds {
        lower: rate.lower,
        upper: Some(rate.upper),
    })
}

/// The bounds of the adverse impact ratio; without an upper limit if the reference group may have no
/// approvals. Undefined if it certainly has none.
///
/// In one cell the most approved members of one group and the fewest of the other are possible together,
/// so for two groups whose probabilities are 1 together no ratio within the bounds can be excluded, save for
/// bins' edges. With more groups, the cells of the two differ, and the bounds may be wider than need be.
///
/// # Panics
/// If one of the groups does not exist.
pub fn adverse_impact_ratio(counts: &ProxyCounts, pair: Pair) -> Result<Bounds, Undefined> {
    let reference = of_reference(rate(counts, pair.reference))?;
    let group = rate(counts, pair.group)?;
    Ok(Bounds {
        lower: ratio(group.lower, reference.upper)?,
        upper: ratio(group.upper, reference.lower).ok(),
    })
}

fn rate(counts: &ProxyCounts, group: usize) -> Result<Rate, Undefined> {
    counts.check(group)?;
    let (mut least, mut most) = (0_i128, 0_i128);
    for bin in &counts.bins[group] {
        if bin.people < 0 || bin.approved < 0 || bin.members < 0 {
            return Err(Undefined::NegativeCount);
        }
        let (all, approved) = (parts(bin.people), parts(bin.approved));
        least += (bin.members + approved - all).max(0);
        most += bin.members.min(approved);
    }
    let members = counts.expected_members(group);
    Ok(Rate {
        lower: (people(least) / members).clamp(0.0, 1.0),
        upper: (people(most) / members).clamp(0.0, 1.0),
    })
}

fn parts(people: i64) -> i128 {
    i128::from(people) * super::membership::ONE
}
