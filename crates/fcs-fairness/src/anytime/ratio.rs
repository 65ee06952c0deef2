//! The adverse impact ratio against a floor, from decisions as they come.

use serde::{Deserialize, Serialize};

use super::{Payoff, Payoffs};

/// Which of the two compared groups a decision belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The reference group.
    Reference,
    /// The group that is compared with it.
    Group,
}

/// The lowest acceptable adverse impact ratio, within `[0.001, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Floor(f64);

impl Floor {
    /// The ratio.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Floor {
    type Error = InvalidFloor;

    fn try_from(floor: f64) -> Result<Self, InvalidFloor> {
        let usable = (0.001..=1.0).contains(&floor);
        usable.then_some(Self(floor)).ok_or(InvalidFloor)
    }
}

impl From<Floor> for f64 {
    fn from(floor: Floor) -> Self {
        floor.0
    }
}

/// The number is no usable floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a floor of the adverse impact ratio must be within 0.001 and 1, for example 0.8")]
pub struct InvalidFloor;

/// Decisions of one side since the last block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tally {
    decisions: u64,
    approved: u64,
}

impl Tally {
    fn add(&mut self, approved: bool) {
        self.decisions = self.decisions.saturating_add(1);
        self.approved = self.approved.saturating_add(u64::from(approved));
    }

    /// Not called without decisions.
    fn rate(self) -> f64 {
        self.approved as f64 / self.decisions as f64
    }
}

/// Forms blocks of neighbouring decisions that hold both sides, and says what each pays.
///
/// With floor `t` and the approval rates `r` of the reference group and `p` of the group in a block:
/// the breach side pays `t r - p`, of mean 0 or less as long as the ratio is at least `t` at every moment;
/// the clear side pays `(p - t r) / t`, of mean 0 or less as long as it is at most `t`.
///
/// After Chugg, Cortes-Gomez, Wilder and Ramdas (2023), "Auditing fairness by betting", NeurIPS
/// (arXiv 2305.17570), who bet on pairs. Pairs that are queued up are not decided at the same time, and an
/// approval rate that falls for everybody then looks like a breach; blocks of neighbours do not have that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatioBlocks {
    floor: Floor,
    reference: Tally,
    group: Tally,
}

impl RatioBlocks {
    /// No decision has been seen.
    pub fn new(floor: Floor) -> Self {
        Self {
            floor,
            reference: Tally::default(),
            group: Tally::default(),
        }
    }

    /// Counts a decision; `Some` if it completes a block.
    pub fn add(&mut self, side: Side, approved: bool) -> Option<Payoffs> {
        match side {
            Side::Reference => self.reference.add(approved),
            Side::Group => self.group.add(approved),
        }
        if self.reference.decisions == 0 || self.group.decisions == 0 {
            return None;
        }
        let floor = self.floor.get();
        let shortfall = floor * self.reference.rate() - self.group.rate();
        let decisions = self
            .reference
            .decisions
            .saturating_add(self.group.decisions);
        *self = Self::new(self.floor);
        Some(Payoffs {
            breach: Payoff::computed(shortfall),
            clear: Some(Payoff::computed(-shortfall / floor)),
            decisions,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks(floor: f64) -> RatioBlocks {
        RatioBlocks::new(Floor::try_from(floor).unwrap())
    }

    #[test]
    fn a_block_closes_with_the_first_decision_of_the_missing_side() {
        let mut blocks = blocks(0.8);
        assert_eq!(blocks.add(Side::Reference, true), None);
        assert_eq!(blocks.add(Side::Reference, false), None);
        assert_eq!(blocks.add(Side::Reference, true), None);
        let payoffs = blocks.add(Side::Group, false).unwrap();
        assert_eq!(payoffs.decisions, 4);
        assert!((payoffs.breach.get() - 0.8 * 2.0 / 3.0).abs() < 1e-15);
        assert!((payoffs.clear.unwrap().get() + 2.0 / 3.0).abs() < 1e-15);
        assert_eq!(
            blocks.add(Side::Group, true),
            None,
            "the next block begins empty"
        );
    }

    #[test]
    fn one_side_alone_never_closes_a_block() {
        for side in [Side::Reference, Side::Group] {
            let mut blocks = blocks(0.8);
            assert!((0..1_000).all(|_| blocks.add(side, true).is_none()));
        }
    }

    #[test]
    fn floors_are_checked() {
        for bad in [0.0, -1.0, 1.01, f64::NAN] {
            assert_eq!(Floor::try_from(bad), Err(InvalidFloor), "{bad}");
        }
    }

    proptest! {
        /// With the same approval rates on both sides of the floor the mean payoff is zero: sum over
        /// all outcomes of a block of one reference and one group decision.
        #[test]
        fn payoffs_are_fair_at_the_floor(floor in 0.1..1.0_f64, rate in 0.01..1.0_f64) {
            let mut mean = 0.0;
            let mut mean_clear = 0.0;
            for (reference, group) in [(true, true), (true, false), (false, true), (false, false)] {
                let weigh = |approved, rate: f64| if approved { rate } else { 1.0 - rate };
                let weight = weigh(reference, rate) * weigh(group, floor * rate);
                let mut blocks = blocks(floor);
                blocks.add(Side::Reference, reference);
                let payoffs = blocks.add(Side::Group, group).unwrap();
                mean += weight * payoffs.breach.get();
                mean_clear += weight * payoffs.clear.unwrap().get();
            }
            prop_assert!(mean.abs() < 1e-12 && mean_clear.abs() < 1e-12);
        }
    }
}
