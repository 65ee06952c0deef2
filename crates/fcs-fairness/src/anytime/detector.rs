use serde::{Deserialize, Serialize};

use super::wealth::{GRID, STAKES, one_per_stake};
use super::{EValue, Payoff};

/// What is put on a change that begins at each block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Starts {
    /// One unit in all: one half on a breach from the very first block, the other half spread over all
    /// later ones. The level is an e-process: whatever the number of blocks, it ever reaches `1 / alpha`
    /// with a probability of at most `alpha` where nothing is wrong.
    Lifetime,
    /// One unit on each block. The mean time until the level reaches `c` where nothing is wrong is at least
    /// `c` blocks, and the probability of that within `n` blocks at most `n / c`. Finds late changes sooner
    /// than [`Starts::Lifetime`], and raises a false alarm for certain in the end.
    EveryBlock,
}

/// Sees a change for the worse at any time: the sum of the wealths of gamblers who start at every block,
/// `M ← (M + start)(1 + stake · payoff)`, averaged over the stakes.
///
/// A gambler who started long ago is broke after a good time and could not see a late change.
/// With [`Starts::EveryBlock`] this is the e-detector of Shiryaev-Roberts form: Shin, Ramdas and Rinaldo
/// (2023), "E-detectors: a nonparametric framework for sequential change detection", New England Journal of
/// Statistics in Data Science 2, 229-260. [`Starts::Lifetime`] is the same sum with shares that add up to 1.
///
/// Depends on the order of blocks, so detectors of replicas cannot be merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeDetector {
    starts: Starts,
    blocks: u64,
    /// What the gamblers who started own together, by stake.
    #[serde(deserialize_with = "one_per_stake")]
    levels: Vec<f64>,
}

impl ChangeDetector {
    /// Levels are cut off here, far beyond any bar, so that they stay finite.
    const LEVEL_MAX: f64 = 1e200;

    /// Nothing has been seen.
    pub fn new(starts: Starts) -> Self {
        Self {
            starts,
            blocks: 0,
            levels: vec![0.0; STAKES],
        }
    }

    /// Plays one block.
    pub fn bet(&mut self, payoff: Payoff) {
        self.blocks = self.blocks.saturating_add(1);
        let start = match self.starts {
            Starts::Lifetime => lifetime_share(self.blocks),
            Starts::EveryBlock => 1.0,
        };
        for (level, stake) in self.levels.iter_mut().zip(GRID) {
            let grown = (*level + start) * (1.0 + stake * payoff.get());
            *level = grown.min(Self::LEVEL_MAX);
        }
    }

    /// The blocks that were played.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Where the sums begin.
    pub fn starts(&self) -> Starts {
        self.starts
    }

    /// The level. With [`Starts::Lifetime`] an e-value, which counts what was not yet staked; with
    /// [`Starts::EveryBlock`] a number to compare with a run length in blocks, and no e-value.
    pub fn level(&self) -> EValue {
        let mean = self.levels.iter().sum::<f64>() / STAKES as f64;
        let in_reserve = match self.starts {
            Starts::Lifetime => reserve(self.blocks),
            Starts::EveryBlock => 0.0,
        };
        EValue::from_ln(libm::log(mean + in_reserve))
    }
}

/// The share that is staked from block `block` (from 1) on.
fn lifetime_share(block: u64) -> f64 {
    (reserve(block - 1) - reserve(block)).max(0.0)
}

/// What is left for starts after block `block`: 1, then `1/2 / (1 + ln block)`.
///
/// It falls so slowly that a change after `n` blocks costs about `ln n + 2 ln ln n` nats.
fn reserve(block: u64) -> f64 {
    if block == 0 {
        return 1.0;
    }
    0.5 / (1.0 + libm::log(block as f64))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    fn played(starts: Starts, payoffs: &[f64]) -> ChangeDetector {
        let mut detector = ChangeDetector::new(starts);
        for &payoff in payoffs {
            detector.bet(Payoff::computed(payoff));
        }
        detector
    }

    /// The definition: every start, every stake, every product.
    fn by_definition(start: impl Fn(usize) -> f64, payoffs: &[f64]) -> f64 {
        let wealth_of = |stake: f64, from: usize| {
            payoffs[from..]
                .iter()
                .map(|g| 1.0 + stake * g)
                .product::<f64>()
        };
        let of_stake = |stake: f64| {
            (0..payoffs.len())
                .map(|from| start(from) * wealth_of(stake, from))
                .sum::<f64>()
        };
        (1..50).map(|i| of_stake(f64::from(i) / 50.0)).sum::<f64>() / 49.0
    }

    #[test]
    fn the_recursion_is_the_sum_over_all_starts() {
        let payoffs = [0.5, -1.0, 0.25, 0.8, -0.3, 0.1];
        let level = played(Starts::EveryBlock, &payoffs).level().ln().exp();
        let expected = by_definition(|_| 1.0, &payoffs);
        assert!(
            (level - expected).abs() < 1e-12 * expected,
            "{level} {expected}"
        );

        let level = played(Starts::Lifetime, &payoffs).level().ln().exp();
        let share = |from: usize| lifetime_share(from as u64 + 1);
        let expected = by_definition(share, &payoffs) + reserve(payoffs.len() as u64);
        assert!(
            (level - expected).abs() < 1e-12 * expected,
            "{level} {expected}"
        );
    }

    #[test]
    fn lifetime_shares_are_one_half_and_then_add_up_to_one() {
        assert_eq!(lifetime_share(1), 0.5);
        let spent: f64 = (1..=10_000).map(lifetime_share).sum();
        assert!((spent + reserve(10_000) - 1.0).abs() < 1e-12, "{spent}");
    }

    #[test]
    fn nothing_gained_and_nothing_lost_is_no_evidence() {
        assert_eq!(ChangeDetector::new(Starts::Lifetime).level(), EValue::ONE);
        let level = played(Starts::Lifetime, &[0.0; 500]).level().ln();
        assert!(level.abs() < 1e-12, "{level}");
        let level = played(Starts::EveryBlock, &[0.0; 500]).level().ln();
        assert!((level - 500_f64.ln()).abs() < 1e-12, "{level}");
    }

    #[test]
    fn a_late_change_is_seen_after_a_long_good_time() {
        let mut payoffs = vec![-0.15; 5_000];
        payoffs.extend(vec![0.2; 150]);
        for starts in [Starts::Lifetime, Starts::EveryBlock] {
            let level = played(starts, &payoffs).level().ln();
            assert!(level > 10_f64.ln() * 4.0, "{starts:?} {level}");
        }
    }

    #[test]
    fn levels_stay_finite_and_survive_storage() {
        let detector = played(Starts::EveryBlock, &vec![1.0; 5_000]);
        assert!(detector.level().ln() < 500.0);
        let detector = played(Starts::Lifetime, &[0.1, -0.7, 1.0 / 3.0]);
        let text = serde_json::to_string(&detector).unwrap();
        assert_eq!(
            serde_json::from_str::<ChangeDetector>(&text).unwrap(),
            detector
        );
    }
}
