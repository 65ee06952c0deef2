//! Linear boosters against XGBoost's margins, outputs and contributions.

use fcs_forest::{Attributor, Engine, Format, Kernel, Link, Model};

use super::golden::{models, rows};
use super::{bytes, single};

const NAMES: [&str; 7] = [
    "v1_gblinear",
    "v1_gblinear_tweedie",
    "v2_gblinear",
    "v2_gblinear_sparse",
    "v3_gblinear",
    "v3_gblinear_poisson",
    "v3_gblinear_sparse",
];

#[test]
fn margins_are_bit_equal_to_xgboost_s() {
    let mut missing = 0;
    for name in NAMES {
        for model in models(name) {
            assert_eq!((model.tree_count(), model.leaf_count()), (0, 0), "{name}");
            let engine = Engine::new(&model);
            assert_eq!(engine.kernel(), Kernel::Plain);
            for row in rows(name, 0) {
                let margin = model.margin(&row.features);
                let found = [margin, engine.margin(&row.features)].map(f64::to_bits);
                assert_eq!(
                    found,
                    [row.margin.to_bits(); 2],
                    "{name} {:?}",
                    row.features
                );
                missing += row.features.iter().filter(|value| value.is_nan()).count();
            }
        }
    }
    assert!(missing > 100, "{missing}");
}

/// XGBoost's `pred_contribs` of a linear booster: the weight times the value, 0 for a missing one, beside the margin of
/// a row of zeros.
#[test]
fn contributions_against_zeros_are_bit_equal_to_xgboost_s() {
    for name in NAMES {
        for model in models(name) {
            let attributor = Attributor::new(&model, &[vec![0.0; 3]]).unwrap();
            for row in rows(name, 0) {
                let mut found = attributor.contributions(&row.features);
                found.push(attributor.base_margin());
                let expected = row.contributions.unwrap();
                for (found, expected) in found.into_iter().zip(&expected) {
                    // The product is exact in double precision.
                    assert_eq!(
                        single(found),
                        single(*expected),
                        "{name} {:?}",
                        row.features
                    );
                }
            }
        }
    }
}

#[test]
fn outputs_follow_the_link_of_the_objective() {
    for name in NAMES {
        let link = match name {
            "v2_gblinear" | "v3_gblinear_sparse" => Link::Identity,
            "v1_gblinear_tweedie" | "v3_gblinear_poisson" => Link::Exponential,
            _ => Link::Logistic { sigmoid: 1.0 },
        };
        for model in models(name) {
            assert_eq!(model.link(), link, "{name}");
            for row in rows(name, 0) {
                let output = single(model.probability(row.margin));
                // XGBoost's logistic function ends at 3e-39.
                let is_close =
                    crate::close(output, row.output, 1e-6) || output.max(row.output) < 4e-39;
                assert!(
                    is_close || output == row.output,
                    "{name} {output} {}",
                    row.output
                );
            }
        }
    }
}

#[test]
fn features_have_the_names_of_the_file() {
    let [named, _] = models("v3_gblinear");
    assert_eq!(named.feature_names(), ["first", "second", "third"]);
    let [unnamed, _] = models("v2_gblinear");
    assert_eq!(unnamed.feature_names(), ["f0", "f1", "f2"]);
}

#[test]
fn each_defect_is_refused_by_name() {
    let whole = String::from_utf8(bytes("v2_gblinear_sparse", "json")).unwrap();
    let weights = "[0E0,0E0,-1.3851318E-1,9.111348E-1]";
    for (from, to, message) in [
        (weights, "[]", "model.weights` has 0 values, expected 4"),
        (
            weights,
            "[1,1,1]",
            "model.weights` has 3 values, expected 4",
        ),
        (
            weights,
            "[1,NaN,1,1]",
            "model.weights[1]` must be a finite number",
        ),
        (
            weights,
            "[1,1,1E99,1]",
            "model.weights[2]` must be a finite number",
        ),
        (
            weights,
            "[1,1,1,NaN]",
            "model.weights[3]` must be a bias that is finite",
        ),
        (
            weights,
            "[1,1,1,Infinity]",
            "model.weights[3]` must be a bias that is finite",
        ),
        (weights, "{}", "model.weights` must be a list"),
        ("\"weights\"", "\"leaves\"", "model.leaves` is unknown"),
        ("\"boosted_rounds\"", "\"trees\"", "model.trees` is unknown"),
        (
            "\"name\":\"gblinear\"",
            "\"name\":\"gbtree\"",
            "model.boosted_rounds` is unknown",
        ),
        (
            "\"boosted_rounds\":20,",
            "\"weights\":[],",
            "model.weights` is repeated",
        ),
    ] {
        assert!(whole.contains(from), "{from}");
        let defect = whole.replacen(from, to, 1);
        let found = Model::read(defect.as_bytes(), Format::XgBoostJson).unwrap_err();
        let found = found.to_string();
        assert!(
            found.contains("`learner.gradient_booster.") && found.contains(message),
            "{from} -> {to}: {found}"
        );
    }
}
