//! What the regular look at the report announces.

use std::collections::BTreeSet;

use fcs_fairness::Verdict;
use fcs_fairness::report::GroupReport;

use super::report::Sheet;

/// Groups by attribute and name that are announced as a ratio at most; metrics stay bounded.
pub const SERIES_MAX: usize = 200;

/// A group of an attribute.
pub type GroupId = (String, String);

/// Remembers which groups are in breach, so that only the turn to it is told.
///
/// A new process starts without a memory: a breach that lasts is told once more after a restart.
#[derive(Debug, Default)]
pub struct Alerts {
    breaches: BTreeSet<GroupId>,
}

impl Alerts {
    /// The groups whose verdict turned to breach since the last look.
    pub fn observe(&mut self, sheet: &Sheet) -> Vec<GroupId> {
        let in_breach = |group: &GroupReport| {
            group
                .comparison
                .is_some_and(|comparison| comparison.verdict == Verdict::Breach)
        };
        let now: BTreeSet<GroupId> = groups(sheet)
            .filter(|(_, group)| in_breach(group))
            .map(|(attribute, group)| (attribute.to_owned(), group.group.clone()))
            .collect();
        let turned = now.difference(&self.breaches).cloned().collect();
        self.breaches = now;
        turned
    }
}

/// Adverse impact ratios to publish.
#[derive(Debug, Default, PartialEq)]
pub struct RatioSeries {
    /// In the order of attribute and group, at most [`SERIES_MAX`].
    pub ratios: Vec<(GroupId, f64)>,
    /// How many further ones there are.
    pub left_out: usize,
}

/// The ratios of groups that are large enough.
pub fn ratio_series(sheet: &Sheet, minimum_group_size: u64) -> RatioSeries {
    let mut series = RatioSeries::default();
    for (attribute, group) in groups(sheet) {
        let ratio = group
            .comparison
            .and_then(|comparison| comparison.adverse_impact_ratio);
        let Some(ratio) = ratio.filter(|_| group.decisions >= minimum_group_size) else {
            continue;
        };
        if series.ratios.len() < SERIES_MAX {
            series
                .ratios
                .push(((attribute.to_owned(), group.group.clone()), ratio.value));
        } else {
            series.left_out += 1;
        }
    }
    series
}

fn groups(sheet: &Sheet) -> impl Iterator<Item = (&str, &GroupReport)> {
    sheet.attributes.iter().flat_map(|attribute| {
        attribute
            .report
            .groups
            .iter()
            .map(|group| (attribute.report.attribute.as_str(), group))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fcs_fairness::{Confidence, GroupCounters, Thresholds};

    use super::*;
    use crate::app::report::{Tables, sheet};

    fn look(groups: &[(&str, u64, u64)]) -> Sheet {
        let counters = |(name, approved, denied): &(&str, u64, u64)| {
            let counters = GroupCounters {
                approved: *approved,
                denied: *denied,
                ..GroupCounters::default()
            };
            ((*name).to_owned(), counters)
        };
        let groups: BTreeMap<_, _> = groups.iter().map(counters).collect();
        let tables = Tables {
            attributes: BTreeMap::from([("sex".to_owned(), groups)]),
            ..Tables::default()
        };
        let confidence = Confidence::try_from(0.95).unwrap();
        let thresholds = Thresholds {
            air_floor: 0.8,
            minimum_group_size: 30,
            confidence,
        };
        sheet(&tables, &BTreeMap::new(), &thresholds).unwrap()
    }

    #[test]
    fn only_the_turn_to_a_breach_is_told() {
        let mut alerts = Alerts::default();
        assert!(
            alerts
                .observe(&look(&[("female", 900, 100), ("male", 950, 100)]))
                .is_empty()
        );
        let breach = look(&[("female", 300, 700), ("male", 950, 100)]);
        assert_eq!(
            alerts.observe(&breach),
            [("sex".to_owned(), "female".to_owned())]
        );
        assert!(alerts.observe(&breach).is_empty(), "it lasts");
        assert!(
            alerts
                .observe(&look(&[("female", 9_000, 700), ("male", 9_500, 700)]))
                .is_empty()
        );
        assert_eq!(alerts.observe(&breach).len(), 1, "it came back");
    }

    #[test]
    fn ratios_are_of_large_groups_and_bounded() {
        let series = ratio_series(
            &look(&[("female", 40, 40), ("male", 90, 10), ("x", 1, 1)]),
            30,
        );
        assert_eq!(
            series.ratios.len(),
            1,
            "not the reference group, not the small one"
        );
        assert_eq!(series.ratios[0].0.1, "female");
        let names: Vec<_> = (0..250).map(|number| format!("g{number:03}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), 20, 20)).collect();
        let series = ratio_series(&look(&many), 30);
        assert_eq!((series.ratios.len(), series.left_out), (SERIES_MAX, 49));
    }
}
