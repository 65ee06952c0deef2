//! `gblinear`: a weight per feature.

use super::header::Header;
use super::{only_model, same_length, unknown};
use crate::ensemble::Precision;
use crate::front::{Column, Front, Step};
use crate::limits;
use crate::linear::Linear;
use crate::read::document::{Once, Read, Refusal, Source};
use crate::read::error::FieldProblem;

/// Reads the booster. A margin starts with its bias plus the base margin and adds the product of each feature that is
/// not missing, in their order, all in single precision.
pub(super) fn body<S: Source>(source: &mut S, header: &Header) -> Read<Linear> {
    only_model(source, |source| {
        let mut weights = Once::new("weights");
        source.map(|source, name| match name {
            "weights" => weights.set(source.singles(limits::FEATURES_MAX + 1)?),
            "boosted_rounds" => source.skip(),
            _ => Err(unknown()),
        })?;
        linear(&weights.required()?, header)
    })
}

/// The model of a list of weights: one per feature, and then the bias.
fn linear(weights: &[f32], header: &Header) -> Read<Linear> {
    let feature_count = header.feature_names.len();
    same_length("weights", feature_count + 1, weights.len())?;
    let (bias, weights) = weights.split_last().expect("the length was checked");
    let refuse = |index, expected| {
        let problem = FieldProblem::OutOfRange { expected };
        Err(Refusal::at_item("weights", index, problem))
    };
    if let Some(index) = weights.iter().position(|weight| !weight.is_finite()) {
        return refuse(index, "a finite number");
    }
    let intercept = bias + header.base_margin;
    if !intercept.is_finite() {
        return refuse(feature_count, "a bias that is finite with the base margin");
    }
    Ok(Linear {
        weights: weights.iter().copied().map(f64::from).collect(),
        intercept: f64::from(intercept),
        precision: Precision::Single,
    })
}

/// Features in single precision. A missing one adds nothing: its product with the weight is the zero that leaves
/// every sum as it is, which is the negative one.
pub(super) fn front(linear: &Linear) -> Front {
    let column = |(feature, weight): (u32, &f64)| {
        let (from, to) = (f64::NAN, 0.0_f64.copysign(-weight));
        Column {
            feature,
            steps: vec![Step::Single, Step::Replace { from, to }],
        }
    };
    Front::Columns((0..).zip(&linear.weights).map(column).collect())
}
