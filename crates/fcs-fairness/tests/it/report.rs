//! The report of one attribute.

use std::collections::BTreeMap;

use fcs_fairness::report::{AttributeReport, ReportError, attribute_report};
use fcs_fairness::{Confidence, GroupCounters, Thresholds, Verdict};

fn thresholds() -> Thresholds {
    let confidence = Confidence::try_from(0.95).unwrap();
    Thresholds {
        air_floor: 0.8,
        minimum_group_size: 30,
        confidence,
    }
}

fn groups(counts: &[(&str, u64, u64)]) -> BTreeMap<String, GroupCounters> {
    let mut groups = BTreeMap::new();
    for &(name, approved, denied) in counts {
        let counters = GroupCounters {
            approved,
            denied,
            ..GroupCounters::default()
        };
        groups.insert(name.to_owned(), counters);
    }
    groups
}

fn report(counts: &[(&str, u64, u64)], reference: Option<&str>) -> AttributeReport {
    attribute_report("region", &groups(counts), reference, &thresholds()).unwrap()
}

#[test]
fn groups_are_ordered_by_name_and_compared_with_the_reference_only() {
    let report = report(
        &[("west", 900, 100), ("east", 500, 500), ("north", 5, 5)],
        Some("west"),
    );
    let names: Vec<&str> = report
        .groups
        .iter()
        .map(|group| group.group.as_str())
        .collect();
    assert_eq!(names, ["east", "north", "west"]);
    let verdicts: Vec<Option<Verdict>> = report
        .groups
        .iter()
        .map(|group| group.comparison.map(|found| found.verdict))
        .collect();
    let expected = [
        Some(Verdict::Breach),
        Some(Verdict::InsufficientEvidence),
        None,
    ];
    assert_eq!(verdicts, expected);
}

#[test]
fn the_reference_is_the_largest_group_and_the_first_by_name_among_equals() {
    let counts = [("c", 9, 1), ("b", 1, 9), ("a", 1, 1)];
    assert_eq!(report(&counts, None).reference_group, "b");
    assert_eq!(report(&counts, Some("a")).reference_group, "a");
}

#[test]
fn an_unknown_reference_group_is_an_error_that_lists_the_groups() {
    let groups = groups(&[("male", 5, 5), ("female", 5, 5)]);
    let error = attribute_report("sex", &groups, Some("men"), &thresholds()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "attribute \"sex\" has no group \"men\"; its groups are female, male"
    );
}

#[test]
fn no_groups_are_an_error_with_or_without_a_reference() {
    for reference in [None, Some("male")] {
        let error = attribute_report("sex", &BTreeMap::new(), reference, &thresholds());
        assert_eq!(
            error.unwrap_err(),
            ReportError::NoGroups {
                attribute: "sex".to_owned()
            }
        );
    }
}

#[test]
fn groups_without_decisions_have_no_numbers() {
    let report = report(&[("empty", 0, 0), ("other", 50, 50)], None);
    let empty = &report.groups[0];
    assert_eq!((empty.approval_rate, empty.mean_score), (None, None));
    let comparison = empty.comparison.unwrap();
    assert_eq!(comparison.adverse_impact_ratio, None);
    assert_eq!(comparison.approval_rate_difference, None);
    assert_eq!(comparison.standardised_mean_difference, None);
    assert_eq!(comparison.verdict, Verdict::InsufficientEvidence);
}

#[test]
fn a_report_survives_json() {
    let report = report(&[("a", 40, 60), ("b", 0, 70), ("c", 0, 0)], None);
    let text = serde_json::to_string(&report).unwrap();
    assert!(
        text.contains("\"verdict\":\"breach\"")
            || text.contains("\"verdict\":\"insufficient_evidence\"")
    );
    assert_eq!(
        serde_json::from_str::<AttributeReport>(&text).unwrap(),
        report
    );
}
