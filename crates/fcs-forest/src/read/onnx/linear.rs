//! `LinearRegressor` and `LinearClassifier`, which work in single precision whatever their input is.

use std::rc::Rc;

use super::node::Operator;
use super::refusal::{Read, Refusal};
use super::trees::{check_no_post_transform, check_two_classes, finite, is_single, link};
use super::value::{Columns, Element, Scores, Value};
use crate::ensemble::Precision;
use crate::front::Step;
use crate::linear::Linear;
use crate::model::{Body, Link};

pub(super) fn regressor(operator: &mut Operator<'_>) -> Read<Value> {
    if operator.attributes.int("targets")?.unwrap_or(1) != 1 {
        return Err(Refusal::out_of_range("targets", "1"));
    }
    let columns = single_columns(operator)?;
    let weights = operator
        .attributes
        .floats("coefficients")?
        .unwrap_or_default();
    let intercepts = operator
        .attributes
        .floats("intercepts")?
        .unwrap_or(vec![0.0]);
    if intercepts.len() != 1 {
        return Err(Refusal::wrong_length("intercepts", 1, intercepts.len()));
    }
    check_no_post_transform(operator)?;
    Ok(Value::Scores(Scores {
        body: body(&columns, weights, intercepts[0])?,
        columns,
        link: Link::Identity,
        is_classifier: false,
        sums_to_one: false,
    }))
}

pub(super) fn classifier(operator: &mut Operator<'_>) -> Read<Vec<Value>> {
    operator.attributes.ignore(&["multi_class"]);
    check_two_classes(operator, "classlabels_ints")?;
    let columns = single_columns(operator)?;
    let mut weights = operator
        .attributes
        .floats("coefficients")?
        .unwrap_or_default();
    let intercepts = operator
        .attributes
        .floats("intercepts")?
        .unwrap_or_default();
    // One row of weights per class, the second of which is the one that is asked for.
    let [first, second] = intercepts[..] else {
        return Err(Refusal::wrong_length("intercepts", 2, intercepts.len()));
    };
    let count = columns.len();
    if weights.len() != 2 * count {
        return Err(Refusal::wrong_length(
            "coefficients",
            2 * count,
            weights.len(),
        ));
    }
    let seconds = weights.split_off(count);
    let is_opposite = |one: f64, other: f64| one.to_bits() == (-other).to_bits();
    let mut pairs = weights.iter().zip(&seconds);
    let is_symmetric =
        is_opposite(first, second) && pairs.all(|(one, other)| is_opposite(*one, *other));
    let link = link(operator)?;
    let scores = Scores {
        body: body(&columns, seconds, second)?,
        columns,
        link,
        is_classifier: true,
        // The logistic of a number and of its negative.
        sums_to_one: is_symmetric && link != Link::Identity,
    };
    Ok(vec![Value::Labels, Value::Scores(scores)])
}

/// The input, rounded to single precision.
fn single_columns(operator: &mut Operator<'_>) -> Read<Columns> {
    let columns = operator.columns(0)?;
    if columns.rank != 2 {
        return Err(Refusal::out_of_range("input[0]", "rows of columns"));
    }
    if columns.element == Element::Float {
        return Ok(columns);
    }
    let made = columns.then(|_| [Step::Single]);
    operator.budget.columns(Element::Float, 2, made)
}

fn body(columns: &Columns, weights: Vec<f64>, intercept: f64) -> Read<Rc<Body>> {
    if weights.len() != columns.len() {
        return Err(Refusal::wrong_length(
            "coefficients",
            columns.len(),
            weights.len(),
        ));
    }
    finite(&weights, "coefficients")?;
    finite(&[intercept], "intercepts")?;
    debug_assert!(weights.iter().all(|weight| is_single(*weight)));
    Ok(Rc::new(Body::Linear(Linear {
        weights,
        intercept,
        precision: Precision::Single,
    })))
}
