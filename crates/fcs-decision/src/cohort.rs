//! Which traffic arm an application belongs to: a salted hash, so that the same application always meets the same arm.

use std::ops::Range;

use fcs_core::ApplicationId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Number of basis points in the whole traffic.
pub const BASIS_POINTS: u16 = 10_000;

/// The place of an application in `0..10_000`, fixed by the salt of the traffic table.
///
/// The first eight bytes of `SHA-256(length of salt as 8 bytes big-endian || salt || application id)` are read as a
/// big-endian `u64` and mapped to the range by multiply-shift: `(hash * 10_000) >> 64`. The length prefix keeps
/// `("ab", "c")` and `("a", "bc")` apart; multiply-shift keeps the bias below `10_000 / 2^64`.
pub fn basis_point(salt: &str, application_id: &ApplicationId) -> u16 {
    let mut hasher = Sha256::new();
    hasher.update((salt.len() as u64).to_be_bytes());
    hasher.update(salt);
    hasher.update(application_id.as_str());
    let hash = hasher.finalize();
    let head = hash.first_chunk().expect("a SHA-256 digest has 32 bytes");
    let scaled = (u128::from(u64::from_be_bytes(*head)) * u128::from(BASIS_POINTS)) >> 64;
    u16::try_from(scaled).expect("the product of a u64 and 10,000, shifted by 64, is below 10,000")
}

/// The basis points that one arm owns: ascending ranges that neither touch nor overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cohort(Vec<Range<u16>>);

impl Cohort {
    /// Whether an application at this basis point belongs to the arm.
    pub fn contains(&self, basis_point: u16) -> bool {
        self.0.iter().any(|range| range.contains(&basis_point))
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> &[Range<u16>] {
        &self.0
    }

    /// Number of basis points.
    pub fn weight(&self) -> u32 {
        self.0
            .iter()
            .map(|range| u32::from(range.end - range.start))
            .sum()
    }

    fn points(&self) -> impl Iterator<Item = u16> {
        self.0.iter().cloned().flatten()
    }

    /// Adds a basis point above all that are in.
    fn push(&mut self, point: u16) {
        match self.0.last_mut() {
            Some(last) if last.end == point => last.end += 1,
            _ => self.0.push(point..point + 1),
        }
    }
}

/// The cohorts of arms with these weights in basis points, given what each owned before; an arm that is new owned
/// nothing.
///
/// An arm that does not shrink keeps every basis point that it had, whatever the others do; one that shrinks gives up
/// its highest ones. Then the arms that grow take what is free, the lowest first, in their order. So as few
/// applications as possible change their arm, and those that joined an arm first leave it last. Weights alone cannot
/// give that: no rule without memory keeps the members of more than two arms that grow.
///
/// # Panics
/// If the weights do not sum to 10,000, their number is not that of the cohorts, or two cohorts overlap; all of this
/// is checked where they enter.
pub fn allot(before: &[Cohort], weights: &[u32]) -> Vec<Cohort> {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    assert_eq!(
        total,
        u64::from(BASIS_POINTS),
        "arm weights sum to 10,000 basis points"
    );
    assert_eq!(before.len(), weights.len(), "each weight has its cohort");
    let mut owners = vec![None; usize::from(BASIS_POINTS)];
    for (arm, (cohort, weight)) in before.iter().zip(weights).enumerate() {
        for point in cohort.points().take(*weight as usize) {
            let owner = owners[usize::from(point)].replace(arm);
            assert_eq!(owner, None, "a basis point has one owner");
        }
    }
    let mut free = owners.iter_mut().filter(|owner| owner.is_none());
    for (arm, (cohort, weight)) in before.iter().zip(weights).enumerate() {
        let wanted = weight.saturating_sub(cohort.weight());
        free.by_ref()
            .take(wanted as usize)
            .for_each(|owner| *owner = Some(arm));
    }
    let mut cohorts = vec![Cohort::default(); weights.len()];
    for (point, owner) in (0..BASIS_POINTS).zip(owners) {
        cohorts[owner.expect("the weights cover every basis point")].push(point);
    }
    cohorts
}

/// Whether every basis point is in exactly one of the cohorts.
pub fn is_partition<'a>(cohorts: impl IntoIterator<Item = &'a Cohort>) -> bool {
    let mut points: Vec<u16> = cohorts.into_iter().flat_map(Cohort::points).collect();
    points.sort_unstable();
    points.into_iter().eq(0..BASIS_POINTS)
}
