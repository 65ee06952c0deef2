//! Rows attributed together have the bits that they have alone; along paths, they have the bits that they have among any
//! other rows, and alone the same values but for rounding.

use fcs_forest::{Attributor, Model, PathAttributor};
use proptest::prelude::*;

use crate::xgboost::{self, NAMES};
use crate::{generated, golden, interventional};

/// Rows of a reference population.
const REFERENCES: usize = 15;

/// Checks all rows together, and again in the opposite order, where each has other neighbours.
fn check(name: &str, rows: &[Vec<f64>], contributions_of: impl Fn(&[f64], &mut [f64])) {
    let of = |rows: &[f64]| -> Vec<u64> {
        let mut values = vec![f64::NAN; rows.len()];
        contributions_of(rows, &mut values);
        values.into_iter().map(f64::to_bits).collect()
    };
    let mut rows = rows.to_vec();
    for _ in 0..2 {
        let alone: Vec<u64> = rows.iter().flat_map(|row| of(row)).collect();
        assert_eq!(of(&rows.concat()), alone, "{name}");
        rows.reverse();
    }
}

/// How far sums in another order may be apart.
const ROUNDING: f64 = 1e-12;

/// Checks all rows along paths, among the others in two orders and alone.
fn check_paths(name: &str, rows: &[Vec<f64>], attributor: &PathAttributor) {
    let of = |rows: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let width = rows[0].len();
        let mut values = vec![f64::NAN; rows.len() * width];
        attributor.contributions_of(&rows.concat(), &mut values);
        values.chunks_exact(width).map(<[f64]>::to_vec).collect()
    };
    let together = of(rows);
    let reversed: Vec<Vec<f64>> = rows.iter().rev().cloned().collect();
    let mut again = of(&reversed);
    again.reverse();
    assert_eq!(again, together, "{name}");
    for (row, together) in rows.iter().zip(together) {
        let alone = attributor.contributions(row);
        let scale = alone
            .iter()
            .fold(1.0, |most: f64, value| most.max(value.abs()));
        let close = |(one, other): (&f64, &f64)| (one - other).abs() <= ROUNDING * scale;
        assert!(
            alone.iter().zip(&together).all(close),
            "{name}: {alone:?} {together:?}"
        );
    }
}

/// Both kinds of attributions of a model.
fn check_both(name: &str, model: &Model, rows: &[Vec<f64>], references: &[Vec<f64>]) {
    let attributor = Attributor::new(model, references).unwrap();
    check(name, rows, |rows, values| {
        attributor.contributions_of(rows, values);
    });
    check_paths(name, rows, &PathAttributor::new(model).unwrap());
}

#[test]
fn golden_rows_have_the_same_bits_alone_and_together() {
    for name in golden::names() {
        let golden = golden::golden(&name);
        let model = crate::read(&golden.text).unwrap();
        check_both(&name, &model, &golden.rows, &golden.rows[..REFERENCES]);
    }
    for name in NAMES {
        let [model, _] = xgboost::golden::models(name);
        let rows = xgboost::golden::rows(name, model.tree_count());
        let rows: Vec<Vec<f64>> = rows.into_iter().map(|row| row.features).collect();
        check_both(name, &model, &rows, &rows[..REFERENCES]);
    }
    for golden in interventional::goldens() {
        check_both(golden.name, &golden.model, &golden.rows, &golden.references);
    }
}

proptest! {
    #[test]
    fn a_row_does_not_depend_on_its_neighbours(
        forest in generated::forests(),
        rows in prop::collection::vec(generated::row(), 1..20),
    ) {
        let model = crate::read(&generated::text(&forest)).unwrap();
        let attributor = Attributor::new(&model, &rows).unwrap();
        check("generated", &rows, |rows, values| attributor.contributions_of(rows, values));
    }
}
