//! The adverse impact ratios that the regular look at the report publishes.

use fcs_fairness::report::GroupReport;

use super::report::Sheet;

/// Groups by attribute and name that are announced as a ratio at most; metrics stay bounded.
pub const SERIES_MAX: usize = 200;

/// A group of an attribute.
pub type GroupId = (String, String);

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
