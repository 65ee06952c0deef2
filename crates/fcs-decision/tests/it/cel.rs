//! Conditions against another implementation of the Common Expression Language.

use std::collections::{BTreeMap, HashMap};

use cel::{Context, ExecutionError, Program, Value};
use fcs_decision::features::FeatureInput;
use fcs_decision::policy::expression::Facts;
use fcs_decision::policy::{Scope, parse};
use proptest::prelude::*;

use crate::fixture::manifest;

/// Numbers as text; the second kind may be used in arithmetic.
fn number() -> impl Strategy<Value = String> {
    let named = proptest::sample::select(vec![
        "score",
        "features.months_behind",
        "features.credit_limit",
    ]);
    let written = (-20..40i32).prop_map(|halves| format!("{:?}", f64::from(halves) / 2.0));
    let leaf = prop_oneof![named.prop_map(str::to_owned), written];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let operator = proptest::sample::select(vec!["+", "-", "*", "/"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(l, o, r)| format!("{l} {o} {r}")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.prop_map(|inner| format!("-({inner})")),
        ]
    })
}

fn atom() -> impl Strategy<Value = String> {
    let comparison = || proptest::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
    let category = proptest::sample::select(vec!["clean", "collection", "bankruptcy"]);
    let quote = proptest::sample::select(vec!['"', '\'']);
    prop_oneof![
        (number(), comparison(), number()).prop_map(|(l, o, r)| format!("{l} {o} {r}")),
        (comparison(), 0..6i32).prop_map(|(o, n)| format!("features.months_behind {o} {n}")),
        (comparison(), 0..4i32).prop_map(|(o, n)| {
            format!("(has(features.utilization) && features.utilization {o} {n}.5)")
        }),
        (category.clone(), quote.clone())
            .prop_map(|(c, q)| format!("features.public_record == {q}{c}{q}")),
        (category, quote)
            .prop_map(|(c, q)| format!("features.public_record in [{q}{c}{q}, \"clean\"]")),
        Just("(!has(features.utilization) || features.utilization < 2.0)".to_owned()),
        Just("has(request.amount)".to_owned()),
        Just("true".to_owned()),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    atom().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("{l} && {r}")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("{l} || {r}")),
            inner.clone().prop_map(|inner| format!("!({inner})")),
            inner.prop_map(|inner| format!("({inner})")),
        ]
    })
}

/// What the other implementation says; nothing where it has no order for a number that is none (0 / 0).
fn as_cel(text: &str, facts: &Facts<'_>) -> Option<bool> {
    let mut features: HashMap<String, Value> = HashMap::new();
    for (name, input) in facts.features {
        match input {
            FeatureInput::Number(number) => {
                features.insert(name.clone(), Value::Float(*number));
            }
            FeatureInput::Category(name_of) => {
                features.insert(name.clone(), Value::String(name_of.clone().into()));
            }
            FeatureInput::Missing => {}
        }
    }
    let mut request: HashMap<String, Value> = HashMap::new();
    if let Some(amount) = facts.amount {
        request.insert("amount".to_owned(), Value::Float(amount));
    }
    let mut context = Context::default();
    context.add_variable_from_value("features", features);
    context.add_variable_from_value("request", request);
    context.add_variable_from_value("score", Value::Float(f64::from(facts.score.unwrap())));
    match Program::compile(text).unwrap().execute(&context) {
        Ok(Value::Bool(value)) => Some(value),
        Err(ExecutionError::NoSuchOverload(error))
            if error.argument_types() == ["double", "double"] =>
        {
            None
        }
        other => panic!("{text}: {other:?}"),
    }
}

proptest! {
    #[test]
    fn conditions_mean_what_cel_means(
        text in condition(),
        months in -2..10i32,
        limit in 0..20i32,
        utilization in proptest::option::of(0..8i32),
        category in proptest::sample::select(vec!["clean", "collection", "bankruptcy"]),
        score in -5..15i32,
        amount in proptest::option::of(0..3i32),
    ) {
        let manifest = manifest();
        let scope = Scope { features: &manifest.features, before_score: false };
        let number = |number: i32| FeatureInput::Number(f64::from(number));
        let features = BTreeMap::from([
            ("months_behind".to_owned(), number(months)),
            ("credit_limit".to_owned(), number(limit)),
            ("utilization".to_owned(), utilization.map_or(FeatureInput::Missing, number)),
            ("public_record".to_owned(), FeatureInput::Category(category.to_owned())),
        ]);
        let facts = Facts {
            features: &features,
            score: Some(score),
            probability: Some(0.5),
            amount: amount.map(f64::from),
            currency: None,
            product: None,
            purpose: None,
        };
        let condition = parse(&text, &scope).unwrap();
        if let Some(expected) = as_cel(&text, &facts) {
            prop_assert_eq!(condition.holds(&facts), expected, "{}", text);
        }
    }
}
