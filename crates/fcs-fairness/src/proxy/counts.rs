use serde::{Deserialize, Serialize};

use super::membership::{GROUPS_MAX, Membership, ONE};
use crate::Undefined;

/// Bins of equal width that the probability of each group is counted in, for [`super::frechet`].
pub const BINS: usize = 20;

/// More people than this would let sums of products overflow.
const PEOPLE_MAX: i64 = 1 << 46;

/// Every sum that the three estimators follow from: integers in parts of 2^-40, so that merging is exact,
/// associative and commutative. Nothing of one person can be read from sums over many.
///
/// With probabilities `b` and decisions `d` these are the number of people, `Σ b`, `Σ b bᵀ`, each for
/// approved and other people by themselves, and for each group and bin of its probability the number of
/// people, `Σ b` and `Σ d`. The written form is made of these integers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct ProxyCounts {
    pub(super) approved: Moments,
    pub(super) declined: Moments,
    /// One row of bins per group.
    pub(super) bins: Vec<[Bin; BINS]>,
}

/// What was written as [`ProxyCounts`], before it is known to be about the same groups throughout.
#[derive(Deserialize)]
struct Unchecked {
    approved: Moments,
    declined: Moments,
    bins: Vec<[Bin; BINS]>,
}

/// The sums are about different numbers of groups, about none, or about too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sums are not about the same 1 to {GROUPS_MAX} groups")]
struct InvalidCounts;

impl TryFrom<Unchecked> for ProxyCounts {
    type Error = InvalidCounts;

    fn try_from(written: Unchecked) -> Result<Self, InvalidCounts> {
        let groups = written.bins.len();
        let is_about = |moments: &Moments| {
            moments.sums.len() == groups && moments.products.len() == groups * (groups + 1) / 2
        };
        let fits = (1..=GROUPS_MAX).contains(&groups)
            && is_about(&written.approved)
            && is_about(&written.declined);
        fits.then_some(Self {
            approved: written.approved,
            declined: written.declined,
            bins: written.bins,
        })
        .ok_or(InvalidCounts)
    }
}

/// Sums over the people of one decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moments {
    pub(super) people: i64,
    /// Of the probability of each group, in parts.
    pub(super) sums: Vec<i128>,
    /// Of products of the probabilities of two groups, in squared parts; row by row, up to the diagonal.
    products: Vec<i128>,
}

/// People whose probability of belonging to one group lies in one range; written as three numbers in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i64, i128, i64)", into = "(i64, i128, i64)")]
pub(super) struct Bin {
    pub(super) people: i64,
    /// Sum of the probability, in parts.
    pub(super) members: i128,
    pub(super) approved: i64,
}

/// Sums over different numbers of groups do not add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("people were divided among {expected} groups, and now among {found}")]
pub struct DifferentGroups {
    /// Groups of what was counted before.
    pub expected: usize,
    /// Groups of what was to be added.
    pub found: usize,
}

impl From<(i64, i128, i64)> for Bin {
    fn from((people, members, approved): (i64, i128, i64)) -> Self {
        Self {
            people,
            members,
            approved,
        }
    }
}

impl From<Bin> for (i64, i128, i64) {
    fn from(bin: Bin) -> Self {
        (bin.people, bin.members, bin.approved)
    }
}

impl Moments {
    fn new(groups: usize) -> Self {
        Self {
            people: 0,
            sums: vec![0; groups],
            products: vec![0; groups * (groups + 1) / 2],
        }
    }

    fn count(&mut self, parts: &[i128], times: i64) {
        self.people = self.people.wrapping_add(times);
        let times = i128::from(times);
        for (row, part) in parts.iter().enumerate() {
            self.sums[row] = self.sums[row].wrapping_add(part * times);
            for (column, other) in parts[..=row].iter().enumerate() {
                let sum = &mut self.products[place(row, column)];
                *sum = sum.wrapping_add(part.wrapping_mul(*other).wrapping_mul(times));
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.people = self.people.wrapping_add(other.people);
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            *sum = sum.wrapping_add(*more);
        }
        for (sum, more) in self.products.iter_mut().zip(&other.products) {
            *sum = sum.wrapping_add(*more);
        }
    }
}

/// Where the product of two groups is kept.
fn place(one: usize, other: usize) -> usize {
    let (row, column) = (one.max(other), one.min(other));
    row * (row + 1) / 2 + column
}

impl ProxyCounts {
    /// Nobody, divided among so many groups.
    ///
    /// # Panics
    /// If there are no groups, or more than [`GROUPS_MAX`].
    pub fn new(groups: usize) -> Self {
        assert!(
            (1..=GROUPS_MAX).contains(&groups),
            "{groups} groups are none, or too many"
        );
        Self {
            approved: Moments::new(groups),
            declined: Moments::new(groups),
            bins: vec![[Bin::default(); BINS]; groups],
        }
    }

    /// Counts one decision so many times; -1 takes it back. A referral is not an approval.
    pub fn count(
        &mut self,
        membership: &Membership,
        approved: bool,
        times: i64,
    ) -> Result<(), DifferentGroups> {
        self.check_groups(membership.groups())?;
        let parts = membership.parts();
        let moments = if approved {
            &mut self.approved
        } else {
            &mut self.declined
        };
        moments.count(parts, times);
        for (part, bins) in parts.iter().zip(&mut self.bins) {
            let bin = &mut bins[bin_of(*part)];
            bin.people = bin.people.wrapping_add(times);
            bin.members = bin.members.wrapping_add(part * i128::from(times));
            let approvals = if approved { times } else { 0 };
            bin.approved = bin.approved.wrapping_add(approvals);
        }
        Ok(())
    }

    /// Adds the sums of other people.
    pub fn merge(&mut self, other: &Self) -> Result<(), DifferentGroups> {
        self.check_groups(other.groups())?;
        self.approved.merge(&other.approved);
        self.declined.merge(&other.declined);
        let others = other.bins.iter().flatten();
        for (bin, more) in self.bins.iter_mut().flatten().zip(others) {
            bin.people = bin.people.wrapping_add(more.people);
            bin.members = bin.members.wrapping_add(more.members);
            bin.approved = bin.approved.wrapping_add(more.approved);
        }
        Ok(())
    }

    /// How many groups people are divided among.
    pub fn groups(&self) -> usize {
        self.bins.len()
    }

    /// Whether nothing is left: every sum is zero.
    pub fn is_empty(&self) -> bool {
        *self == Self::new(self.groups())
    }

    /// How many people there are.
    pub fn decisions(&self) -> i64 {
        self.approved.people.wrapping_add(self.declined.people)
    }

    /// How many people of a group are expected: the sum of their probabilities.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn expected_members(&self, group: usize) -> f64 {
        people(self.members(group))
    }

    /// How many known members of a group would tell as much about its weighted rate, `(Σ b)² / Σ b²`; 0
    /// without any. Kish, L. (1965), "Survey Sampling", section 11.7.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn effective_members(&self, group: usize) -> f64 {
        let squares = self.product(group, group);
        if squares > 0.0 {
            self.expected_members(group).powi(2) / squares
        } else {
            0.0
        }
    }

    /// The sum of the probabilities of a group, in parts.
    pub(super) fn members(&self, group: usize) -> i128 {
        self.approved.sums[group].wrapping_add(self.declined.sums[group])
    }

    /// The sum of products of the probabilities of two groups, in people.
    pub(super) fn product(&self, one: usize, other: usize) -> f64 {
        let place = place(one, other);
        let sum = self.approved.products[place].wrapping_add(self.declined.products[place]);
        people(sum) / ONE as f64
    }

    /// Fails on sums that no decisions can have, and on a group without people.
    pub(super) fn check(&self, group: usize) -> Result<(), Undefined> {
        let people = [self.approved.people, self.declined.people];
        if people.iter().any(|count| *count < 0) || self.members(group) < 0 {
            return Err(Undefined::NegativeCount);
        }
        if people.iter().any(|count| *count > PEOPLE_MAX) {
            return Err(Undefined::NotFinite);
        }
        match self.members(group) {
            0 => Err(Undefined::NoDecisions),
            _ => Ok(()),
        }
    }

    fn check_groups(&self, found: usize) -> Result<(), DifferentGroups> {
        let expected = self.groups();
        if found == expected {
            return Ok(());
        }
        Err(DifferentGroups { expected, found })
    }
}

/// Parts as people.
pub(super) fn people(parts: i128) -> f64 {
    parts as f64 / ONE as f64
}

/// The last bin holds certainty.
fn bin_of(part: i128) -> usize {
    let bin = part * BINS as i128 / ONE;
    usize::try_from(bin).unwrap_or(0).min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_have_equal_width_and_the_last_holds_certainty() {
        assert_eq!(bin_of(0), 0);
        assert_eq!(bin_of(ONE / 20 - 1), 0);
        assert_eq!(bin_of(ONE / 2), 10);
        assert_eq!(bin_of(ONE - 1), 19);
        assert_eq!(bin_of(ONE), 19);
    }

    #[test]
    fn what_is_taken_back_leaves_nothing() {
        let mut counts = ProxyCounts::new(3);
        let membership = Membership::new(&[0.1, 0.2, 0.7]).unwrap();
        counts.count(&membership, true, 5).unwrap();
        counts.count(&membership, true, -5).unwrap();
        assert_eq!(counts, ProxyCounts::new(3));
        counts.count(&membership, false, -1).unwrap();
        assert_eq!(counts.check(0), Err(Undefined::NegativeCount));
    }

    #[test]
    fn what_is_written_is_read_exactly() {
        let mut counts = ProxyCounts::new(3);
        let membership = Membership::new(&[0.1, 0.2, 0.7]).unwrap();
        counts
            .count(&membership, true, i64::from(u32::MAX))
            .unwrap();
        counts.count(&membership, false, -3).unwrap();
        let text = serde_json::to_string(&counts).unwrap();
        assert!(text.contains(&(i128::from(u32::MAX) * membership.parts()[2]).to_string()));
        assert_eq!(serde_json::from_str::<ProxyCounts>(&text).unwrap(), counts);
        let other = text.replace("\"sums\":[", "\"sums\":[0,");
        let error = serde_json::from_str::<ProxyCounts>(&other).unwrap_err();
        assert!(error.to_string().contains("same 1 to 32 groups"), "{error}");
    }

    #[test]
    fn effective_members_are_members_where_all_are_known() {
        let mut counts = ProxyCounts::new(2);
        let known = Membership::new(&[1.0, 0.0]).unwrap();
        counts.count(&known, true, 8).unwrap();
        assert!((counts.effective_members(0) - 8.0).abs() < 1e-9);
        assert!(counts.effective_members(1).abs() < 1e-9);
        let guessed = Membership::new(&[0.5, 0.5]).unwrap();
        counts.count(&guessed, true, 8).unwrap();
        assert!((counts.effective_members(0) - 14.4).abs() < 1e-9);
        assert!((counts.effective_members(1) - 8.0).abs() < 1e-9);
    }

    #[test]
    fn different_groups_do_not_add() {
        let mut counts = ProxyCounts::new(3);
        let refused = DifferentGroups {
            expected: 3,
            found: 2,
        };
        assert_eq!(counts.merge(&ProxyCounts::new(2)), Err(refused));
        let two = Membership::new(&[0.5, 0.5]).unwrap();
        assert_eq!(counts.count(&two, true, 1), Err(refused));
        assert_eq!(counts, ProxyCounts::new(3));
    }

    #[test]
    fn sums_stay_exact_where_floating_point_would_not() {
        let mut counts = ProxyCounts::new(2);
        let small = Membership::new(&[1e-11, 1.0 - 1e-11]).unwrap();
        let known = Membership::new(&[1.0, 0.0]).unwrap();
        counts.count(&known, true, 1 << 45).unwrap();
        counts.count(&small, true, 1).unwrap();
        counts.count(&known, true, -(1 << 45)).unwrap();
        assert!((counts.expected_members(0) - 1e-11).abs() < 5e-13);
    }
}
