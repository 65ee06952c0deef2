use std::fmt;

use fcs_core::Probability;
use serde::{Deserialize, Serialize};

/// Parts that a probability of 1 has. A power of two, so that a probability converts by rounding once,
/// with an error of at most 5e-13, and sums are integers: exact, in any order.
pub(super) const ONE: i128 = 1 << 40;

/// The most groups that people are divided among.
pub const GROUPS_MAX: usize = 32;

/// How far the probabilities of one person may be from 1 together, from rounding at the source.
pub const SUM_TOLERANCE: f64 = 0.01;

/// The probabilities that one person belongs to each group; they are 1 together, exactly. Written as integers,
/// in parts of 2^-40.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<i128>", into = "Vec<i128>")]
pub struct Membership(Vec<i128>);

/// Numbers of one person stay out of logs.
impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why numbers are not the probabilities of one person.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidMembership {
    /// There are fewer than two groups, or too many.
    #[error("there are 2 to {GROUPS_MAX} groups, found {count}")]
    Groups {
        /// How many there are.
        count: usize,
    },
    /// A number is not within `[0, 1]`.
    #[error("a probability is a number from 0 to 1")]
    NotAProbability {
        /// The place of its group, from 0.
        place: usize,
    },
    /// Together they are not 1.
    #[error("the probabilities add up to {sum:.4}, not to 1 within {SUM_TOLERANCE}")]
    Sum {
        /// What they are together.
        sum: f64,
    },
}

/// Integers that are not the parts of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parts of 2 to {GROUPS_MAX} groups are not negative and add up to 2^40")]
pub struct InvalidParts;

impl TryFrom<Vec<i128>> for Membership {
    type Error = InvalidParts;

    fn try_from(parts: Vec<i128>) -> Result<Self, InvalidParts> {
        let fits = (2..=GROUPS_MAX).contains(&parts.len())
            && parts.iter().all(|part| (0..=ONE).contains(part))
            && parts.iter().sum::<i128>() == ONE;
        fits.then_some(Self(parts)).ok_or(InvalidParts)
    }
}

impl From<Membership> for Vec<i128> {
    fn from(membership: Membership) -> Self {
        membership.0
    }
}

impl Membership {
    /// Reads the probability of each group, in the order of the groups. They must add up to 1 within
    /// [`SUM_TOLERANCE`]; what rounding at the source left is scaled away, and what rounding here leaves
    /// (below 2e-11) goes to the most probable group.
    pub fn new(probabilities: &[f64]) -> Result<Self, InvalidMembership> {
        let count = probabilities.len();
        if !(2..=GROUPS_MAX).contains(&count) {
            return Err(InvalidMembership::Groups { count });
        }
        let is_probability = |probability: &f64| (0.0..=1.0).contains(probability);
        if let Some(place) = probabilities.iter().position(|p| !is_probability(p)) {
            return Err(InvalidMembership::NotAProbability { place });
        }
        let sum: f64 = probabilities.iter().sum();
        // Decimal fractions such as 0.99 are not exact: the limit itself is meant to pass.
        if (sum - 1.0).abs() > SUM_TOLERANCE + 1e-12 {
            return Err(InvalidMembership::Sum { sum });
        }
        let mut parts: Vec<i128> = probabilities.iter().map(|p| to_parts(p / sum)).collect();
        let left = ONE - parts.iter().sum::<i128>();
        // The last of the largest; which of them is only a question of parts.
        if let Some(largest) = parts.iter_mut().max() {
            *largest += left;
        }
        Ok(Self(parts))
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.0.len()
    }

    /// The probability of a group, by its place; `None` if there is no such group.
    pub fn probability(&self, group: usize) -> Option<Probability> {
        let part = *self.0.get(group)?;
        Probability::try_from(part as f64 / ONE as f64).ok()
    }

    /// The probability of each group in parts of [`ONE`].
    pub(super) fn parts(&self) -> &[i128] {
        &self.0
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a probability times 2^40 is a small number"
)]
fn to_parts(probability: f64) -> i128 {
    (probability * ONE as f64).round() as i128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounding_leaves_is_scaled_away() {
        for probabilities in [
            &[0.3, 0.3, 0.4][..],
            &[0.33, 0.33, 0.33],
            &[0.5, 0.51],
            &[1.0, 0.0],
        ] {
            let membership = Membership::new(probabilities).unwrap();
            assert_eq!(membership.parts().iter().sum::<i128>(), ONE);
            assert_eq!(membership.groups(), probabilities.len());
        }
        assert_eq!(Membership::new(&[1.0, 0.0]).unwrap().parts(), [ONE, 0]);
    }

    #[test]
    fn parts_are_written_and_read_exactly() {
        let membership = Membership::new(&[0.25, 0.75]).unwrap();
        let text = serde_json::to_string(&membership).unwrap();
        assert_eq!(text, "[274877906944,824633720832]");
        assert_eq!(
            serde_json::from_str::<Membership>(&text).unwrap(),
            membership
        );
        for wrong in [vec![ONE], vec![ONE, 1], vec![-1, ONE + 1], vec![0; 33]] {
            assert_eq!(Membership::try_from(wrong), Err(InvalidParts));
        }
        assert_eq!(format!("{membership:?}"), "[redacted]");
        assert_eq!(membership.probability(1).map(Probability::get), Some(0.75));
        assert_eq!(membership.probability(2), None);
    }

    #[test]
    fn numbers_that_are_no_probabilities_are_refused() {
        use InvalidMembership::{Groups, NotAProbability};
        assert_eq!(Membership::new(&[1.0]), Err(Groups { count: 1 }));
        assert_eq!(Membership::new(&[0.0; 33]), Err(Groups { count: 33 }));
        for wrong in [-0.001, 1.2, f64::NAN, f64::INFINITY] {
            let refused = Membership::new(&[0.5, wrong]);
            assert_eq!(refused, Err(NotAProbability { place: 1 }), "{wrong}");
        }
        for sum in [[0.5, 0.489], [0.5, 0.511], [0.0, 0.0]] {
            let refused = Membership::new(&sum).unwrap_err();
            assert!(matches!(refused, InvalidMembership::Sum { .. }), "{sum:?}");
        }
        let message = Membership::new(&[0.5, 0.4]).unwrap_err().to_string();
        assert_eq!(
            message,
            "the probabilities add up to 0.9000, not to 1 within 0.01"
        );
    }
}
