//! Interventional values of models of every format against the definition: every coalition, by the margins alone.
//! LightGBM's models are enumerated by [`naive`](crate::naive), which does not even share their reader.

use std::ops::Range;

use fcs_forest::{Attributor, Format, Model};
use serde_json::{Value, json};

use crate::plain::{self, BY_HAND, LINEAR_TOML, SCORECARD_TOML};
use crate::xgboost::{self, NAMES};

const FEATURES_MAX: usize = 8;
const REFERENCES: usize = 10;
const TOLERANCE: f64 = 1e-10;

/// The Shapley values of the game in which a coalition is worth the mean margin of the references with the row's
/// values on the coalition.
pub(crate) fn shapley_values(model: &Model, row: &[f64], references: &[Vec<f64>]) -> Vec<f64> {
    assert!(row.len() <= FEATURES_MAX, "too many features to enumerate");
    let coalitions = 0..1_usize << row.len();
    let has = |coalition: usize, feature: usize| coalition >> feature & 1 == 1;
    let worth = |coalition: usize| {
        let hybrid = |reference: &Vec<f64>| -> Vec<f64> {
            let value = |feature| {
                if has(coalition, feature) {
                    row[feature]
                } else {
                    reference[feature]
                }
            };
            (0..row.len()).map(value).collect()
        };
        let margins = references
            .iter()
            .map(|reference| model.margin(&hybrid(reference)));
        margins.sum::<f64>() / references.len() as f64
    };
    let worths: Vec<f64> = coalitions.clone().map(worth).collect();
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    let weight = |coalition: usize| {
        let size = coalition.count_ones() as usize;
        factorial(size) * factorial(row.len() - size - 1) / factorial(row.len())
    };
    let value = |feature: usize| {
        let without = coalitions
            .clone()
            .filter(|coalition| !has(*coalition, feature));
        without
            .map(|coalition| {
                weight(coalition) * (worths[coalition | 1 << feature] - worths[coalition])
            })
            .sum()
    };
    (0..row.len()).map(value).collect()
}

/// Compares with what is expected for each row, and the sums with the margins but for their rounding.
fn check(
    name: &str,
    model: &Model,
    rows: &[Vec<f64>],
    rounding: f64,
    expected: impl Fn(&[f64], &[Vec<f64>]) -> Vec<f64>,
) {
    let references = &rows[..REFERENCES];
    let attributor = Attributor::new(model, references).unwrap();
    for row in rows {
        let found = attributor.contributions(row);
        for (value, expected) in found.iter().zip(expected(row, references)) {
            assert!(
                (value - expected).abs() < TOLERANCE,
                "{name} {row:?} {value} {expected}"
            );
        }
        let total = attributor.base_margin() + found.iter().sum::<f64>();
        let margin = model.margin(row);
        assert!(
            (total - margin).abs() < TOLERANCE + rounding,
            "{name} {row:?} {total} {margin}"
        );
    }
}

#[test]
fn a_linear_model_equals_the_enumeration() {
    let model = plain::model(LINEAR_TOML);
    let rows = plain::linear_golden().into_iter().map(|(row, ..)| row);
    // Next to a value like 1e300 the margin does not tell what the other features add.
    let rows: Vec<Vec<f64>> = rows.filter(|row| model.margin(row).abs() < 1e3).collect();
    assert!(rows.len() > 30);
    check("linear", &model, &rows, 0.0, |row, references| {
        shapley_values(&model, row, references)
    });
}

#[test]
fn a_scorecard_equals_the_enumeration() {
    let model = plain::model(SCORECARD_TOML);
    let rows: Vec<Vec<f64>> = BY_HAND.iter().map(|(row, ..)| row.to_vec()).collect();
    check("scorecard", &model, &rows, 0.0, |row, references| {
        shapley_values(&model, row, references)
    });
}

/// Each tree of an XGBoost document as a model whose margin is the tree's leaf, exactly: the margin of several trees
/// is rounded to single precision on the way, and its game with it.
fn trees_alone(bytes: &[u8]) -> Vec<Model> {
    // Older versions write NaN, which is no JSON, for the thresholds of categorical splits: nothing reads them.
    let text = std::str::from_utf8(bytes).unwrap().replace("NaN", "0");
    let document: Value = serde_json::from_str(&text).unwrap();
    let booster = &document["learner"]["gradient_booster"];
    let path = match booster.get("gbtree") {
        Some(_) => "/learner/gradient_booster/gbtree/model",
        None => "/learner/gradient_booster/model",
    };
    let trees = document.pointer(path).unwrap()["trees"].as_array().unwrap();
    let weights = booster.get("weight_drop");
    let with = |range: Range<usize>, base_score: &str| {
        let mut document = document.clone();
        document["learner"]["learner_model_param"]["base_score"] = json!(base_score);
        if let Some(weights) = weights {
            let weights = &weights.as_array().unwrap()[range.clone()];
            document["learner"]["gradient_booster"]["weight_drop"] = json!(weights);
        }
        let model = document.pointer_mut(path).unwrap();
        model["trees"] = json!(trees[range.clone()]);
        model["tree_info"] = json!(vec![0; range.len()]);
        Model::read(&serde_json::to_vec(&document).unwrap(), Format::XgBoostJson)
    };
    let starts_at_zero = |score: &&str| {
        with(0..0, score)
            .is_ok_and(|model| model.margin(&vec![0.0; model.feature_names().len()]) == 0.0)
    };
    // Which score means no margin depends on the objective.
    let score = ["0E0", "5E-1", "1E0"]
        .into_iter()
        .find(starts_at_zero)
        .unwrap();
    (0..trees.len())
        .map(|tree| with(tree..tree + 1, score).unwrap())
        .collect()
}

#[test]
fn xgboost_s_models_equal_the_enumeration_tree_by_tree() {
    for name in NAMES {
        let [model, _] = xgboost::golden::models(name);
        let trees = trees_alone(&xgboost::bytes(name, "json"));
        assert_eq!(trees.len(), model.tree_count(), "{name}");
        let rows = xgboost::golden::rows(name, model.tree_count());
        let rows: Vec<Vec<f64>> = rows.into_iter().map(|row| row.features).collect();
        // The margin and the base are rounded once per tree.
        let margins = rows.iter().map(|row| model.margin(row).abs());
        let rounding =
            2.0 * trees.len() as f64 * f64::from(f32::EPSILON) * margins.fold(0.0, f64::max);
        check(name, &model, &rows, rounding, |row, references| {
            let mut totals = vec![0.0; row.len()];
            for tree in &trees {
                for (total, value) in totals.iter_mut().zip(shapley_values(tree, row, references)) {
                    *total += value;
                }
            }
            totals
        });
    }
}
