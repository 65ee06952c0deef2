//! Whether a new model version widened the approval gap between two groups.

use serde::{Deserialize, Serialize};

use super::ratio::Side;
use super::{Payoff, Payoffs};

/// By how much the gap may widen, within `[0, 1)`: 0.02 accepts two percentage points.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Tolerance(f64);

impl Tolerance {
    /// The difference of approval rates.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Tolerance {
    type Error = InvalidTolerance;

    fn try_from(tolerance: f64) -> Result<Self, InvalidTolerance> {
        let usable = (0.0..1.0).contains(&tolerance);
        usable.then_some(Self(tolerance)).ok_or(InvalidTolerance)
    }
}

impl From<Tolerance> for f64 {
    fn from(tolerance: Tolerance) -> Self {
        tolerance.0
    }
}

/// The number is no usable tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tolerance of the approval gap must be at least 0 and below 1, for example 0.02")]
pub struct InvalidTolerance;

/// What a widening of the gap pays on both sides. `widening` is within `[-2, 2]`.
fn payoffs(widening: f64, tolerance: Tolerance, decisions: u64) -> Payoffs {
    let tolerance = tolerance.get();
    let excess = widening - tolerance;
    Payoffs {
        breach: Payoff::computed(excess / (2.0 + tolerance)),
        clear: Some(Payoff::computed(-excess / (2.0 - tolerance))),
        decisions,
    }
}

/// What the stable and the new version said about one application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedDecision {
    /// The group of the applicant.
    pub side: Side,
    /// The stable version approved.
    pub stable_approved: bool,
    /// The new version approved, or would have.
    pub new_approved: bool,
}

/// Decisions of both versions of one side since the last block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Changes {
    applications: u64,
    /// Newly approved less newly refused.
    net_approved: i64,
}

impl Changes {
    fn add(&mut self, decision: PairedDecision) {
        self.applications = self.applications.saturating_add(1);
        let change = i64::from(decision.new_approved) - i64::from(decision.stable_approved);
        self.net_approved = self.net_approved.saturating_add(change);
    }

    /// Not called without applications.
    fn mean(self) -> f64 {
        self.net_approved as f64 / self.applications as f64
    }
}

/// Blocks of applications that both versions decided, as in shadow scoring.
///
/// With `z = new - stable` for each application and tolerance `e`, a block pays
/// `(mean z of the reference group - mean z of the group - e) / (2 + e)`, of mean 0 or less as long as the
/// gap widens by at most `e` at every moment; the clear side pays the opposite over `2 - e`.
/// Applications on which the versions agree add no noise, which is why a shadow finds in a thousand
/// applications what a small live share does not find in twenty thousand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedBlocks {
    tolerance: Tolerance,
    reference: Changes,
    group: Changes,
}

impl PairedBlocks {
    /// No application has been seen.
    pub fn new(tolerance: Tolerance) -> Self {
        Self {
            tolerance,
            reference: Changes::default(),
            group: Changes::default(),
        }
    }

    /// Counts an application; `Some` if it completes a block.
    pub fn add(&mut self, decision: PairedDecision) -> Option<Payoffs> {
        match decision.side {
            Side::Reference => self.reference.add(decision),
            Side::Group => self.group.add(decision),
        }
        if self.reference.applications == 0 || self.group.applications == 0 {
            return None;
        }
        let widening = self.reference.mean() - self.group.mean();
        let applications = self
            .reference
            .applications
            .saturating_add(self.group.applications);
        *self = Self::new(self.tolerance);
        Some(payoffs(widening, self.tolerance, applications))
    }
}

/// Which version decided an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The version that carries the rest of the traffic.
    Stable,
    /// The version under test.
    New,
}

/// Decisions of one version on one side since the last block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cell {
    decisions: u64,
    approved: u64,
}

impl Cell {
    /// Not called without decisions.
    fn rate(self) -> f64 {
        self.approved as f64 / self.decisions as f64
    }
}

/// Blocks of applications that one of the two versions decided, as with a live share of the traffic.
///
/// With the approval rates `s` of the stable and `n` of the new version in a block that holds all four
/// cells, it pays `((n_ref - n_group) - (s_ref - s_group) - e) / (2 + e)`. Valid where applicants come to
/// the versions at random. Far weaker than [`PairedBlocks`]; use it only where there is no shadow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitBlocks {
    tolerance: Tolerance,
    /// Stable reference, stable group, new reference, new group.
    cells: [Cell; 4],
}

impl SplitBlocks {
    /// No application has been seen.
    pub fn new(tolerance: Tolerance) -> Self {
        Self {
            tolerance,
            cells: [Cell::default(); 4],
        }
    }

    /// Counts a decision; `Some` if it completes a block.
    pub fn add(&mut self, arm: Arm, side: Side, approved: bool) -> Option<Payoffs> {
        let cell = &mut self.cells[cell_index(arm, side)];
        cell.decisions = cell.decisions.saturating_add(1);
        cell.approved = cell.approved.saturating_add(u64::from(approved));
        if self.cells.iter().any(|cell| cell.decisions == 0) {
            return None;
        }
        let [stable_reference, stable_group, new_reference, new_group] = self.cells.map(Cell::rate);
        let widening = (new_reference - new_group) - (stable_reference - stable_group);
        let decisions = self
            .cells
            .iter()
            .fold(0_u64, |sum, cell| sum.saturating_add(cell.decisions));
        *self = Self::new(self.tolerance);
        Some(payoffs(widening, self.tolerance, decisions))
    }
}

fn cell_index(arm: Arm, side: Side) -> usize {
    match (arm, side) {
        (Arm::Stable, Side::Reference) => 0,
        (Arm::Stable, Side::Group) => 1,
        (Arm::New, Side::Reference) => 2,
        (Arm::New, Side::Group) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tolerance(tolerance: f64) -> Tolerance {
        Tolerance::try_from(tolerance).unwrap()
    }

    fn paired(side: Side, stable_approved: bool, new_approved: bool) -> PairedDecision {
        PairedDecision {
            side,
            stable_approved,
            new_approved,
        }
    }

    #[test]
    fn a_paired_block_compares_what_changed() {
        let mut blocks = PairedBlocks::new(tolerance(0.02));
        assert_eq!(blocks.add(paired(Side::Reference, true, true)), None);
        assert_eq!(blocks.add(paired(Side::Reference, false, true)), None);
        let payoffs = blocks.add(paired(Side::Group, true, false)).unwrap();
        // The reference group gained one half, the group lost one.
        assert!((payoffs.breach.get() - (1.5 - 0.02) / 2.02).abs() < 1e-15);
        assert!((payoffs.clear.unwrap().get() + (1.5 - 0.02) / 1.98).abs() < 1e-15);
        assert_eq!(payoffs.decisions, 3);
    }

    #[test]
    fn the_worst_block_loses_the_whole_stake_and_no_more() {
        let mut blocks = PairedBlocks::new(tolerance(0.02));
        blocks.add(paired(Side::Reference, true, false));
        let payoffs = blocks.add(paired(Side::Group, false, true)).unwrap();
        assert!((payoffs.breach.get() + 1.0).abs() < 1e-15);
        blocks.add(paired(Side::Reference, false, true));
        let payoffs = blocks.add(paired(Side::Group, true, false)).unwrap();
        assert!((payoffs.clear.unwrap().get() + 1.0).abs() < 1e-15);
    }

    #[test]
    fn agreement_is_weak_evidence_that_nothing_changed() {
        let mut blocks = PairedBlocks::new(tolerance(0.02));
        blocks.add(paired(Side::Reference, true, true));
        let payoffs = blocks.add(paired(Side::Group, false, false)).unwrap();
        assert!((payoffs.clear.unwrap().get() - 0.02 / 1.98).abs() < 1e-15);
        assert!((payoffs.breach.get() + 0.02 / 2.02).abs() < 1e-15);
    }

    #[test]
    fn a_split_block_needs_all_four_cells() {
        let mut blocks = SplitBlocks::new(tolerance(0.02));
        for (arm, side) in [
            (Arm::Stable, Side::Reference),
            (Arm::Stable, Side::Group),
            (Arm::New, Side::Reference),
        ] {
            assert_eq!(blocks.add(arm, side, true), None);
            assert_eq!(blocks.add(arm, side, true), None);
        }
        let payoffs = blocks.add(Arm::New, Side::Group, false).unwrap();
        assert_eq!(payoffs.decisions, 7);
        assert!((payoffs.breach.get() - 0.98 / 2.02).abs() < 1e-15);
    }

    #[test]
    fn tolerances_are_checked() {
        for bad in [-0.01, 1.0, f64::NAN] {
            assert_eq!(Tolerance::try_from(bad), Err(InvalidTolerance), "{bad}");
        }
    }
}
