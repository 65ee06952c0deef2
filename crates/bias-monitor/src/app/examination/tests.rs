use fcs_fairness::sheet::{Cell, Name};

use super::*;

fn input() -> ExaminationInput {
    ExaminationInput {
        attributes: vec!["sex".to_owned()],
        ..ExaminationInput::default()
    }
}

fn query(input: &ExaminationInput) -> Result<ExaminationQuery, ApiError> {
    ExaminationQuery::new(input, 10, Confidence::try_from(0.95).unwrap())
}

fn counted(group: &str, decided: Decided, person: Option<&str>, decisions: i64) -> Counted {
    Counted {
        groups: vec![Some(group.parse().unwrap())],
        stratum: Some(Stratum::Day(20_000)),
        decided,
        person: person.map(|text| PersonsOutcome::parse(text).unwrap()),
        realised: None,
        probability: 2_500,
        decisions,
    }
}

fn found() -> Found {
    Found {
        last_index: 400,
        counted: vec![
            counted("male", Decided::Approve, None, 90),
            counted("male", Decided::Approve, Some("deny"), 10),
            counted("male", Decided::Deny, None, 60),
            counted("male", Decided::Deny, Some("approve"), 40),
            counted("female", Decided::Approve, None, 100),
            counted("female", Decided::Deny, None, 90),
            counted("female", Decided::Deny, Some("approve"), 10),
            counted("female", Decided::Refer, Some("approve"), 0),
        ],
    }
}

fn ratio(basis: &str) -> (i64, f64) {
    let input = ExaminationInput {
        basis: basis.to_owned(),
        reference: vec!["male".to_owned()],
        ..input()
    };
    let examined = query(&input).unwrap().examine(found()).unwrap();
    let women = examined.sheet.cells.iter().find_map(|cell| match cell {
        Cell::Shown { group, metrics, .. } if group.0 == ["female"] => Some(metrics),
        _ => None,
    });
    let metric = women.unwrap().iter();
    let ratio = metric
        .clone()
        .find(|it| it.name == Name::AdverseImpactRatio);
    let value = serde_json::to_value(ratio.unwrap()).unwrap();
    let value = value.pointer("/result/value");
    (examined.decisions, value.unwrap().as_f64().unwrap())
}

#[test]
fn overrides_are_compared_like_decisions() {
    let near = |(decisions, ratio): (i64, f64), wanted: (i64, f64)| {
        assert_eq!(decisions, wanted.0);
        assert!(
            (ratio - wanted.1).abs() < 1e-12,
            "{ratio} instead of {}",
            wanted.1
        );
    };
    near(ratio(""), (400, 1.0));
    near(ratio("final"), (400, 110.0 / 130.0));
    // People approve 40 of 100 denied men, and 10 of 100 denied women.
    near(ratio("low_side_overrides"), (200, 0.1 / 0.4));
    near(ratio("high_side_overrides"), (200, 1.0 / 0.9));
}

#[test]
fn vintages_are_months() {
    let input = ExaminationInput {
        stratify_by: "vintage".to_owned(),
        within: "2024-10".to_owned(),
        ..input()
    };
    let query = query(&input).unwrap();
    let examined = query.examine(found()).unwrap();
    assert_eq!(examined.sheet.stratum.as_deref(), Some("2024-10"));
    let mut other = found();
    for counted in &mut other.counted {
        counted.stratum = Some(Stratum::Day(0));
    }
    let error = query.examine(other).unwrap_err();
    assert_eq!(error.reason, "STRATUM_UNKNOWN");
    assert!(error.message.contains("1970-01"), "{}", error.message);
}

#[test]
fn the_smallest_cell_is_never_below_that_of_the_monitor() {
    let size = |size| {
        let input = ExaminationInput {
            minimum_cell_size: size,
            ..input()
        };
        query(&input).unwrap().request.minimum_cell_size
    };
    assert_eq!((size(0), size(5), size(50)), (10, 10, 50));
}

#[test]
fn bad_requests_are_refused_with_their_field() {
    let refused = |change: fn(&mut ExaminationInput)| {
        let mut input = input();
        change(&mut input);
        let error = query(&input).unwrap_err();
        error.violations[0].pointer.clone()
    };
    assert_eq!(refused(|it| it.attributes.clear()), "/attributes");
    assert_eq!(
        refused(|it| it.attributes.push("sex".to_owned())),
        "/attributes"
    );
    assert_eq!(refused(|it| it.attributes[0].push('!')), "/attributes");
    assert_eq!(refused(|it| "demo".clone_into(&mut it.model)), "/model");
    assert_eq!(refused(|it| "May".clone_into(&mut it.from)), "/from");
    assert_eq!(
        refused(|it| "sex".clone_into(&mut it.stratify_by)),
        "/stratify_by"
    );
    assert_eq!(
        refused(|it| it.reference = vec![String::new(); 2]),
        "/reference"
    );
    assert_eq!(refused(|it| it.quantiles = vec![1.5]), "/quantiles");
    assert_eq!(refused(|it| "vibes".clone_into(&mut it.basis)), "/basis");
    assert_eq!(
        refused(|it| {
            "2026-01-02T00:00:00Z".clone_into(&mut it.from);
            "2026-01-01T00:00:00Z".clone_into(&mut it.to);
        }),
        "/to"
    );
}
