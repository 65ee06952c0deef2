//! Reads the models that XGBoost's `save_model` writes as JSON or UBJSON, versions 1.7 to 3
//! (`doc/tutorials/saving_model.rst` and `doc/model.schema` in its repository).
//!
//! A document is gone through twice: first for what the model is, so that one that is not supported is refused by the
//! name of its objective or booster, then for its trees or weights.
//!
//! The margin is the one of `Booster.predict(output_margin=True)` with its defaults: all trees, whatever the attribute
//! `best_iteration` says, and only NaN is missing. A number past the range of single precision, or infinite, is an
//! infinity to the splits, as it is to `Booster.inplace_predict`; XGBoost's `DMatrix` refuses such rows, and so does
//! its `QuantileDMatrix` from 2.0 on. Values of a categorical feature are the codes of its categories; the names that
//! a model of version 3.1 or later may hold for them (`cats`) are skipped.

mod header;
mod linear;
mod objective;
mod tree;

use super::document::json::Json;
use super::document::ubjson::Ubjson;
use super::document::{Once, Read, Refusal, Source, out_of_range};
use super::error::{FieldError, FieldProblem};
use crate::ensemble::{Ensemble, Precision, Summation};
use crate::format::Format;
use crate::front::{Front, single};
use crate::limits;
use crate::model::{Body, Parts};
use crate::tree::Tree;
use header::{Booster, Header};

/// Reads a whole model from JSON.
pub(crate) fn read_json(bytes: &[u8]) -> Result<Parts, FieldError> {
    read(Format::XgBoostJson, || Json::new(bytes))
}

/// Reads a whole model from UBJSON.
pub(crate) fn read_ubj(bytes: &[u8]) -> Result<Parts, FieldError> {
    read(Format::XgBoostUbj, || Ok(Ubjson::new(bytes)))
}

fn read<S: Source>(format: Format, open: impl Fn() -> Read<S>) -> Result<Parts, FieldError> {
    let header_and_body = || {
        let header = Header::read(&mut open()?)?;
        let body = body(&mut open()?, &header)?;
        Ok((header, body))
    };
    let (header, body) = header_and_body().map_err(|refusal: Refusal| refusal.in_format(format))?;
    let front = match &body {
        Body::Trees(_) => Front::Single,
        Body::Linear(linear) => linear::front(linear),
    };
    Ok(Parts {
        format,
        feature_names: header.feature_names,
        category_names: Vec::new(),
        front,
        body,
        link: header.link,
        link_divisor: 1.0,
    })
}

/// The refusal of a field that is not known.
fn unknown() -> Refusal {
    Refusal::here(FieldProblem::Unknown)
}

/// Goes to `learner.gradient_booster` and reads its trees or weights. The header has checked everything around it.
fn body<S: Source>(source: &mut S, header: &Header) -> Read<Body> {
    let mut body = Once::new("learner.gradient_booster");
    source.map(|source, name| match name {
        "learner" => source.map(|source, name| match name {
            "gradient_booster" => body.set(booster(source, header)?),
            _ => source.skip(),
        }),
        _ => source.skip(),
    })?;
    body.required()
}

fn booster<S: Source>(source: &mut S, header: &Header) -> Read<Body> {
    let trees = match header.booster {
        Booster::Linear => return linear::body(source, header).map(Body::Linear),
        Booster::Trees => only_model(source, |source| trees(source, header))?,
        Booster::WeightedTrees => weighted_trees(source, header)?,
    };
    Ok(Body::Trees(Ensemble {
        trees,
        summation: Summation {
            start: f64::from(header.base_margin),
            precision: Precision::Single,
            divisor: 1.0,
        },
    }))
}

/// A booster that holds its model and its name alone.
fn only_model<S: Source, T>(source: &mut S, mut model: impl FnMut(&mut S) -> Read<T>) -> Read<T> {
    let mut found = Once::new("model");
    source.map(|source, name| match name {
        "model" => found.set(model(source)?),
        "name" => source.skip(),
        _ => Err(unknown()),
    })?;
    found.required()
}

/// `dart`: a `gbtree` and a weight per tree.
fn weighted_trees<S: Source>(source: &mut S, header: &Header) -> Read<Vec<Tree>> {
    let mut inner = Once::new("gbtree");
    let mut weights = Once::new("weight_drop");
    source.map(|source, name| match name {
        "gbtree" => inner.set(only_model(source, |source| trees(source, header))?),
        "weight_drop" => weights.set(source.singles(limits::TREES_MAX)?),
        "name" => source.skip(),
        _ => Err(unknown()),
    })?;
    let mut trees = inner.required()?;
    weigh(&mut trees, &weights.required()?)?;
    Ok(trees)
}

/// Multiplies each tree's leaves by its weight. The product of two singles is exact in double precision, and rounded
/// once, as in XGBoost.
fn weigh(trees: &mut [Tree], weights: &[f32]) -> Read<()> {
    same_length("weight_drop", trees.len(), weights.len())?;
    for (index, (tree, &weight)) in trees.iter_mut().zip(weights).enumerate() {
        for value in &mut tree.leaf_values {
            *value = single(*value * f64::from(weight));
            if !value.is_finite() {
                let expected = "a weight with which all leaves are finite";
                let problem = FieldProblem::OutOfRange { expected };
                return Err(Refusal::at_item("weight_drop", index, problem));
            }
        }
    }
    Ok(())
}

/// The model of a `gbtree`.
fn trees<S: Source>(source: &mut S, header: &Header) -> Read<Vec<Tree>> {
    let mut trees = Once::new("trees");
    let mut groups = Once::new("tree_info");
    let mut category_words_left = limits::CATEGORY_WORDS_MAX;
    source.map(|source, name| match name {
        "trees" => {
            let mut list = Vec::new();
            source.list(|source, index| {
                if index == limits::TREES_MAX {
                    return Err(out_of_range("one of at most 10,000 trees"));
                }
                let words = &mut category_words_left;
                list.push(tree::tree(source, header.feature_names.len(), words)?);
                Ok(())
            })?;
            trees.set(list)
        }
        "tree_info" => groups.set(source.integers::<i64>(limits::TREES_MAX, "an integer")?),
        // How many trees a round has, where the rounds begin, and names of categories.
        "gbtree_model_param" | "iteration_indptr" | "cats" => source.skip(),
        _ => Err(unknown()),
    })?;
    let (trees, groups) = (trees.required()?, groups.required()?);
    same_length("tree_info", trees.len(), groups.len())?;
    if let Some(index) = groups.iter().position(|&group| group != 0) {
        let problem = FieldProblem::OutOfRange {
            expected: "0: the only output",
        };
        return Err(Refusal::at_item("tree_info", index, problem));
    }
    Ok(trees)
}

/// Checks the length of a field's list.
fn same_length(name: &str, expected: usize, found: usize) -> Read<()> {
    if expected == found {
        return Ok(());
    }
    let problem = FieldProblem::WrongLength { expected, found };
    Err(Refusal::at(name, problem))
}
