//! Operators that may follow a model, because they do not change the number that is read.

use std::rc::Rc;

use super::node::Operator;
use super::refusal::{Read, Refusal};
use super::value::{Scores, Value, Width};
use crate::model::Link;

/// L1 normalisation of the two probabilities of a classifier, which add up to one already.
pub(super) fn normalizer(operator: &mut Operator<'_>) -> Read<Value> {
    let norm = operator.attributes.string("norm")?;
    match (norm.as_deref(), operator.value(0)?) {
        (Some("L1"), Value::Scores(scores)) if scores.sums_to_one() => Ok(Value::Scores(scores)),
        (Some("L1"), _) => Err(Refusal::out_of_range(
            "input[0]",
            "two probabilities that add up to one",
        )),
        (other, _) => Err(Refusal::unsupported("norm", other.unwrap_or("MAX"), "L1")),
    }
}

/// Names beside the scores of a classifier.
pub(super) fn zip_map(operator: &mut Operator<'_>) -> Read<Value> {
    operator
        .attributes
        .ignore(&["classlabels_int64s", "classlabels_strings"]);
    match operator.value(0)? {
        Value::Scores(scores) if scores.width != Width::One => Ok(Value::Scores(scores)),
        _ => Err(Refusal::out_of_range(
            "input[0]",
            "the scores of a classifier",
        )),
    }
}

/// The logistic function of each score.
pub(super) fn sigmoid(operator: &mut Operator<'_>) -> Read<Value> {
    match operator.value(0)? {
        Value::Scores(scores) if scores.link == Link::Identity => Ok(Value::Scores(Scores {
            link: Link::Logistic { sigmoid: 1.0 },
            ..scores
        })),
        _ => Err(Refusal::out_of_range(
            "input[0]",
            "the scores of a model, which have no link yet",
        )),
    }
}

/// The class with the greater score.
pub(super) fn arg_max(operator: &mut Operator<'_>) -> Read<Value> {
    operator
        .attributes
        .ignore(&["keepdims", "select_last_index"]);
    operator.check_axis(None)?;
    match operator.value(0)? {
        Value::Scores(scores) if scores.width != Width::One => Ok(Value::Labels),
        _ => Err(Refusal::out_of_range(
            "input[0]",
            "the scores of two classes",
        )),
    }
}

/// The absolute value of probabilities, which are not negative.
pub(super) fn absolute(operator: &mut Operator<'_>) -> Read<Value> {
    match operator.value(0)? {
        Value::Scores(scores) if scores.link != Link::Identity => Ok(Value::Scores(scores)),
        _ => Err(Refusal::out_of_range("input[0]", "probabilities")),
    }
}

/// The sum of two probabilities that is one by construction.
pub(super) fn reduce_sum(operator: &mut Operator<'_>) -> Read<Value> {
    operator.attributes.ignore(&["noop_with_empty_axes"]);
    if operator.attributes.int("keepdims")?.unwrap_or(1) != 1 {
        return Err(Refusal::unsupported("keepdims", "0", "1"));
    }
    let axes = match operator.inputs.get(1) {
        Some(Value::Constant(axes)) => Some(axes.whole()?.to_vec()),
        _ => operator.attributes.ints("axes")?,
    };
    if !matches!(axes.as_deref(), Some([1 | -1])) {
        return Err(Refusal::out_of_range("axes", "1"));
    }
    match operator.value(0)? {
        Value::Scores(scores) if scores.sums_to_one() => Ok(Value::Certainty),
        _ => Err(Refusal::out_of_range(
            "input[0]",
            "two probabilities that add up to one",
        )),
    }
}

/// One minus a probability, which is the other class's.
pub(super) fn complement(operator: &mut Operator<'_>) -> Read<Value> {
    match (operator.value(0)?, operator.value(1)?) {
        (Value::Constant(constant), Value::Scores(scores))
            if scores.width == Width::One
                && scores.link != Link::Identity
                && is_one(&constant.real()?) =>
        {
            Ok(Value::Complement(scores))
        }
        _ => {
            let expected = "1, less the probability of one class";
            Err(Refusal::out_of_range("input", expected))
        }
    }
}

fn is_one(numbers: &[f64]) -> bool {
    matches!(numbers, [number] if number.to_bits() == 1.0_f64.to_bits())
}

/// The probabilities of both classes beside each other.
pub(super) fn both_classes(operator: &mut Operator<'_>) -> Read<Value> {
    operator.check_axis(None)?;
    match &operator.inputs[..] {
        [Value::Complement(first), Value::Scores(second)]
            if Rc::ptr_eq(&first.body, &second.body) && second.link != Link::Identity =>
        {
            Ok(Value::Scores(Scores {
                width: Width::Opposites,
                ..second.clone()
            }))
        }
        _ => {
            let expected = "one minus a probability, and the probability";
            Err(Refusal::out_of_range("input", expected))
        }
    }
}

/// Taking away the dimension of a regression's one score.
pub(super) fn squeeze(operator: &mut Operator<'_>) -> Read<Value> {
    operator.attributes.ignore(&["axes"]);
    match operator.value(0)? {
        Value::Scores(scores) if scores.width == Width::One => Ok(Value::Scores(scores)),
        Value::Labels => Ok(Value::Labels),
        _ => Err(Refusal::out_of_range(
            "input[0]",
            "the score of a regressor",
        )),
    }
}
