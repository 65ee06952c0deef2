//! What holds for any table and any counts.

use fcs_fairness::scores::{Edges, ExactScores, FiniteScore, Histogram, Score, Scores};
use fcs_fairness::sheet::{Cell, Metric, Name, Request, Sheet, sheet};
use fcs_fairness::table::{Key, Row, Table};
use fcs_fairness::tally::{ByOutcome, Decision, Outcome, Tally};
use fcs_fairness::{Confidence, Evidence, Measured, significance};
use proptest::prelude::*;

fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![
        Just(Decision::Approve),
        Just(Decision::Refer),
        Just(Decision::Deny)
    ]
}

fn outcome() -> impl Strategy<Value = Option<Outcome>> {
    prop_oneof![
        Just(Some(Outcome::Repaid)),
        Just(Some(Outcome::Defaulted)),
        Just(None)
    ]
}

/// Scores lie in the middle of hundredths, so that bins lose nothing.
fn score() -> impl Strategy<Value = Option<f64>> {
    proptest::option::of((0..100_i32).prop_map(|bin| f64::from(bin) / 100.0 + 0.005))
}

fn one_row() -> impl Strategy<Value = Row> {
    let name = |count: usize| (0..count).prop_map(|index| ["a", "b", "c"][index].to_owned());
    let group = proptest::option::weighted(0.95, name(3));
    (
        proptest::collection::vec(group, 2),
        decision(),
        outcome(),
        score(),
        proptest::option::of(name(2)),
    )
        .prop_map(|(groups, decision, outcome, score, stratum)| Row {
            groups,
            decision,
            outcome,
            score,
            stratum,
        })
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec(one_row(), 0..60)
}

fn empty() -> Table {
    Table::new(vec!["one".to_owned(), "other".to_owned()])
}

fn table(rows: &[Row]) -> Table {
    let mut table = empty();
    for row in rows {
        table.push(row.clone()).unwrap();
    }
    table
}

fn merged(one: &Table, other: &Table) -> Table {
    let mut sum = one.clone();
    sum.merge(other).unwrap();
    sum
}

fn request(attributes: &[&str]) -> Request {
    Request {
        attributes: attributes.iter().map(|text| (*text).to_owned()).collect(),
        stratum: None,
        reference: None,
        minimum_cell_size: 5,
        confidence: Confidence::try_from(0.95).unwrap(),
        quantiles: vec![0.2, 0.5, 1.0],
    }
}

fn all_metrics(sheet: &Sheet) -> Vec<Metric> {
    let mut metrics = sheet.overall.clone();
    for cell in &sheet.cells {
        if let Cell::Shown { metrics: own, .. } = cell {
            metrics.extend(own);
        }
    }
    metrics
}

/// The range that a metric cannot leave.
fn range(name: Name) -> (f64, f64) {
    match name {
        Name::AdverseImpactRatio
        | Name::AdverseImpactRatioAtQuantile
        | Name::DenialOddsRatio
        | Name::EqualOpportunityRatio
        | Name::FalsePositiveRateRatio
        | Name::PredictiveParityRatio
        | Name::TheilIndex
        | Name::GeneralisedEntropyIndex
        | Name::CoefficientOfVariation => (0.0, f64::MAX),
        Name::Shortfall | Name::StandardisedMeanDifference => (f64::MIN, f64::MAX),
        Name::DemographicParityDifference
        | Name::ConditionalDemographicDisparity
        | Name::EqualOpportunityDifference
        | Name::FalsePositiveRateDifference
        | Name::AverageOddsDifference
        | Name::PredictiveParityDifference
        | Name::NegativePredictiveValueDifference
        | Name::AccuracyDifference
        | Name::Gini
        | Name::CalibrationInTheLarge => (-1.0, 1.0),
        _ => (0.0, 1.0),
    }
}

fn assert_sound(metric: &Metric) -> Result<(), TestCaseError> {
    match metric.result {
        Measured::Interval(found) => {
            let (least, most) = range(metric.name);
            let slack = 1e-12;
            prop_assert!(found.value.is_finite(), "{metric:?}");
            prop_assert!(
                found.lower <= found.value && found.value <= found.upper,
                "{metric:?}"
            );
            prop_assert!(found.lower >= least - slack, "{metric:?}");
            prop_assert!(found.upper <= most + slack, "{metric:?}");
        }
        Measured::Point { value } => {
            prop_assert!(value.is_finite() && value >= -1e-12, "{metric:?}");
        }
        Measured::Test(test) => {
            prop_assert!((0.0..=1.0).contains(&test.p_value), "{metric:?}");
            prop_assert!(test.statistic.is_none_or(f64::is_finite), "{metric:?}");
        }
        Measured::Undefined { .. } => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tables_merge_in_any_order_and_grouping(one in rows(), two in rows(), three in rows()) {
        let all = [one.as_slice(), &two, &three].concat();
        let [one, two, three] = [one, two, three].map(|rows| table(&rows));
        let left = merged(&merged(&one, &two), &three);
        prop_assert_eq!(&left, &merged(&one, &merged(&two, &three)));
        prop_assert_eq!(&left, &merged(&three, &merged(&two, &one)));
        prop_assert_eq!(&left, &table(&all));
        prop_assert_eq!(&merged(&left, &empty()), &left);
    }

    #[test]
    fn what_is_taken_back_was_never_there(kept in rows(), dropped in rows()) {
        let mut changed = empty();
        for row in &dropped {
            changed.retract(row.clone()).unwrap();
        }
        changed.merge(&table(&kept)).unwrap();
        for row in &dropped {
            changed.push(row.clone()).unwrap();
        }
        prop_assert_eq!(changed, table(&kept));
    }

    #[test]
    fn counters_and_rows_are_the_same_sample(rows in rows()) {
        let (mut exact, mut binned) = (ExactScores::default(), Histogram::new(Edges::hundredths()));
        for row in &rows {
            let Some(score) = row.score else { continue };
            exact.record(FiniteScore::try_from(score).unwrap(), row.decision, row.outcome, 1);
            let score = Score::from(fcs_core::Probability::try_from(score).unwrap());
            binned.record(score, row.decision, row.outcome, 1);
        }
        let mut of_rows = Evidence { tally: Tally::default(), scores: Scores::Exact(exact) };
        let of_counters = Evidence { tally: Tally::default(), scores: Scores::Binned(binned) };
        prop_assert_eq!(of_rows.is_empty(), of_counters.is_empty());
        if !of_rows.is_empty() {
            prop_assert!(of_rows.add(&of_counters, 1).is_err());
        }
    }

    #[test]
    fn every_number_of_a_sheet_is_finite_and_within_its_range(rows in rows()) {
        let table = table(&rows);
        for attributes in [&["one"][..], &["other", "one"][..]] {
            let sheet = sheet(&table, &request(attributes)).unwrap();
            for metric in all_metrics(&sheet) {
                assert_sound(&metric)?;
            }
            let shown: i64 = sheet.cells.iter().map(shown_decisions).sum();
            prop_assert!(shown + sheet.without_value <= i64::try_from(rows.len()).unwrap());
        }
    }

    #[test]
    fn no_counts_lead_to_nan_or_panic(cells in proptest::collection::vec((0..3_u8, proptest::array::uniform6(any_count())), 0..6)) {
        let mut table = empty();
        for (group, counts) in cells {
            let key = Key {
                groups: vec![Some(group.to_string()), None],
                stratum: Some((group / 2).to_string()),
            };
            let evidence = Evidence { tally: tally(counts), scores: Scores::None };
            table.add(&key, &evidence, 1).unwrap();
        }
        for attribute in ["one", "other"] {
            for metric in all_metrics(&sheet(&table, &request(&[attribute])).unwrap()) {
                assert_sound(&metric)?;
            }
        }
    }

    #[test]
    fn fisher_is_symmetric_and_a_probability(cells in proptest::array::uniform4(0..40_i64)) {
        let [a, b, c, d] = cells;
        let decided = |approved, denied| tally([0, 0, approved, 0, 0, denied]);
        let (group, reference) = (decided(a, b), decided(c, d));
        let p = |one: &Tally, other: &Tally| significance::fisher_exact(one, other).map(|found| found.p_value);
        match (p(&group, &reference), p(&reference, &group)) {
            (Ok(forward), Ok(backward)) => {
                prop_assert!((forward - backward).abs() < 1e-12);
                prop_assert!((0.0..=1.0).contains(&forward));
                let mirrored = p(&decided(b, a), &decided(d, c)).unwrap();
                prop_assert!((forward - mirrored).abs() < 1e-12);
            }
            (forward, backward) => prop_assert_eq!(forward.is_err(), backward.is_err()),
        }
    }
}

fn shown_decisions(cell: &Cell) -> i64 {
    match cell {
        Cell::Shown { tally, .. } => tally.decisions(),
        Cell::Suppressed { .. } | Cell::Inconsistent { .. } => 0,
    }
}

/// Anything that a damaged store could hand over.
fn any_count() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..5_i64,
        -3..0_i64,
        Just(i64::MAX),
        Just(i64::MIN),
        any::<i64>()
    ]
}

fn tally(cells: [i64; 6]) -> Tally {
    let [repaid, defaulted, unknown, others @ ..] = cells;
    let [declined_repaid, declined_defaulted, declined_unknown] = others;
    Tally {
        approved: ByOutcome {
            repaid,
            defaulted,
            unknown,
        },
        denied: ByOutcome {
            repaid: declined_repaid,
            defaulted: declined_defaulted,
            unknown: declined_unknown,
        },
        ..Tally::default()
    }
}
