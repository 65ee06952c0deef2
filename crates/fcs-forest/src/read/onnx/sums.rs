//! Sums of models, and models times a number or plus one.
//!
//! The models become one: the trees of a sum follow each other, and so do the columns and weights of linear models. So
//! a sum in single precision may differ in its last bits from the one of ONNX Runtime, which adds up each model first.

use std::rc::Rc;

use super::constant::Constant;
use super::node::Operator;
use super::refusal::{Read, Refusal};
use super::trees::constant_tree;
use super::value::{Budget, Columns, Scores, Value, Width};
use crate::ensemble::{Ensemble, Precision};
use crate::front::single;
use crate::limits;
use crate::linear::Linear;
use crate::model::{Body, Link};

/// Memory of a node or leaf that is copied, about.
const BYTES_PER_NODE: usize = 64;

/// The sum of one or more models and constants.
pub(super) fn sum(operator: &mut Operator<'_>) -> Read<Value> {
    let mut inputs = std::mem::take(&mut operator.inputs).into_iter().enumerate();
    let (_, mut total) = inputs.next().ok_or_else(|| Refusal::missing("input[0]"))?;
    for (index, value) in inputs {
        let budget = &mut *operator.budget;
        total = match (total, value) {
            (Value::Scores(one), Value::Scores(other)) => both(&one, &other, budget),
            (Value::Scores(scores), Value::Constant(constant))
            | (Value::Constant(constant), Value::Scores(scores)) => {
                plus(&scores, &constant, budget)
            }
            _ => Err(Refusal::out_of_range(
                "",
                "the scores of a model, or a constant",
            )),
        }
        .map(Value::Scores)
        .map_err(|refusal| refusal.within(&format!("input[{index}]")))?;
    }
    match total {
        Value::Scores(_) => Ok(total),
        _ => Err(Refusal::out_of_range("input[0]", "the scores of a model")),
    }
}

/// A model times a number.
pub(super) fn product(operator: &mut Operator<'_>) -> Read<Value> {
    match (operator.value(0)?, operator.value(1)?) {
        (Value::Scores(scores), Value::Constant(factor))
        | (Value::Constant(factor), Value::Scores(scores)) => {
            let factor = only_number(&factor)?;
            // One times a model renames it, whatever its link is.
            if factor.to_bits() == 1.0_f64.to_bits() {
                return Ok(Value::Scores(scores));
            }
            scaled(&scores, |number| number * factor, operator.budget)
        }
        _ => Err(Refusal::out_of_range("input", "scores and a constant")),
    }
}

/// A model divided by a number, or two probabilities by their sum.
pub(super) fn quotient(operator: &mut Operator<'_>) -> Read<Value> {
    match (operator.value(0)?, operator.value(1)?) {
        (Value::Scores(scores), Value::Certainty) if scores.sums_to_one() => {
            Ok(Value::Scores(scores))
        }
        (Value::Scores(scores), Value::Constant(divisor)) => {
            let divisor = only_number(&divisor)?;
            scaled(&scores, |number| number / divisor, operator.budget)
        }
        _ => Err(Refusal::out_of_range("input", "scores, and a constant")),
    }
}

fn only_number(constant: &Constant) -> Read<f64> {
    match constant.real()?[..] {
        [number] => Ok(number),
        _ => Err(Refusal::out_of_range(
            "input[1]",
            "one number beside scores",
        )),
    }
}

/// Refuses scores that are not the margin any more.
fn check_no_link(scores: &Scores) -> Read<()> {
    if scores.link == Link::Identity {
        return Ok(());
    }
    Err(Refusal::out_of_range("", "scores before their link"))
}

fn scaled(scores: &Scores, by: impl Fn(f64) -> f64, budget: &mut Budget) -> Read<Value> {
    check_no_link(scores)?;
    let body = map_numbers(&scores.body, by, budget)?;
    Ok(Value::Scores(Scores {
        body: Rc::new(body),
        ..scores.clone()
    }))
}

/// A copy of a model whose every addend is changed by a function, in the model's precision.
fn map_numbers(body: &Body, change: impl Fn(f64) -> f64, budget: &mut Budget) -> Read<Body> {
    let mut body = copy(body, budget)?;
    let (numbers, precision): (Vec<&mut f64>, _) = match &mut body {
        Body::Linear(linear) => {
            let weights = linear.weights.iter_mut();
            (
                weights.chain([&mut linear.intercept]).collect(),
                linear.precision,
            )
        }
        Body::Trees(ensemble) => {
            let leaves = ensemble
                .trees
                .iter_mut()
                .flat_map(|tree| &mut tree.leaf_values);
            (leaves.collect(), ensemble.summation.precision)
        }
    };
    for number in numbers {
        *number = rounded(change(*number), precision);
        check_finite(*number).map_err(|refusal| refusal.moved_to("input[1]"))?;
    }
    Ok(body)
}

/// A model plus a number for all classes, or one for each.
fn plus(scores: &Scores, constant: &Constant, budget: &mut Budget) -> Read<Scores> {
    check_no_link(scores)?;
    let numbers = constant.real()?;
    numbers.iter().copied().try_for_each(check_finite)?;
    if !constant.is_row {
        return Err(Refusal::out_of_range("", "a constant of one row"));
    }
    let (number, keeps_opposites) = match (&numbers[..], scores.width) {
        ([number], _) => (*number, *number == 0.0),
        ([first, second], Width::Two | Width::Opposites) => {
            (*second, first.to_bits() == (-second).to_bits())
        }
        _ => return Err(Refusal::out_of_range("", "one number per score")),
    };
    let mut body = copy(&scores.body, budget)?;
    match &mut body {
        Body::Linear(linear) => {
            linear.intercept = rounded(linear.intercept + number, linear.precision);
            check_finite(linear.intercept)?;
        }
        Body::Trees(ensemble) => {
            ensemble
                .trees
                .push(constant_tree(rounded(number, ensemble.summation.precision)));
            check_tree_count(ensemble)?;
        }
    }
    Ok(Scores {
        body: Rc::new(body),
        width: match scores.width {
            Width::Opposites if !keeps_opposites => Width::Two,
            other => other,
        },
        ..scores.clone()
    })
}

/// Two models as one.
fn both(one: &Scores, other: &Scores, budget: &mut Budget) -> Read<Scores> {
    check_no_link(one)?;
    check_no_link(other)?;
    if (one.width == Width::One) != (other.width == Width::One) {
        return Err(Refusal::out_of_range("", "as many scores as before it"));
    }
    // Trees can ask for the same columns; each weight has a column of its own.
    let shares_columns = matches!(*one.body, Body::Trees(_))
        && Rc::ptr_eq(&one.columns.columns, &other.columns.columns);
    let (columns, offset) = if shares_columns {
        (one.columns.clone(), 0)
    } else {
        (
            joined(&one.columns, &other.columns, budget)?,
            one.columns.len(),
        )
    };
    let body = match (copy(&one.body, budget)?, copy(&other.body, budget)?) {
        (Body::Trees(one), Body::Trees(other)) => Body::Trees(both_forests(one, other, offset)?),
        (Body::Linear(one), Body::Linear(other)) => Body::Linear(both_linear(one, other)?),
        _ => {
            return Err(Refusal::out_of_range(
                "",
                "a model of the same kind, trees or weights",
            ));
        }
    };
    let is_opposites = [one, other]
        .iter()
        .all(|scores| scores.width == Width::Opposites);
    Ok(Scores {
        columns,
        body: Rc::new(body),
        link: Link::Identity,
        width: match one.width {
            Width::One => Width::One,
            _ if is_opposites => Width::Opposites,
            _ => Width::Two,
        },
    })
}

fn joined(one: &Columns, other: &Columns, budget: &mut Budget) -> Read<Columns> {
    let columns = one.columns.iter().chain(&*other.columns).cloned();
    budget.columns(one.element, 2, columns)
}

fn both_forests(mut one: Ensemble, mut other: Ensemble, offset: usize) -> Read<Ensemble> {
    check_precision(one.summation.precision, other.summation.precision)?;
    let offset = u32::try_from(offset).expect("there are at most a million columns");
    for tree in &mut other.trees {
        for node in &mut tree.nodes {
            node.column += offset;
        }
    }
    for ensemble in [&mut one, &mut other] {
        // An average is a sum of smaller leaves.
        let summation = ensemble.summation;
        for tree in &mut ensemble.trees {
            for value in &mut tree.leaf_values {
                *value = rounded(*value / summation.divisor, summation.precision);
            }
        }
        ensemble.summation.divisor = 1.0;
    }
    one.trees.append(&mut other.trees);
    check_tree_count(&one)?;
    Ok(one)
}

fn both_linear(mut one: Linear, mut other: Linear) -> Read<Linear> {
    check_precision(one.precision, other.precision)?;
    one.weights.append(&mut other.weights);
    one.intercept = rounded(one.intercept + other.intercept, one.precision);
    check_finite(one.intercept)?;
    Ok(one)
}

fn check_finite(number: f64) -> Read<()> {
    if number.is_finite() {
        return Ok(());
    }
    Err(Refusal::out_of_range(
        "",
        "numbers with which the sum is finite",
    ))
}

fn check_precision(one: Precision, other: Precision) -> Read<()> {
    if one == other {
        return Ok(());
    }
    Err(Refusal::out_of_range("", "a model of the same precision"))
}

fn check_tree_count(ensemble: &Ensemble) -> Read<()> {
    if ensemble.trees.len() <= limits::TREES_MAX {
        return Ok(());
    }
    Err(Refusal::out_of_range("", "at most 10,000 trees in all"))
}

/// A copy, which is counted: a graph can name a model more often than it could hold it.
fn copy(body: &Body, budget: &mut Budget) -> Read<Body> {
    let size = match body {
        Body::Linear(linear) => linear.weights.len(),
        Body::Trees(ensemble) => {
            let sizes = ensemble
                .trees
                .iter()
                .map(|tree| tree.nodes.len() + tree.leaf_values.len());
            sizes.sum()
        }
    };
    budget.unpacking.take(BYTES_PER_NODE * size)?;
    Ok(body.clone())
}

fn rounded(number: f64, precision: Precision) -> f64 {
    match precision {
        Precision::Double => number,
        Precision::Single => single(number),
    }
}
