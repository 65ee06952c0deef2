use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::traffic::WHOLE_BASIS_POINTS;

/// Share of the requests that the candidate takes: 1 to 10,000 basis points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Weight(u32);

impl Weight {
    /// Everything: there is no stable arm to compare with.
    pub const WHOLE: Self = Self(WHOLE_BASIS_POINTS);

    /// In basis points.
    pub fn basis_points(self) -> u32 {
        self.0
    }

    /// As a share, above 0 and at most 1.
    pub fn share(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE_BASIS_POINTS)
    }

    /// Whether no request goes to the stable arm.
    pub fn is_whole(self) -> bool {
        self == Self::WHOLE
    }
}

impl TryFrom<u32> for Weight {
    type Error = InvalidWeight;

    fn try_from(basis_points: u32) -> Result<Self, InvalidWeight> {
        let usable = (1..=WHOLE_BASIS_POINTS).contains(&basis_points);
        usable.then_some(Self(basis_points)).ok_or(InvalidWeight)
    }
}

impl From<Weight> for u32 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

impl fmt::Display for Weight {
    /// In percent, for example `5 %` or `0.25 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) / 100.0)
    }
}

/// The number is no weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a candidate's weight must be 1 to 10000 basis points")]
pub struct InvalidWeight;

/// Requests of one arm, and how many of them were bad: failed, or slower than a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedTally")]
pub struct Tally {
    requests: u64,
    bad: u64,
}

impl Tally {
    /// Fails on more bad requests than requests.
    pub fn new(requests: u64, bad: u64) -> Result<Self, InvalidTally> {
        let usable = bad <= requests;
        let tally = usable.then_some(Self { requests, bad });
        tally.ok_or(InvalidTally { requests, bad })
    }

    /// All requests.
    pub fn requests(self) -> u64 {
        self.requests
    }

    /// The bad ones among them.
    pub fn bad(self) -> u64 {
        self.bad
    }

    /// The others.
    pub fn good(self) -> u64 {
        self.requests - self.bad
    }

    /// Share of bad requests; `None` without requests.
    pub fn rate(self) -> Option<f64> {
        (self.requests > 0).then(|| self.bad as f64 / self.requests as f64)
    }

    /// Both together. What exceeds 64 bits is cut off.
    pub fn plus(self, other: Self) -> Self {
        let bad = self.bad.saturating_add(other.bad);
        let good = self.good().saturating_add(other.good());
        Self {
            requests: bad.saturating_add(good),
            bad,
        }
    }
}

/// There are more bad requests than requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bad} of {requests} requests cannot be bad")]
pub struct InvalidTally {
    requests: u64,
    bad: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedTally {
    requests: u64,
    bad: u64,
}

impl TryFrom<UncheckedTally> for Tally {
    type Error = InvalidTally;

    fn try_from(tally: UncheckedTally) -> Result<Self, InvalidTally> {
        Self::new(tally.requests, tally.bad)
    }
}

/// What both arms did at one weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arms {
    /// The version that is rolled out.
    pub candidate: Tally,
    /// The version that it replaces.
    pub stable: Tally,
}

impl Arms {
    /// Bad requests of both arms.
    pub fn bad(self) -> u64 {
        self.candidate.bad.saturating_add(self.stable.bad)
    }

    /// Requests of both arms.
    pub fn requests(self) -> u64 {
        self.candidate.requests.saturating_add(self.stable.requests)
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            candidate: self.candidate.plus(other.candidate),
            stable: self.stable.plus(other.stable),
        }
    }
}

/// What both arms did, by the weight that was in force: all that the tests need to remember.
///
/// A sum of integers, so shards and replays give the same state in any order.
/// An application counts once per weight, however often it is sent; a candidate's warm-up does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Cell>", into = "Vec<Cell>")]
pub struct Counts(BTreeMap<Weight, Arms>);

impl Counts {
    /// Counts what happened while `weight` was in force.
    pub fn add(&mut self, weight: Weight, arms: Arms) {
        let cell = self.0.entry(weight).or_default();
        *cell = cell.plus(arms);
    }

    /// Adds what another shard saw.
    pub fn merge(&mut self, other: &Self) {
        for (weight, arms) in other.iter() {
            self.add(weight, arms);
        }
    }

    /// Every weight with what happened at it, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (Weight, Arms)> + '_ {
        self.0.iter().map(|(weight, arms)| (*weight, *arms))
    }

    /// What happened at one weight.
    pub fn at(&self, weight: Weight) -> Arms {
        self.0.get(&weight).copied().unwrap_or_default()
    }

    /// Every weight at which there are two arms to compare.
    pub(crate) fn compared(&self) -> impl Iterator<Item = (Weight, Arms)> + '_ {
        self.iter().filter(|(weight, _)| !weight.is_whole())
    }
}

/// One weight of [`Counts`], as they are written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    weight_basis_points: Weight,
    candidate: Tally,
    #[serde(default)]
    stable: Tally,
}

impl From<Vec<Cell>> for Counts {
    fn from(cells: Vec<Cell>) -> Self {
        let mut counts = Self::default();
        for cell in cells {
            let (candidate, stable) = (cell.candidate, cell.stable);
            counts.add(cell.weight_basis_points, Arms { candidate, stable });
        }
        counts
    }
}

impl From<Counts> for Vec<Cell> {
    fn from(counts: Counts) -> Self {
        let cell = |(weight, arms): (Weight, Arms)| Cell {
            weight_basis_points: weight,
            candidate: arms.candidate,
            stable: arms.stable,
        };
        counts.iter().map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(basis_points: u32) -> Weight {
        basis_points.try_into().unwrap()
    }

    #[test]
    fn weights_are_shares_of_the_candidate() {
        assert!(Weight::try_from(0).is_err() && Weight::try_from(10_001).is_err());
        assert_eq!(weight(500).to_string(), "5 %");
        assert_eq!(weight(25).to_string(), "0.25 %");
        assert!(weight(10_000).is_whole() && !weight(9_999).is_whole());
    }

    #[test]
    fn a_tally_cannot_hold_more_bad_requests_than_requests() {
        let error = Tally::new(3, 4).unwrap_err();
        assert_eq!(error.to_string(), "4 of 3 requests cannot be bad");
        assert_eq!(Tally::new(0, 0).unwrap().rate(), None);
        let most = Tally::new(u64::MAX, 5).unwrap();
        let sum = most.plus(most);
        assert!(sum.requests() == u64::MAX && sum.bad() == 10 && sum.good() < u64::MAX);
    }

    #[test]
    fn counts_are_a_checked_list() {
        let text = r#"[{"weight_basis_points":2500,"candidate":{"requests":40,"bad":1},"stable":{"requests":100,"bad":0}},
            {"weight_basis_points":10000,"candidate":{"requests":7,"bad":0}},
            {"weight_basis_points":2500,"candidate":{"requests":2,"bad":1}}]"#;
        let counts: Counts = serde_json::from_str(text).unwrap();
        assert_eq!(
            counts.at(weight(2_500)).candidate,
            Tally::new(42, 2).unwrap()
        );
        assert_eq!(counts.at(weight(1)), Arms::default());
        let written = serde_json::to_string(&counts).unwrap();
        assert_eq!(serde_json::from_str::<Counts>(&written).unwrap(), counts);
        for bad in [
            r#"[{"weight_basis_points":0,"candidate":{"requests":1,"bad":0}}]"#,
            r#"[{"weight_basis_points":1,"candidate":{"requests":1,"bad":2}}]"#,
            r#"[{"weight_basis_points":1,"candidat":{"requests":1,"bad":0}}]"#,
        ] {
            assert!(serde_json::from_str::<Counts>(bad).is_err(), "{bad}");
        }
    }
}
