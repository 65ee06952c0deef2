use serde::{Deserialize, Serialize};

use super::{ChangeDetector, EValue, Payoffs, Starts, Wealth};

/// Everything that was bet on one question since it was last answered.
///
/// [`Bets::lasting`] and [`Bets::clear`] of replicas may be merged; the change detector may not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bets {
    lasting: Wealth,
    lasting_decisions: u64,
    change: ChangeDetector,
    clear: Wealth,
    clear_decisions: u64,
    clearable: bool,
}

/// About how many more decisions an answer takes if they go on as so far.
///
/// From the growth of the best stake so far, held back a little while blocks are few; a guide for planning,
/// no promise. `None` where the evidence does not grow to that side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Until a breach is shown.
    pub breach: Option<u64>,
    /// Until it is cleared.
    pub clear: Option<u64>,
}

impl Forecast {
    /// The nearer answer.
    pub fn nearest(self) -> Option<u64> {
        match (self.breach, self.clear) {
            (Some(breach), Some(clear)) => Some(breach.min(clear)),
            (one, other) => one.or(other),
        }
    }
}

impl Bets {
    /// Blocks without growth that are taken to have been seen beforehand, so that a lucky first block does
    /// not promise an answer after the next.
    const CAUTION_BLOCKS: f64 = 10.0;

    /// Nothing was bet.
    pub fn new(starts: Starts) -> Self {
        Self {
            lasting: Wealth::default(),
            lasting_decisions: 0,
            change: ChangeDetector::new(starts),
            clear: Wealth::default(),
            clear_decisions: 0,
            clearable: true,
        }
    }

    /// Played on one block.
    pub fn add(&mut self, payoffs: &Payoffs) {
        self.lasting.bet(payoffs.breach);
        self.lasting_decisions = self.lasting_decisions.saturating_add(payoffs.decisions);
        self.change.bet(payoffs.breach);
        match payoffs.clear {
            Some(payoff) => {
                self.clear.bet(payoff);
                self.clear_decisions = self.clear_decisions.saturating_add(payoffs.decisions);
            }
            None => self.clearable = false,
        }
    }

    /// Played that the limit was broken from the beginning; this is the E-AIR of the design. Mergeable.
    pub fn lasting(&self) -> &Wealth {
        &self.lasting
    }

    /// Played that the limit is kept. Mergeable.
    pub fn clear(&self) -> &Wealth {
        &self.clear
    }

    /// Played that the limit is broken from some moment on.
    pub fn change(&self) -> &ChangeDetector {
        &self.change
    }

    /// The e-value of a breach. With [`Starts::Lifetime`] one number covers a breach from the beginning and
    /// from any later moment, so that the two share one alpha; otherwise it covers the former.
    pub fn breach_e_value(&self) -> EValue {
        match self.change.starts() {
            Starts::Lifetime => self.change.level(),
            Starts::EveryBlock => self.lasting.e_value(),
        }
    }

    /// The e-value of the limit being kept; `None` where that cannot be shown.
    pub fn clear_e_value(&self) -> Option<EValue> {
        self.clearable.then(|| self.clear.e_value())
    }

    /// Forgets everything: the next answer comes from new decisions.
    pub fn restart(&mut self) {
        *self = Self::new(self.change.starts());
    }

    /// Forgets what was bet on the limit being kept.
    pub fn restart_clear(&mut self) {
        self.clear = Wealth::default();
        self.clear_decisions = 0;
    }

    /// About how many more decisions are needed to reach the bar.
    pub fn forecast(&self, bar: EValue) -> Forecast {
        let lasting = Played {
            wealth: &self.lasting,
            decisions: self.lasting_decisions,
        };
        let clear = Played {
            wealth: &self.clear,
            decisions: self.clear_decisions,
        };
        Forecast {
            breach: lasting.decisions_until(self.breach_e_value(), bar),
            clear: self
                .clear_e_value()
                .and_then(|e_value| clear.decisions_until(e_value, bar)),
        }
    }
}

/// A wealth and the decisions in its blocks.
struct Played<'a> {
    wealth: &'a Wealth,
    decisions: u64,
}

impl Played<'_> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count that is cut off at the largest integer"
    )]
    fn decisions_until(&self, now: EValue, bar: EValue) -> Option<u64> {
        let blocks = self.wealth.blocks() as f64;
        let held_back = blocks / (blocks + Bets::CAUTION_BLOCKS);
        let growth = self.wealth.growth_per_block()? * held_back;
        let more_blocks = ((bar.ln() - now.ln()) / growth).max(0.0);
        let decisions_per_block = self.decisions as f64 / blocks;
        Some((more_blocks * decisions_per_block).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anytime::{Alpha, Payoff};

    fn payoffs(breach: f64, clear: Option<f64>) -> Payoffs {
        Payoffs {
            breach: Payoff::computed(breach),
            clear: clear.map(Payoff::computed),
            decisions: 5,
        }
    }

    fn bar() -> EValue {
        Alpha::try_from(0.05).unwrap().bar()
    }

    fn seen(starts: Starts, blocks: usize, breach: f64, clear: Option<f64>) -> Bets {
        let mut bets = Bets::new(starts);
        for _ in 0..blocks {
            bets.add(&payoffs(breach, clear));
        }
        bets
    }

    #[test]
    fn nothing_seen_foretells_nothing() {
        assert_eq!(
            Bets::new(Starts::Lifetime).forecast(bar()),
            Forecast::default()
        );
        assert_eq!(Forecast::default().nearest(), None);
    }

    #[test]
    fn a_forecast_comes_true_if_things_go_on() {
        for (breach, clear) in [(0.1, -0.1), (-0.1, 0.1)] {
            let mut bets = seen(Starts::Lifetime, 30, breach, Some(clear));
            let foretold = bets.forecast(bar()).nearest().unwrap();
            let mut decisions = 0;
            let answered = |bets: &Bets| {
                let clear = bets.clear_e_value().unwrap();
                bets.breach_e_value().reaches(bar()) || clear.reaches(bar())
            };
            while !answered(&bets) {
                bets.add(&payoffs(breach, Some(clear)));
                decisions += 5;
            }
            let ratio = f64::from(decisions) / foretold as f64;
            assert!((0.5..2.0).contains(&ratio), "{foretold} {decisions}");
        }
    }

    #[test]
    fn what_cannot_be_shown_is_never_foretold() {
        let bets = seen(Starts::Lifetime, 50, -0.2, None);
        assert_eq!(bets.clear_e_value(), None);
        assert_eq!(bets.forecast(bar()), Forecast::default());
    }

    #[test]
    fn one_number_covers_early_and_late_breaches_over_a_lifetime() {
        let early = seen(Starts::Lifetime, 60, 0.2, Some(-0.2));
        let lasting = early.lasting().e_value().ln();
        let both = early.breach_e_value().ln();
        assert!(both >= lasting - 2_f64.ln() - 1e-6, "{both} {lasting}");
        let apart = seen(Starts::EveryBlock, 60, 0.2, Some(-0.2));
        assert_eq!(apart.breach_e_value(), apart.lasting().e_value());
    }

    #[test]
    fn restarting_forgets() {
        let mut bets = seen(Starts::Lifetime, 60, 0.2, Some(-0.2));
        bets.restart_clear();
        assert_eq!(bets.clear().blocks(), 0);
        assert_eq!(bets.lasting().blocks(), 60);
        bets.restart();
        assert_eq!(bets, Bets::new(Starts::Lifetime));
    }
}
