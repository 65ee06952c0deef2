//! The adverse impact ratio where membership is known only as a probability.
//!
//! What comes out is about the *weighted* ratio, which a proxy pulls towards 1: a true ratio of 0.71 may
//! show as 0.89. So a breach is a breach, and nothing can be cleared: these blocks have no clear side.

use fcs_core::Probability;
use serde::{Deserialize, Serialize};

use super::ratio::Floor;
use super::{Payoff, Payoffs};

/// One decision about a person whose memberships are probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    reference: f64,
    group: f64,
    approved: bool,
}

impl Member {
    /// How far two probabilities of one person may exceed 1 together, from rounding at the source.
    const EXCESS_MAX: f64 = 0.01;

    /// Joins the probability of being in the reference group, that of being in the group, and the decision.
    /// Both together are at most 1; what rounding adds, up to 0.01, is scaled away.
    pub fn new(memberships: Memberships, approved: bool) -> Result<Self, InvalidMemberships> {
        let (reference, group) = (memberships.reference.get(), memberships.group.get());
        let total = reference + group;
        if total > 1.0 + Self::EXCESS_MAX {
            return Err(InvalidMemberships);
        }
        let scale = total.max(1.0);
        Ok(Self {
            reference: reference / scale,
            group: group / scale,
            approved,
        })
    }

    /// The probability of belonging to the reference group.
    pub fn reference(&self) -> f64 {
        self.reference
    }

    /// The probability of belonging to the group that is compared with it.
    pub fn group(&self) -> f64 {
        self.group
    }
}

/// The probabilities of belonging to the two compared groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memberships {
    /// Of belonging to the reference group.
    pub reference: Probability,
    /// Of belonging to the group that is compared with it.
    pub group: Probability,
}

/// The probabilities of two different groups add up to more than 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the probabilities of belonging to two groups add up to more than 1")]
pub struct InvalidMemberships;

/// Blocks of two consecutive people.
///
/// With the probabilities `a` of the reference group and `b` of the group, decisions `d` and floor `t`, two
/// people pay `h = t (a_i d_i b_j + a_j d_j b_i) - (b_i d_i a_j + b_j d_j a_i)`, within `[-1, t]`. Its mean
/// is `2 (t E[a d] E[b] - E[b d] E[a])`: 0 or less as long as the weighted ratio
/// `(E[b d] / E[b]) / (E[a d] / E[a])` is at least `t`. Known membership is the case of 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightedBlocks {
    floor: Floor,
    waiting: Option<Member>,
}

impl WeightedBlocks {
    /// Nobody has been seen.
    pub fn new(floor: Floor) -> Self {
        Self {
            floor,
            waiting: None,
        }
    }

    /// Counts a decision; `Some` for every second one.
    pub fn add(&mut self, member: Member) -> Option<Payoffs> {
        let Some(earlier) = self.waiting.take() else {
            self.waiting = Some(member);
            return None;
        };
        let approvals_of_reference = cross(earlier, member, |m| m.reference, |m| m.group);
        let approvals_of_group = cross(earlier, member, |m| m.group, |m| m.reference);
        Some(Payoffs {
            breach: Payoff::computed(
                self.floor.get() * approvals_of_reference - approvals_of_group,
            ),
            clear: None,
            decisions: 2,
        })
    }
}

/// The approval of each as a member of one group, times the other's membership in the other group.
fn cross(
    first: Member,
    second: Member,
    of: impl Fn(Member) -> f64,
    against: impl Fn(Member) -> f64,
) -> f64 {
    let approval = |member: Member| f64::from(u8::from(member.approved)) * of(member);
    approval(first) * against(second) + approval(second) * against(first)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(reference: f64, group: f64, approved: bool) -> Result<Member, InvalidMemberships> {
        let memberships = Memberships {
            reference: Probability::try_from(reference).unwrap(),
            group: Probability::try_from(group).unwrap(),
        };
        Member::new(memberships, approved)
    }

    fn pay(first: Member, second: Member) -> f64 {
        let mut blocks = WeightedBlocks::new(Floor::try_from(0.8).unwrap());
        assert_eq!(blocks.add(first), None);
        blocks.add(second).unwrap().breach.get()
    }

    #[test]
    fn known_members_of_both_groups_are_the_pair_of_the_ratio() {
        let reference = |approved| member(1.0, 0.0, approved).unwrap();
        let group = |approved| member(0.0, 1.0, approved).unwrap();
        assert_eq!(pay(reference(true), group(true)), 0.8 - 1.0);
        assert_eq!(pay(group(false), reference(true)), 0.8);
        assert_eq!(pay(reference(false), group(true)), -1.0);
        assert_eq!(pay(reference(true), reference(true)), 0.0);
        assert_eq!(pay(group(true), group(false)), 0.0);
    }

    #[test]
    fn probabilities_that_cannot_be_are_refused_and_rounding_is_not() {
        assert_eq!(member(0.8, 0.3, true), Err(InvalidMemberships));
        let rounded = member(0.755, 0.25, true).unwrap();
        assert!(rounded.reference + rounded.group <= 1.0 + 1e-15);
    }

    #[test]
    fn nothing_is_ever_cleared() {
        let mut blocks = WeightedBlocks::new(Floor::try_from(0.8).unwrap());
        blocks.add(member(0.5, 0.5, true).unwrap());
        let payoffs = blocks.add(member(0.5, 0.5, true).unwrap()).unwrap();
        assert_eq!((payoffs.clear, payoffs.decisions), (None, 2));
    }

    proptest! {
        #[test]
        fn a_pair_never_loses_more_than_the_stake(
            (b, c) in (0.0..=1.0_f64, 0.0..=1.0_f64),
            (d, e) in (any::<bool>(), any::<bool>()),
            rest in 0.0..=1.0_f64,
        ) {
            let first = member((1.0 - b) * rest, b, d).unwrap();
            let second = member(1.0 - c, c, e).unwrap();
            let blocks = WeightedBlocks { floor: Floor::try_from(0.8).unwrap(), waiting: Some(first) };
            let raw = 0.8 * cross(first, second, |m| m.reference, |m| m.group)
                - cross(first, second, |m| m.group, |m| m.reference);
            prop_assert!((-1.0 - 1e-12..=0.8 + 1e-12).contains(&raw), "{raw}");
            let paid = blocks.clone().add(second).unwrap().breach.get();
            prop_assert!((paid - raw).abs() < 1e-12);
        }
    }
}
