//! `LinearRegressor` and `LinearClassifier`, which work in single precision whatever their input is, and `MatMul`, which
//! converters write for linear models in double precision.

use std::rc::Rc;

use super::node::Operator;
use super::refusal::{Read, Refusal};
use super::trees::{check_no_post_transform, check_two_classes, finite, is_single, link};
use super::value::{Columns, Element, Scores, Value, Width};
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
        width: Width::One,
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
    let has_opposites = are_opposite(&weights, &seconds) && are_opposite(&[first], &[second]);
    let scores = Scores {
        body: body(&columns, seconds, second)?,
        columns,
        link: link(operator)?,
        width: if has_opposites {
            Width::Opposites
        } else {
            Width::Two
        },
    };
    Ok(vec![Value::Labels, Value::Scores(scores)])
}

/// Columns times a constant with a column for the one score, or with one for each of two classes.
pub(super) fn product(operator: &mut Operator<'_>) -> Read<Value> {
    let columns = operator.columns(0)?;
    let Value::Constant(constant) = operator.value(1)? else {
        return Err(Refusal::out_of_range("input[1]", "a constant"));
    };
    let precision = match columns.element {
        Element::Float => Precision::Single,
        Element::Double => Precision::Double,
        Element::Whole | Element::Text => {
            return Err(Refusal::out_of_range("input[0]", "floats or doubles"));
        }
    };
    let has_shape = constant.rank == 2
        && constant.element == columns.element
        && matches!(constant.width, 1 | 2)
        && constant.len() == columns.len() * constant.width;
    if columns.rank != 2 || !has_shape {
        let expected = "one or two columns of numbers of the input's type, a row per column";
        return Err(Refusal::out_of_range("input[1]", expected));
    }
    let numbers = constant.real()?;
    finite(&numbers, "input[1]")?;
    let column = |place: usize| -> Vec<f64> {
        let numbers = numbers.iter().skip(place).step_by(constant.width);
        numbers.copied().collect()
    };
    let weights = column(constant.width - 1);
    let width = match constant.width {
        1 => Width::One,
        _ if are_opposite(&column(0), &weights) => Width::Opposites,
        _ => Width::Two,
    };
    let linear = Linear {
        weights,
        intercept: 0.0,
        precision,
    };
    Ok(Value::Scores(Scores {
        body: Rc::new(Body::Linear(linear)),
        columns,
        link: Link::Identity,
        width,
    }))
}

/// Whether each number is the negative of its partner.
fn are_opposite(ones: &[f64], others: &[f64]) -> bool {
    let mut pairs = ones.iter().zip(others);
    pairs.all(|(one, other)| one.to_bits() == (-other).to_bits())
}

/// The input, rounded to single precision.
fn single_columns(operator: &mut Operator<'_>) -> Read<Columns> {
    let columns = operator.number_columns(0)?;
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
