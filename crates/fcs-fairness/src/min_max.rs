//! One number over all groups, without a reference group: fairlearn's convention.
//!
//! The extremes of all groups are compared, so the ratio is at most 1 and the difference at least 0.
//! Groups without decisions are left out.

use std::collections::BTreeMap;

use crate::GroupCounters;
use crate::rates::approvals;

/// The lowest approval rate divided by the highest; `None` if no group has decisions or nobody was
/// approved.
pub fn demographic_parity_ratio(groups: &BTreeMap<String, GroupCounters>) -> Option<f64> {
    let (lowest, highest) = extremes(groups)?;
    (highest > 0.0).then(|| lowest / highest)
}

/// The highest approval rate minus the lowest; `None` if no group has decisions.
pub fn demographic_parity_difference(groups: &BTreeMap<String, GroupCounters>) -> Option<f64> {
    let (lowest, highest) = extremes(groups)?;
    Some(highest - lowest)
}

/// The lowest and the highest approval rate of the groups that have decisions.
fn extremes(groups: &BTreeMap<String, GroupCounters>) -> Option<(f64, f64)> {
    let mut extremes: Option<(f64, f64)> = None;
    for proportion in groups.values().filter_map(approvals) {
        let rate = proportion.rate();
        let (lowest, highest) = extremes.unwrap_or((rate, rate));
        extremes = Some((lowest.min(rate), highest.max(rate)));
    }
    extremes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(counts: &[(&str, u64, u64)]) -> BTreeMap<String, GroupCounters> {
        let counters = |approved, denied| GroupCounters {
            approved,
            denied,
            ..Default::default()
        };
        let named = |&(name, approved, denied): &(&str, u64, u64)| {
            (name.to_owned(), counters(approved, denied))
        };
        counts.iter().map(named).collect()
    }

    #[test]
    fn the_extremes_are_compared_and_empty_groups_left_out() {
        let groups = groups(&[("a", 1, 3), ("b", 1, 1), ("c", 3, 1), ("empty", 0, 0)]);
        assert!((demographic_parity_ratio(&groups).unwrap() - 1.0 / 3.0).abs() < 1e-15);
        assert!((demographic_parity_difference(&groups).unwrap() - 0.5).abs() < 1e-15);
    }

    #[test]
    fn nothing_is_defined_without_decisions_and_no_ratio_without_approvals() {
        assert_eq!(demographic_parity_ratio(&BTreeMap::new()), None);
        assert_eq!(
            demographic_parity_difference(&groups(&[("empty", 0, 0)])),
            None
        );
        let none_approved = groups(&[("a", 0, 5), ("b", 0, 7)]);
        assert_eq!(demographic_parity_ratio(&none_approved), None);
        assert_eq!(demographic_parity_difference(&none_approved), Some(0.0));
    }
}
