//! How many decisions fell into which bins, by hour and group: what drift is measured on.

use std::collections::BTreeMap;

use fcs_core::ModelVersion;
use fcs_fairness::drift::counts::FeatureCounts;
use serde::{Deserialize, Serialize};

use super::counts::{Cell, Sign};
use super::facts::{AttributeName, Decision, KnownGroup};

pub(super) const MINUTES_OF_HOUR: i64 = 60;

/// Which decisions one set of bins holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProfileKey {
    /// The model that scored.
    pub model: ModelVersion,
    /// The traffic arm that scored.
    pub arm: String,
    /// All, or those of a group.
    pub cell: Cell,
    /// Hours from the Unix epoch to the hour of the decisions.
    pub hour: i64,
}

/// Decisions by variable and bin. Both grow as they are met: the model's profile, which says how many there are, may
/// be known later. Place 0 of a variable counts decisions without a value, place `n + 1` its bin `n`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProfileCounts(Vec<Vec<i64>>);

impl ProfileCounts {
    /// Adds one decision, or takes it back.
    fn add(&mut self, bins: &[u16], sign: i64) {
        for (variable, bin) in bins.iter().enumerate() {
            self.add_at(variable, usize::from(*bin), sign);
        }
    }

    fn add_at(&mut self, variable: usize, place: usize, count: i64) {
        if self.0.len() <= variable {
            self.0.resize(variable + 1, Vec::new());
        }
        let places = &mut self.0[variable];
        if places.len() <= place {
            places.resize(place + 1, 0);
        }
        places[place] += count;
    }

    /// Adds other counts.
    pub fn merge(&mut self, other: &Self) {
        for (variable, places) in other.0.iter().enumerate() {
            for (place, count) in places.iter().enumerate() {
                self.add_at(variable, place, *count);
            }
        }
    }

    /// Drops zeros at the ends, so that equal counts are equal in form.
    pub fn trim(&mut self) {
        for places in &mut self.0 {
            let filled = places.iter().rposition(|count| *count != 0);
            places.truncate(filled.map_or(0, |last| last + 1));
        }
        let filled = self.0.iter().rposition(|places| !places.is_empty());
        self.0.truncate(filled.map_or(0, |last| last + 1));
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The counts of one variable with this many bins; decisions in other bins are left out.
    pub fn variable(&self, variable: usize, bins: usize) -> FeatureCounts {
        let places = self.0.get(variable).map_or(&[][..], Vec::as_slice);
        let count = |place: usize| {
            let count = places.get(place).copied().unwrap_or_default();
            u64::try_from(count).unwrap_or_default()
        };
        let filled: Vec<u64> = (1..=bins).map(count).collect();
        FeatureCounts::of_bins(&filled).with_missing(count(0))
    }
}

/// Increments of many sets of bins, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileIncrements(pub BTreeMap<ProfileKey, ProfileCounts>);

impl ProfileIncrements {
    /// Counts a decision, or takes it back, under what is known of its applicant.
    pub(super) fn add<'a>(
        &mut self,
        decision: &Decision,
        groups: impl IntoIterator<Item = (&'a AttributeName, &'a KnownGroup)>,
        sign: Sign,
    ) {
        if decision.bins.is_empty() {
            return;
        }
        for cell in Cell::of(groups) {
            let key = ProfileKey {
                model: decision.model.clone(),
                arm: decision.arm.clone(),
                cell,
                hour: decision.minute.div_euclid(MINUTES_OF_HOUR),
            };
            let counts = self.0.entry(key).or_default();
            counts.add(&decision.bins, sign.factor());
        }
    }

    /// Drops what cancelled out.
    pub(super) fn settle(&mut self) {
        self.0.retain(|_, counts| {
            counts.trim();
            !counts.0.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_grow_and_cancel() {
        let mut counts = ProfileCounts::default();
        counts.add(&[0, 3], 1);
        counts.add(&[2, 3], 1);
        assert_eq!(counts.variable(0, 2).bins(), [0, 1]);
        assert_eq!(counts.variable(0, 2).missing(), 1);
        assert_eq!(counts.variable(1, 3).bins(), [0, 0, 2]);
        assert_eq!(counts.variable(2, 2).applicants(), 0, "never met");
        let mut twice = counts.clone();
        twice.merge(&counts);
        assert_eq!(twice.variable(1, 3).bins(), [0, 0, 4]);
        counts.add(&[0, 3], -1);
        counts.add(&[2, 3], -1);
        counts.trim();
        assert_eq!(counts, ProfileCounts::default());
    }

    #[test]
    fn the_stored_form_is_json() {
        let mut counts = ProfileCounts::default();
        counts.add(&[1, 0], 1);
        let text = serde_json::to_string(&counts).unwrap();
        assert_eq!(text, "[[0,1],[1]]");
        assert_eq!(
            serde_json::from_str::<ProfileCounts>(&text).unwrap(),
            counts
        );
    }
}
