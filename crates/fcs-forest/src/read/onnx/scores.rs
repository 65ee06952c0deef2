//! Operators that may follow a model, because they do not change the number that is read.

use super::node::Operator;
use super::refusal::{Read, Refusal};
use super::value::{Scores, Value};
use crate::model::Link;

/// L1 normalisation of the two probabilities of a classifier, which add up to one already.
pub(super) fn normalizer(operator: &mut Operator<'_>) -> Read<Value> {
    let norm = operator.attributes.string("norm")?;
    match (norm.as_deref(), operator.value(0)?) {
        (Some("L1"), Value::Scores(scores)) if scores.sums_to_one => Ok(Value::Scores(scores)),
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
        Value::Scores(scores) if scores.is_classifier => Ok(Value::Scores(scores)),
        _ => Err(Refusal::out_of_range(
            "input[0]",
            "the scores of a classifier",
        )),
    }
}

/// The logistic function of a regression's score.
pub(super) fn sigmoid(operator: &mut Operator<'_>) -> Read<Value> {
    match operator.value(0)? {
        Value::Scores(scores) if !scores.is_classifier && scores.link == Link::Identity => {
            Ok(Value::Scores(Scores {
                link: Link::Logistic { sigmoid: 1.0 },
                ..scores
            }))
        }
        _ => Err(Refusal::out_of_range(
            "input[0]",
            "the score of a regressor",
        )),
    }
}

/// Taking away the dimension of a regression's one score.
pub(super) fn squeeze(operator: &mut Operator<'_>) -> Read<Value> {
    operator.attributes.ignore(&["axes"]);
    match operator.value(0)? {
        Value::Scores(scores) if !scores.is_classifier => Ok(Value::Scores(scores)),
        Value::Labels => Ok(Value::Labels),
        _ => Err(Refusal::out_of_range(
            "input[0]",
            "the score of a regressor",
        )),
    }
}

/// Scores times ones, with which a converter renames them; `None` when the inputs are something else.
pub(super) fn times_one(operator: &mut Operator<'_>) -> Read<Option<Value>> {
    let (Value::Scores(scores), Value::Constant(constant)) =
        (operator.value(0)?, operator.value(1)?)
    else {
        return Ok(None);
    };
    #[expect(clippy::float_cmp, reason = "exactly one is meant")]
    let is_one = constant.len() == 1 && constant.real()[0] == 1.0;
    if !is_one {
        return Err(Refusal::out_of_range("input[1]", "1 beside scores"));
    }
    Ok(Some(Value::Scores(scores)))
}
