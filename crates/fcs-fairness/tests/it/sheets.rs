//! What a sheet shows, suppresses and refuses.

use fcs_fairness::scores::{Edges, Histogram, Scores};
use fcs_fairness::sheet::{Cell, Group, Metric, Name, Request, Sheet, SheetError, sheet};
use fcs_fairness::table::{Key, Row, Table};
use fcs_fairness::tally::{Decision, Outcome, Tally};
use fcs_fairness::{Confidence, Evidence, Measured, Undefined};

fn row(sex: &str, age: &str, decision: Decision) -> Row {
    let value = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Row {
        groups: vec![value(sex), value(age)],
        decision,
        outcome: None,
        score: None,
        stratum: None,
    }
}

/// Women and men under and over 40, of whom so many were approved and denied.
fn table(counts: &[(&str, &str, i64, i64)]) -> Table {
    let mut table = Table::new(vec!["sex".to_owned(), "age".to_owned()]);
    for (sex, age, approved, denied) in counts {
        for (decision, times) in [(Decision::Approve, *approved), (Decision::Deny, *denied)] {
            table.count(row(sex, age, decision), times).unwrap();
        }
    }
    table
}

fn request(attributes: &[&str], reference: Option<&[&str]>) -> Request {
    let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Request {
        attributes: owned(attributes),
        stratum: None,
        reference: reference.map(|values| Group(owned(values))),
        minimum_cell_size: 30,
        confidence: Confidence::try_from(0.95).unwrap(),
        quantiles: vec![0.5],
    }
}

fn metrics<'a>(sheet: &'a Sheet, values: &[&str]) -> &'a [Metric] {
    for cell in &sheet.cells {
        if let Cell::Shown { group, metrics, .. } = cell
            && group.0.iter().eq(values)
        {
            return metrics;
        }
    }
    panic!("{values:?} is not shown: {:?}", sheet.cells);
}

fn result(metrics: &[Metric], name: Name) -> Measured {
    let metric = metrics.iter().find(|metric| metric.name == name);
    metric.unwrap().result
}

fn usual() -> Table {
    table(&[
        ("female", "old", 40, 60),
        ("female", "young", 3, 4),
        ("male", "old", 150, 50),
        ("", "old", 5, 6),
    ])
}

#[test]
fn small_and_empty_intersections_are_listed_without_numbers() {
    let sheet = sheet(&usual(), &request(&["sex", "age"], None)).unwrap();
    let suppressed = |sex: &str, age: &str, from, below| Cell::Suppressed {
        group: Group(vec![sex.to_owned(), age.to_owned()]),
        from,
        below,
    };
    assert_eq!(sheet.cells.len(), 4);
    assert_eq!(sheet.cells[1], suppressed("female", "young", 5, 10));
    assert_eq!(sheet.cells[3], suppressed("male", "young", 0, 1));
    assert_eq!(sheet.without_value, 11);
    assert_eq!(
        sheet.reference,
        Some(Group(vec!["male".to_owned(), "old".to_owned()]))
    );
}

#[test]
fn a_class_of_sizes_ends_at_the_minimum() {
    let table = table(&[("female", "old", 9, 9), ("male", "old", 150, 50)]);
    let mut request = request(&["sex"], None);
    request.minimum_cell_size = 20;
    let sheet = sheet(&table, &request).unwrap();
    assert!(
        matches!(
            sheet.cells[0],
            Cell::Suppressed {
                from: 10,
                below: 20,
                ..
            }
        ),
        "{:?}",
        sheet.cells
    );
}

#[test]
fn a_missing_or_small_reference_group_leaves_comparisons_undefined() {
    for (reference, reason) in [
        ("other", Undefined::NoReferenceGroup),
        ("young", Undefined::ReferenceSuppressed),
    ] {
        let sheet = sheet(&usual(), &request(&["age"], Some(&[reference]))).unwrap();
        assert_eq!(sheet.reference_undefined, Some(reason));
        let metrics = metrics(&sheet, &["old"]);
        for name in [
            Name::AdverseImpactRatio,
            Name::FisherExact,
            Name::StandardisedMeanDifference,
            Name::AdverseImpactRatioAtQuantile,
            Name::EqualOpportunityDifference,
        ] {
            assert_eq!(result(metrics, name), Measured::Undefined { reason });
        }
        assert!(result(metrics, Name::SelectionRate).value().is_some());
    }
}

#[test]
fn nothing_counted_is_an_empty_sheet_and_no_clear_one() {
    let sheet = sheet(&table(&[]), &request(&["sex"], None)).unwrap();
    assert_eq!((sheet.cells.len(), sheet.reference), (0, None));
    assert_eq!(sheet.reference_undefined, Some(Undefined::NoReferenceGroup));
    for metric in &sheet.overall {
        assert!(metric.result.undefined().is_some(), "{metric:?}");
    }
}

#[test]
fn a_correction_without_its_decision_is_inconsistent_and_not_small() {
    let mut table = usual();
    let known = Tally::correction(Decision::Approve, None, Some(Outcome::Repaid));
    let key = Key {
        groups: vec![Some("female".to_owned()), Some("new".to_owned())],
        stratum: None,
    };
    let evidence = Evidence {
        tally: known,
        scores: Scores::None,
    };
    table.add(&key, &evidence, 1).unwrap();
    let sheet = sheet(&table, &request(&["age"], None)).unwrap();
    let group = Group(vec!["new".to_owned()]);
    assert_eq!(sheet.cells[0], Cell::Inconsistent { group });
}

#[test]
fn outcomes_of_the_approved_alone_are_named_so() {
    let mut table = usual();
    for (sex, repaid) in [("male", 100), ("female", 20)] {
        let mut correct = |decision, outcome, times| {
            let known = Row {
                outcome,
                ..row(sex, "old", decision)
            };
            table.count(known, times).unwrap();
        };
        correct(Decision::Approve, None, -repaid);
        correct(Decision::Approve, Some(Outcome::Repaid), repaid - 5);
        correct(Decision::Approve, Some(Outcome::Defaulted), 5);
    }
    let sheet = sheet(&table, &request(&["sex"], Some(&["male"]))).unwrap();
    let metrics = metrics(&sheet, &["female"]);
    let parity = result(metrics, Name::PredictiveParityDifference);
    assert!((parity.value().unwrap() - (0.75 - 0.95)).abs() < 1e-12);
    for name in [
        Name::TruePositiveRate,
        Name::EqualOpportunityDifference,
        Name::EqualisedOddsDifference,
        Name::TheilIndex,
    ] {
        let reason = result(metrics, name).undefined();
        assert_eq!(reason, Some(Undefined::SelectiveLabels), "{name:?}");
    }
}

#[test]
fn requests_that_cannot_be_met_are_refused() {
    let refused = |request: &Request| sheet(&usual(), request).unwrap_err().to_string();
    assert_eq!(
        refused(&request(&["race"], None)),
        "there is no attribute \"race\""
    );
    let once = "a sheet needs at least one attribute, and each once";
    assert_eq!(refused(&request(&[], None)), once);
    assert_eq!(refused(&request(&["sex", "sex"], None)), once);
    assert_eq!(
        refused(&request(&["sex"], Some(&["male", "old"]))),
        "a reference group needs 1 values, found 2"
    );
    for share in [0.0, 1.5, f64::NAN] {
        let mut request = request(&["sex"], None);
        request.quantiles = vec![0.5, share];
        assert!(refused(&request).starts_with("a quantile must be"));
    }
}

#[test]
fn intersections_have_a_limit() {
    let mut table = Table::new(vec!["sex".to_owned(), "age".to_owned()]);
    for value in 0..101 {
        let value = value.to_string();
        let row = row(&value, &value, Decision::Approve);
        table.push(row).unwrap();
    }
    assert_eq!(
        sheet(&table, &request(&["sex", "age"], None)),
        Err(SheetError::TooManyCells { cells: 10_201 })
    );
}

#[test]
fn scores_counted_in_different_ways_have_no_common_sheet() {
    let mut table = usual();
    let binned = Evidence {
        tally: Tally::default(),
        scores: Scores::Binned({
            let mut histogram = Histogram::new(Edges::hundredths());
            let score = fcs_fairness::scores::Score::from_millionths(1).unwrap();
            histogram.record(score, Decision::Deny, None, 1);
            histogram
        }),
    };
    let key = |age: &str| Key {
        groups: vec![Some("female".to_owned()), Some(age.to_owned())],
        stratum: None,
    };
    table.add(&key("old"), &binned, 1).unwrap();
    let exact = Row {
        score: Some(0.5),
        ..row("female", "young", Decision::Deny)
    };
    table.push(exact).unwrap();
    let found = sheet(&table, &request(&["sex"], None));
    assert!(matches!(found, Err(SheetError::Bins(_))), "{found:?}");
}

#[test]
fn a_sheet_survives_json() {
    let sheet = sheet(&usual(), &request(&["sex", "age"], None)).unwrap();
    let text = serde_json::to_string(&sheet).unwrap();
    assert_eq!(serde_json::from_str::<Sheet>(&text).unwrap(), sheet);
}
