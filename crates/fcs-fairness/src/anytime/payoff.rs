use serde::{Deserialize, Serialize};

/// What a bet on one block pays for each unit staked: at least -1, and of mean 0 or less under the null
/// hypothesis.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Payoff(f64);

impl Payoff {
    /// The most a formula of this module can pay: the clear side of a floor of 0.001.
    const MAX: f64 = 1_000.0;

    /// Takes a computed payoff; rounding below -1 is taken back, and what is not a number pays nothing.
    pub(crate) fn computed(value: f64) -> Self {
        let value = if value.is_nan() { -1.0 } else { value };
        Self(value.clamp(-1.0, Self::MAX))
    }

    /// The payoff per unit.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// What one closed block says about both sides of a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Payoffs {
    /// Pays if the limit is broken.
    pub breach: Payoff,
    /// Pays if the limit is kept; `None` where keeping it cannot be shown.
    pub clear: Option<Payoff>,
    /// The decisions in the block.
    pub decisions: u64,
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_payoff_never_loses_more_than_the_stake() {
        assert_eq!(Payoff::computed(-1.0 - 1e-15).get(), -1.0);
        assert_eq!(Payoff::computed(f64::NAN).get(), -1.0);
        assert_eq!(Payoff::computed(f64::INFINITY).get(), Payoff::MAX);
        assert_eq!(Payoff::computed(0.25).get(), 0.25);
    }
}
