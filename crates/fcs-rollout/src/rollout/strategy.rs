//! Strategies are programs of steps for one engine.

use serde::{Deserialize, Serialize};

use crate::statistics::Weight;

/// Most steps of a program.
const STEPS_MAX: usize = 64;

/// How a candidate gets traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Strategy {
    /// Rising shares of the traffic, for example 5, 25, 50 and 100 %, or 95 % before everything so that the last
    /// comparison still has two arms.
    Canary {
        /// Copies of requests before the first share.
        shadow: Option<Shadow>,
        /// The shares.
        shares: Vec<Share>,
    },
    /// Everything at once, after a gate, with the baseline kept warm.
    BlueGreen {
        /// Copies of requests before the switch.
        shadow: Option<Shadow>,
        /// For how long the switch is watched.
        bake_micros: u64,
    },
    /// Instances are replaced in batches, and each batch is watched.
    Rolling {
        /// Share of the instances in a batch.
        batch: Weight,
        /// For how long each batch is watched.
        bake_micros: u64,
    },
}

/// The candidate gets copies of requests, and its answers are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shadow {
    /// Share of the requests that are copied.
    pub sample: Weight,
    /// For how long.
    pub bake_micros: u64,
}

/// A share of the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The candidate's weight.
    pub weight: Weight,
    /// For how long it is watched.
    pub bake_micros: u64,
    /// Whether a person must open a gate before.
    pub gate: bool,
}

/// What the engine does next, and then watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Share of the requests that the candidate answers, in basis points.
    pub weight_basis_points: u32,
    /// Share of the requests that it gets copies of, in basis points.
    pub mirror_basis_points: u32,
    /// For how long it is watched, in microseconds.
    pub bake_micros: u64,
    /// Whether a person must open a gate before.
    pub gate: bool,
}

/// A strategy that does not lead to everything step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStrategy {
    /// No steps or too many.
    #[error("a strategy must have 1 to 64 steps")]
    Steps,
    /// A share takes traffic back.
    #[error("the shares of a canary must rise")]
    Shares,
    /// It ends early.
    #[error("the last share of a canary must be all of the traffic")]
    End,
    /// A step is not watched at all.
    #[error("every step must be watched for a while")]
    Bake,
}

impl Strategy {
    /// 5, 25, 50 and 100 %, each watched for half an hour, without gates.
    pub fn usual_canary() -> Self {
        let share = |basis_points| Share {
            weight: Weight::try_from(basis_points).expect("these are weights"),
            bake_micros: 1_800_000_000,
            gate: false,
        };
        Self::Canary {
            shadow: None,
            shares: [500, 2_500, 5_000, 10_000].map(share).to_vec(),
        }
    }

    /// The steps, in order; the last one gives the candidate everything.
    pub fn program(&self) -> Result<Vec<Step>, InvalidStrategy> {
        let steps: Vec<Step> = match self {
            Self::Canary { shadow, shares } => {
                if !shares.is_sorted_by(|a, b| a.weight < b.weight) {
                    return Err(InvalidStrategy::Shares);
                }
                if shares.last().is_some_and(|share| !share.weight.is_whole()) {
                    return Err(InvalidStrategy::End);
                }
                let shares = shares
                    .iter()
                    .map(|it| shift(it.weight, it.bake_micros, it.gate));
                shadow.iter().map(mirror).chain(shares).collect()
            }
            Self::BlueGreen {
                shadow,
                bake_micros,
            } => {
                let switch = shift(Weight::WHOLE, *bake_micros, true);
                shadow.iter().map(mirror).chain([switch]).collect()
            }
            Self::Rolling { batch, bake_micros } => {
                let batches = Weight::WHOLE.basis_points().div_ceil(batch.basis_points());
                let after = |batches: u32| {
                    let share = batches.saturating_mul(batch.basis_points());
                    let share = Weight::try_from(share).unwrap_or(Weight::WHOLE);
                    shift(share, *bake_micros, false)
                };
                let steps = usize::try_from(batches).unwrap_or(usize::MAX);
                (1..=batches)
                    .take(steps.min(STEPS_MAX + 1))
                    .map(after)
                    .collect()
            }
        };
        let has_shift = steps.iter().any(|step| step.weight_basis_points > 0);
        if !has_shift || steps.len() > STEPS_MAX {
            return Err(InvalidStrategy::Steps);
        }
        if steps.iter().any(|step| step.bake_micros == 0) {
            return Err(InvalidStrategy::Bake);
        }
        Ok(steps)
    }
}

fn mirror(shadow: &Shadow) -> Step {
    Step {
        weight_basis_points: 0,
        mirror_basis_points: shadow.sample.basis_points(),
        bake_micros: shadow.bake_micros,
        gate: false,
    }
}

fn shift(weight: Weight, bake_micros: u64, gate: bool) -> Step {
    Step {
        weight_basis_points: weight.basis_points(),
        mirror_basis_points: 0,
        bake_micros,
        gate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(basis_points: u32) -> Weight {
        basis_points.try_into().unwrap()
    }

    fn weights(strategy: &Strategy) -> Vec<u32> {
        let program = strategy.program().unwrap();
        program
            .iter()
            .map(|step| step.weight_basis_points)
            .collect()
    }

    #[test]
    fn every_strategy_ends_with_everything() {
        let shadow = Some(Shadow {
            sample: weight(1_000),
            bake_micros: 1,
        });
        let blue_green = Strategy::BlueGreen {
            shadow,
            bake_micros: 1,
        };
        let rolling = |batch| Strategy::Rolling {
            batch: weight(batch),
            bake_micros: 1,
        };
        assert_eq!(
            weights(&Strategy::usual_canary()),
            [500, 2_500, 5_000, 10_000]
        );
        assert_eq!(weights(&blue_green), [0, 10_000]);
        assert!(
            blue_green.program().unwrap()[1].gate,
            "nothing switches by itself"
        );
        assert_eq!(weights(&rolling(2_500)), [2_500, 5_000, 7_500, 10_000]);
        assert_eq!(weights(&rolling(3_000)), [3_000, 6_000, 9_000, 10_000]);
        assert_eq!(weights(&rolling(10_000)), [10_000]);
        assert_eq!(rolling(1).program(), Err(InvalidStrategy::Steps));
    }

    #[test]
    fn programs_are_checked() {
        let canary = |shares: &[(u32, u64)]| {
            let share = |(basis_points, bake_micros): &(u32, u64)| Share {
                weight: weight(*basis_points),
                bake_micros: *bake_micros,
                gate: false,
            };
            let shares = shares.iter().map(share).collect();
            let shadow = None;
            Strategy::Canary { shadow, shares }.program().unwrap_err()
        };
        assert_eq!(canary(&[]), InvalidStrategy::Steps);
        assert_eq!(
            canary(&[(500, 1), (500, 1), (10_000, 1)]),
            InvalidStrategy::Shares
        );
        assert_eq!(canary(&[(500, 1), (5_000, 1)]), InvalidStrategy::End);
        assert_eq!(canary(&[(10_000, 0)]), InvalidStrategy::Bake);
    }
}
