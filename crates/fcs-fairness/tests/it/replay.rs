//! The same log gives the same state, bit for bit, however often it was stored on the way.

use fcs_core::Probability;
use fcs_fairness::anytime::Starts;
use fcs_fairness::anytime::gap::{Arm, PairedDecision, Tolerance};
use fcs_fairness::anytime::ratio::Side;
use fcs_fairness::anytime::watch::{PairedWatch, RatioWatch, SplitWatch, WeightedWatch};
use fcs_fairness::anytime::weighted::{Member, Memberships};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::streams::{floor, second};

/// One decision of a log, with all that any watch wants to know.
#[derive(Clone, Copy, Debug)]
struct Decision {
    side: Side,
    arm: Arm,
    stable_approved: bool,
    new_approved: bool,
    membership: f64,
}

fn log() -> impl Strategy<Value = Vec<Decision>> {
    let decision = (any::<[bool; 4]>(), 0.0..=1.0_f64).prop_map(|(bits, membership)| Decision {
        side: if bits[0] {
            Side::Group
        } else {
            Side::Reference
        },
        arm: if bits[1] { Arm::New } else { Arm::Stable },
        stable_approved: bits[2],
        new_approved: bits[3],
        membership,
    });
    prop::collection::vec(decision, 0..200)
}

fn restored<W: Serialize + DeserializeOwned>(watch: &W) -> W {
    serde_json::from_str(&serde_json::to_string(watch).unwrap()).unwrap()
}

/// Plays a log once through, and once with a restart after every decision; both as stored text.
fn both_ways<W: Clone + Serialize + DeserializeOwned>(
    empty: &W,
    log: &[Decision],
    record: impl Fn(&mut W, Decision, u32),
) -> (String, String) {
    let (mut whole, mut interrupted) = (empty.clone(), empty.clone());
    for (number, decision) in (0..).zip(log) {
        record(&mut whole, *decision, number);
        record(&mut interrupted, *decision, number);
        interrupted = restored(&interrupted);
    }
    let text = |watch: &W| serde_json::to_string(watch).unwrap();
    (text(&whole), text(&interrupted))
}

fn member(decision: Decision) -> Member {
    let probability = |value: f64| Probability::try_from(value).unwrap();
    let memberships = Memberships {
        reference: probability(1.0 - decision.membership),
        group: probability(decision.membership),
    };
    Member::new(memberships, decision.new_approved).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn restarts_leave_no_trace(log in log(), every_block in any::<bool>()) {
        let starts = if every_block { Starts::EveryBlock } else { Starts::Lifetime };
        let tolerance = Tolerance::try_from(0.02).unwrap();
        let (whole, interrupted) = both_ways(&RatioWatch::ratio(floor(), starts), &log, |watch, decision, number| {
            watch.record(decision.side, decision.new_approved, second(number));
        });
        prop_assert_eq!(whole, interrupted);
        let (whole, interrupted) = both_ways(&PairedWatch::paired(tolerance, starts), &log, |watch, decision, number| {
            let pair = PairedDecision {
                side: decision.side,
                stable_approved: decision.stable_approved,
                new_approved: decision.new_approved,
            };
            watch.record(pair, second(number));
        });
        prop_assert_eq!(whole, interrupted);
        let (whole, interrupted) = both_ways(&SplitWatch::split(tolerance, starts), &log, |watch, decision, number| {
            watch.record(decision.arm, decision.side, decision.new_approved, second(number));
        });
        prop_assert_eq!(whole, interrupted);
        let (whole, interrupted) = both_ways(&WeightedWatch::weighted(floor(), starts), &log, |watch, decision, number| {
            watch.record(member(decision), second(number));
        });
        prop_assert_eq!(whole, interrupted);
    }

    /// Blocks of replicas that saw different decisions add up, in whatever order.
    #[test]
    fn wealths_of_replicas_add_up_in_any_order(logs in prop::collection::vec(log(), 3..=3)) {
        let replicas: Vec<RatioWatch> = logs.iter().map(|log| {
            let mut watch = RatioWatch::ratio(floor(), Starts::Lifetime);
            for (number, decision) in (0..).zip(log) {
                watch.record(decision.side, decision.new_approved, second(number));
            }
            watch
        }).collect();
        let wealth = |order: [usize; 3]| {
            let mut merged = replicas[order[0]].state().bets().lasting().clone();
            merged.merge(replicas[order[1]].state().bets().lasting());
            merged.merge(replicas[order[2]].state().bets().lasting());
            merged
        };
        prop_assert_eq!(wealth([0, 1, 2]), wealth([2, 0, 1]));
        prop_assert_eq!(wealth([0, 1, 2]), wealth([1, 2, 0]));
    }
}
