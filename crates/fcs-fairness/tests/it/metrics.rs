//! Every metric beside fairlearn, aif360, scikit-learn, scipy and statsmodels, on decisions over real
//! people; the numbers are made by `tests/golden/metrics/generate.py`.

use std::collections::BTreeMap;

use fcs_fairness::scores::Resolution;
use fcs_fairness::sheet::{Cell, Group, Metric, Request, Sheet, sheet};
use fcs_fairness::table::Table;
use fcs_fairness::{Confidence, Measured};
use serde::Deserialize;

use crate::tables::Rows;

const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
pub(crate) struct Golden {
    minimum_cell_size: u32,
    quantiles: Vec<f64>,
    pub(crate) sheets: Vec<GoldenSheet>,
}

#[derive(Deserialize)]
pub(crate) struct GoldenSheet {
    pub(crate) table: String,
    attributes: Vec<String>,
    stratum: Option<String>,
    reference: Vec<String>,
    confidence: Confidence,
    groups: Vec<GoldenGroup>,
    overall: Vec<GoldenMetric>,
}

#[derive(Deserialize)]
struct GoldenGroup {
    group: Vec<String>,
    #[serde(default)]
    suppressed: Option<i64>,
    #[serde(default)]
    count: i64,
    #[serde(default)]
    metrics: Vec<GoldenMetric>,
}

/// Name, population, share asked for, value, lower, upper, p-value and reason.
type GoldenMetric = (
    String,
    String,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<String>,
);

/// Value, lower, upper, p-value and reason.
type Numbers = ([Option<f64>; 4], Option<String>);

pub(crate) fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/metrics/golden.json")).unwrap()
}

pub(crate) fn requested(golden: &Golden, case: &GoldenSheet) -> Request {
    Request {
        attributes: case.attributes.clone(),
        stratum: case.stratum.clone(),
        reference: Some(Group(case.reference.clone())),
        minimum_cell_size: golden.minimum_cell_size,
        confidence: case.confidence,
        quantiles: golden.quantiles.clone(),
    }
}

fn named<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap();
    value.as_str().unwrap().to_owned()
}

fn numbers(metric: &Metric) -> Numbers {
    match metric.result {
        Measured::Interval(found) => (
            [
                Some(found.value),
                Some(found.lower),
                Some(found.upper),
                None,
            ],
            None,
        ),
        Measured::Point { value } => ([Some(value), None, None, None], None),
        Measured::Test(test) => ([test.statistic, None, None, Some(test.p_value)], None),
        Measured::Undefined { reason } => ([None; 4], Some(named(&reason))),
    }
}

/// Metrics by name, population and share, so that none is missing on either side.
fn keyed(metrics: &[Metric]) -> BTreeMap<String, Numbers> {
    let key = |metric: &Metric| {
        let (name, population) = (named(&metric.name), named(&metric.population));
        format!("{name} {population} {:?}", metric.share_asked)
    };
    let keyed: BTreeMap<String, Numbers> = metrics
        .iter()
        .map(|metric| (key(metric), numbers(metric)))
        .collect();
    assert_eq!(keyed.len(), metrics.len(), "a metric is listed twice");
    keyed
}

fn keyed_golden(metrics: &[GoldenMetric]) -> BTreeMap<String, Numbers> {
    let keyed = |metric: &GoldenMetric| {
        let (name, population, share, value, lower, upper, p, reason) = metric.clone();
        let key = format!("{name} {population} {share:?}");
        (key, ([value, lower, upper, p], reason))
    };
    metrics.iter().map(keyed).collect()
}

fn assert_metrics(actual: &[Metric], expected: &[GoldenMetric], place: &str) -> usize {
    let (actual, expected) = (keyed(actual), keyed_golden(expected));
    assert!(
        actual.keys().eq(expected.keys()),
        "{place}: {:?} and {:?}",
        actual.keys(),
        expected.keys()
    );
    for (key, (expected, reason)) in &expected {
        let (actual, actual_reason) = &actual[key];
        assert_eq!(actual_reason, reason, "{place} {key}");
        for (actual, expected) in actual.iter().zip(expected) {
            let close = match (actual, expected) {
                (Some(one), Some(other)) => (one - other).abs() <= TOLERANCE * other.abs().max(1.0),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            assert!(close, "{place} {key}: {actual:?}, expected {expected:?}");
        }
    }
    expected.len()
}

#[test]
fn every_metric_is_that_of_the_libraries() {
    let golden = golden();
    let mut compared = 0;
    for case in &golden.sheets {
        let table = Rows::read(&case.table).table();
        let sheet = sheet(&table, &requested(&golden, case)).unwrap();
        let place = format!("{} {:?} {:?}", case.table, case.attributes, case.stratum);
        compared += assert_metrics(&sheet.overall, &case.overall, &place);
        assert_eq!(sheet.cells.len(), case.groups.len(), "{place}");
        for (cell, expected) in sheet.cells.iter().zip(&case.groups) {
            compared += assert_cell(cell, expected, &place);
        }
    }
    assert!(compared > 2000, "only {compared} metrics were compared");
}

fn assert_cell(cell: &Cell, expected: &GoldenGroup, place: &str) -> usize {
    let place = format!("{place} {:?}", expected.group);
    match (cell, expected.suppressed) {
        (Cell::Suppressed { group, from, below }, Some(size)) => {
            assert_eq!(group.0, expected.group, "{place}");
            assert!((*from..*below).contains(&size), "{place}");
            0
        }
        (
            Cell::Shown {
                group,
                tally,
                metrics,
            },
            None,
        ) => {
            assert_eq!(group.0, expected.group, "{place}");
            assert_eq!(tally.decisions(), expected.count, "{place}");
            assert_metrics(metrics, &expected.metrics, &place)
        }
        (cell, _) => panic!("{place}: {cell:?}"),
    }
}

/// Every sheet of the golden file that is about this table.
fn sheets(name: &str, table: &Table) -> Vec<Sheet> {
    let golden = golden();
    let cases = golden.sheets.iter().filter(|case| case.table == name);
    cases
        .map(|case| sheet(table, &requested(&golden, case)).unwrap())
        .collect()
}

/// A fixed permutation of `0..size`: steps of a length that has no divisor in common with it.
fn shuffled(size: usize) -> impl Iterator<Item = usize> {
    let step = (size / 2 + 1..size).find(|step| greatest_divisor(*step, size) == 1);
    let step = step.unwrap();
    (0..size).map(move |index| (index * step + 7) % size)
}

fn greatest_divisor(one: usize, other: usize) -> usize {
    if other == 0 {
        one
    } else {
        greatest_divisor(other, one % other)
    }
}

#[test]
fn order_duplicates_and_shards_change_no_bit() {
    for name in ["boston", "german", "taiwan", "seeded"] {
        let rows = Rows::read(name);
        let whole = rows.table();
        let order: Vec<usize> = shuffled(rows.rows.len()).collect();
        assert_eq!(
            rows.count(order.iter().map(|index| &rows.rows[*index])),
            whole
        );

        // Every event arrives twice; the second is known by its id.
        let mut by_id = BTreeMap::new();
        for index in order.iter().chain(order.iter().rev()) {
            by_id.entry(*index).or_insert(&rows.rows[*index]);
        }
        assert_eq!(rows.count(by_id.into_values()), whole);

        let shard = |number: usize| {
            let own = order.iter().skip(number).step_by(3);
            rows.count(own.map(|index| &rows.rows[*index]))
        };
        let mut merged = shard(2);
        merged.merge(&shard(0)).unwrap();
        merged.merge(&shard(1)).unwrap();
        assert_eq!(merged, whole);
        assert_eq!(sheets(name, &merged), sheets(name, &whole));
    }
}

#[test]
fn corrections_that_arrive_first_change_no_bit() {
    let rows = Rows::read("taiwan");
    let whole = rows.table();
    let mut corrected = Table::new(rows.attributes.clone());
    let wrong = |index: usize| {
        let mut row = rows.rows[index].clone();
        row.outcome = None;
        row
    };
    for index in shuffled(rows.rows.len()) {
        corrected.retract(wrong(index)).unwrap();
        corrected.push(rows.rows[index].clone()).unwrap();
    }
    for index in 0..rows.rows.len() {
        corrected.push(wrong(index)).unwrap();
    }
    assert_eq!(corrected, whole);
}

/// What follows from counts alone is the same from counters; what follows from scores is the same
/// where every bin holds one score.
#[test]
fn counters_give_the_numbers_of_the_rows() {
    for name in ["boston", "german", "taiwan", "seeded"] {
        let mut rows = Rows::read(name);
        for row in &mut rows.rows {
            // The middle of a hundredth.
            let middle = |score: f64| (score * 100.0).floor() / 100.0 + 0.005;
            row.score = row.score.map(middle);
        }
        let exact = sheets(name, &rows.table());
        let counted = sheets(name, &rows.counted());
        for (exact, counted) in exact.iter().zip(&counted) {
            assert_same(exact, counted);
        }
    }
}

fn assert_same(exact: &Sheet, counted: &Sheet) {
    assert_eq!(exact.scores, Resolution::Exact);
    assert_eq!(counted.scores, Resolution::Binned);
    assert_alike(&exact.overall, &counted.overall);
    assert_eq!(exact.cells.len(), counted.cells.len());
    for pair in exact.cells.iter().zip(&counted.cells) {
        match pair {
            (Cell::Shown { metrics: one, .. }, Cell::Shown { metrics: other, .. }) => {
                assert_alike(one, other);
            }
            (one, other) => assert_eq!(one, other),
        }
    }
}

fn assert_alike(exact: &[Metric], counted: &[Metric]) {
    let (exact, counted) = (keyed(exact), keyed(counted));
    assert_eq!(exact.len(), counted.len());
    for (key, (numbers, reason)) in &exact {
        let (others, other_reason) = &counted[key];
        assert_eq!(reason, other_reason, "{key}");
        for (one, other) in numbers.iter().zip(others) {
            let close = match (one, other) {
                (Some(one), Some(other)) => (one - other).abs() <= TOLERANCE * one.abs().max(1.0),
                (one, other) => one == other,
            };
            assert!(close, "{key}: {one:?} {other:?}");
        }
    }
}
