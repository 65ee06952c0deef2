use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::logarithm::{UNITS_PER_NAT, ln_units};
use super::{EValue, Payoff};
use fcs_core::ln_mean_exp;

/// The number of stakes that are played side by side.
pub(crate) const STAKES: usize = 49;

/// The grid 0.02, 0.04, …, 0.98.
pub(crate) const GRID: [f64; STAKES] = grid();

const fn grid() -> [f64; STAKES] {
    let mut grid = [0.0; STAKES];
    let mut index = 0;
    while index < STAKES {
        grid[index] = (index + 1) as f64 / (STAKES + 1) as f64;
        index += 1;
    }
    grid
}

/// The wealth of 49 gamblers who stake a fixed share 0.02, 0.04, …, 0.98 on every block, all from 1.
///
/// The mean of their wealths is an e-process: the mixture over stakes replaces the choice of one
/// (Robbins 1970; Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by
/// betting", Journal of the Royal Statistical Society B 86, 1-27).
///
/// Logarithms are summed as integers, each rounded down. So merging the wealths of replicas that formed
/// their own blocks is exact, associative and commutative, the bits do not depend on the order of blocks,
/// and rounding can only weaken the evidence (by less than 3e-10 for each block). Store them as integers of 64
/// bits: a form that writes integers as doubles, as canonical JSON does, loses digits after millions of blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wealth {
    blocks: u64,
    #[serde(deserialize_with = "one_per_stake")]
    ln_units: Vec<i64>,
}

impl Default for Wealth {
    fn default() -> Self {
        Self {
            blocks: 0,
            ln_units: vec![0; STAKES],
        }
    }
}

impl Wealth {
    /// Plays one block.
    pub fn bet(&mut self, payoff: Payoff) {
        self.blocks = self.blocks.saturating_add(1);
        let growth = GRID.map(|stake| ln_units(1.0 + stake * payoff.get()));
        for (units, growth) in self.ln_units.iter_mut().zip(growth) {
            *units = units.saturating_add(growth);
        }
    }

    /// Adds the blocks of a replica that saw other decisions.
    pub fn merge(&mut self, other: &Self) {
        self.blocks = self.blocks.saturating_add(other.blocks);
        for (units, other) in self.ln_units.iter_mut().zip(&other.ln_units) {
            *units = units.saturating_add(*other);
        }
    }

    /// The blocks that were played.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The evidence so far.
    pub fn e_value(&self) -> EValue {
        let logarithms: Vec<f64> = self.ln_units.iter().map(|&units| nats(units)).collect();
        EValue::from_ln(ln_mean_exp(&logarithms))
    }

    /// Whether the evidence reaches a bar; cheaper than [`Wealth::e_value`], because a mean is never above
    /// the largest number.
    pub fn reaches(&self, bar: EValue) -> bool {
        self.largest() >= bar.ln() && self.e_value().reaches(bar)
    }

    /// How much the best stake gained with each block so far, in nats; `None` without blocks or gain.
    pub(crate) fn growth_per_block(&self) -> Option<f64> {
        let growth = self.largest() / self.blocks as f64;
        (self.blocks > 0 && growth > 0.0).then_some(growth)
    }

    fn largest(&self) -> f64 {
        self.ln_units.iter().copied().max().map_or(0.0, nats)
    }
}

fn nats(units: i64) -> f64 {
    units as f64 / UNITS_PER_NAT
}

/// Reads a list that has one number for each stake.
pub(crate) fn one_per_stake<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let numbers = Vec::deserialize(deserializer)?;
    if numbers.len() == STAKES {
        Ok(numbers)
    } else {
        Err(D::Error::invalid_length(
            numbers.len(),
            &"one number for each of 49 stakes",
        ))
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn played(payoffs: &[f64]) -> Wealth {
        let mut wealth = Wealth::default();
        for &payoff in payoffs {
            wealth.bet(Payoff::computed(payoff));
        }
        wealth
    }

    #[test]
    fn the_stakes_are_the_grid() {
        assert_eq!(GRID[0], 0.02);
        assert_eq!(GRID[24], 0.5);
        assert_eq!(GRID[48], 0.98);
    }

    #[test]
    fn evidence_is_the_mean_of_the_products() {
        let payoffs = [0.5, -1.0, 0.25, 0.8, -0.3];
        let product = |stake: f64| payoffs.iter().map(|g| 1.0 + stake * g).product::<f64>();
        let mean = (1..50).map(|i| product(f64::from(i) / 50.0)).sum::<f64>() / 49.0;
        let actual = played(&payoffs).e_value().ln();
        assert!((actual - mean.ln()).abs() < 3e-9, "{actual} {}", mean.ln());
        assert!(actual <= mean.ln(), "rounding may only weaken");
    }

    #[test]
    fn nothing_played_is_no_evidence() {
        assert_eq!(Wealth::default().e_value().ln(), 0.0);
        assert_eq!(Wealth::default().growth_per_block(), None);
        assert_eq!(played(&[-0.5; 20]).growth_per_block(), None);
        assert!(played(&[0.5; 20]).growth_per_block().unwrap() > 0.3);
    }

    #[test]
    fn a_lost_game_stays_finite_and_stored_states_are_checked() {
        let lost = played(&vec![-1.0; 100_000]);
        assert!(lost.e_value().ln() < -1_000.0);
        let text = serde_json::to_string(&lost).unwrap();
        assert_eq!(serde_json::from_str::<Wealth>(&text).unwrap(), lost);
        assert!(serde_json::from_str::<Wealth>(r#"{"blocks":1,"ln_units":[1]}"#).is_err());
    }

    proptest! {
        #[test]
        fn merging_is_exact_in_any_order(payoffs in prop::collection::vec(-1.0..1.0_f64, 0..60), cut in 0..60_usize) {
            let (left, right) = payoffs.split_at(cut.min(payoffs.len()));
            let mut merged = played(right);
            merged.merge(&played(left));
            prop_assert_eq!(merged, played(&payoffs));
        }

        #[test]
        fn the_shortcut_agrees_with_the_evidence(payoffs in prop::collection::vec(-0.5..1.0_f64, 0..60), bar in 0.0..5.0_f64) {
            let wealth = played(&payoffs);
            let bar = EValue::from_ln(bar);
            prop_assert_eq!(wealth.reaches(bar), wealth.e_value().reaches(bar));
        }
    }
}
