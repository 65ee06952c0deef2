//! What a model is: everything around its trees or weights.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::objective::{self, SUPPORTED};
use super::{same_length, unknown};
use crate::limits;
use crate::model::Link;
use crate::read::document::{Once, Read, Refusal, Source, excerpt, out_of_range};
use crate::read::error::FieldProblem;

/// Major, minor and patch.
const VERSION_NUMBERS: usize = 3;

/// What the trees or weights and the model need to know.
pub(super) struct Header {
    pub(super) feature_names: Vec<String>,
    pub(super) link: Link,
    /// The margin without any tree or weight.
    pub(super) base_margin: f32,
    pub(super) booster: Booster,
}

/// What the margin is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Booster {
    /// Trees.
    Trees,
    /// Trees with a weight each.
    WeightedTrees,
    /// A weight per feature.
    Linear,
}

impl Booster {
    /// The booster of a name in the file.
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "gbtree" => Some(Self::Trees),
            "dart" => Some(Self::WeightedTrees),
            "gblinear" => Some(Self::Linear),
            _ => None,
        }
    }
}

impl Header {
    /// Goes through a whole document, trees and weights aside.
    pub(super) fn read<S: Source>(source: &mut S) -> Read<Self> {
        let mut learner = Once::new("learner");
        let mut version = Once::new("version");
        source.map(|source, name| match name {
            "learner" => learner.set(Learner::read(source)?),
            "version" => version.set(source.integers::<u32>(VERSION_NUMBERS, "a version")?),
            _ => Err(unknown()),
        })?;
        source.end()?;
        let learner = learner.required()?;
        let version = version.required()?;
        check_version(&version)?;
        // A margin is the one of the version that wrote the model.
        let clamps_probability = version >= vec![3, 2];
        let base_margin =
            objective::base_margin(learner.link, learner.base_score, clamps_probability);
        if !base_margin.is_finite() {
            let expected = "a score that the objective turns into a finite margin";
            let problem = FieldProblem::OutOfRange { expected };
            let field = "learner.learner_model_param.base_score";
            return Err(Refusal::at(field, problem));
        }
        Ok(Self {
            feature_names: learner.feature_names,
            link: learner.link,
            base_margin,
            booster: learner.booster,
        })
    }
}

fn check_version(version: &[u32]) -> Read<()> {
    if matches!(version, [1, minor, ..] if *minor >= 7) || matches!(version, [2 | 3, ..]) {
        return Ok(());
    }
    let numbers: Vec<String> = version.iter().map(u32::to_string).collect();
    let problem = unsupported(&numbers.join("."), "1.7 to 3");
    Err(Refusal::at("version", problem))
}

struct Learner {
    feature_names: Vec<String>,
    link: Link,
    base_score: f32,
    booster: Booster,
}

impl Learner {
    fn read<S: Source>(source: &mut S) -> Read<Self> {
        let mut names = Once::new("feature_names");
        let mut booster = Once::new("gradient_booster");
        let mut parameters = Once::new("learner_model_param");
        let mut objective = Once::new("objective");
        source.map(|source, name| match name {
            "feature_names" => names.set(source.texts(limits::FEATURES_MAX)?),
            "gradient_booster" => booster.set(read_name(source)?),
            "learner_model_param" => parameters.set(Parameters::read(source)?),
            "objective" => objective.set(read_name(source)?),
            // What its user noted, such as the best iteration, and what the features' values look like.
            "attributes" | "feature_types" => source.skip(),
            _ => Err(unknown()),
        })?;
        let objective_name = objective.required()?;
        let link = objective::link(&objective_name).ok_or_else(|| {
            let problem = unsupported(&objective_name, SUPPORTED);
            Refusal::at("objective.name", problem)
        })?;
        let booster_name = booster.required()?;
        let booster = Booster::from_name(&booster_name).ok_or_else(|| {
            let problem = unsupported(&booster_name, "gbtree, dart and gblinear");
            Refusal::at("gradient_booster.name", problem)
        })?;
        let parameters = parameters.required()?;
        Ok(Self {
            feature_names: feature_names(names.optional(), parameters.feature_count)?,
            link,
            base_score: parameters.base_score,
            booster,
        })
    }
}

/// The `name` of a booster or an objective. The rest is read with the trees or weights, or steers training alone.
fn read_name<S: Source>(source: &mut S) -> Read<String> {
    let mut found = Once::new("name");
    source.map(|source, name| match name {
        "name" => found.set(source.text()?),
        _ => source.skip(),
    })?;
    found.required()
}

/// The names that the model gives its features, or XGBoost's own for features without names: f0, f1 and so on.
fn feature_names(names: Option<Vec<String>>, count: usize) -> Read<Vec<String>> {
    let names = names.unwrap_or_default();
    if names.is_empty() {
        return Ok((0..count).map(|index| format!("f{index}")).collect());
    }
    same_length("feature_names", count, names.len())?;
    let mut seen = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        if !seen.insert(name) {
            let expected = "a name that no other feature has";
            let problem = FieldProblem::OutOfRange { expected };
            return Err(Refusal::at_item("feature_names", index, problem));
        }
    }
    Ok(names)
}

/// `learner_model_param`: numbers, each written as a text.
struct Parameters {
    base_score: f32,
    feature_count: usize,
}

impl Parameters {
    fn read<S: Source>(source: &mut S) -> Read<Self> {
        let mut base_score = Once::new("base_score");
        let mut features = Once::new("num_feature");
        source.map(|source, name| match name {
            "base_score" => base_score.set(parse_base_score(&source.text()?)?),
            "num_feature" => features.set(parameter::<usize, S>(source)?),
            "num_class" | "num_target" => match parameter::<usize, S>(source)? {
                0 | 1 => Ok(()),
                count => Err(Refusal::here(unsupported(
                    &count.to_string(),
                    "0 and 1: one output",
                ))),
            },
            // Whether training estimated the base score.
            "boost_from_average" => source.skip(),
            _ => Err(unknown()),
        })?;
        let feature_count = features.required()?;
        if !(1..=limits::FEATURES_MAX).contains(&feature_count) {
            let expected = "1 to 10,000 features";
            let problem = FieldProblem::OutOfRange { expected };
            return Err(Refusal::at("num_feature", problem));
        }
        Ok(Self {
            base_score: base_score.required()?,
            feature_count,
        })
    }
}

/// One number, or from version 3.1 on a list of one: `5E-1`, `[5E-1]`.
fn parse_base_score(text: &str) -> Read<f32> {
    let inside = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let number = inside.unwrap_or(text).trim();
    if inside.is_some() && number.contains(',') {
        return Err(Refusal::here(unsupported(text, "one base score")));
    }
    match number.parse::<f32>() {
        Ok(score) if score.is_finite() => Ok(score),
        _ => Err(out_of_range("a finite number, alone or in a list")),
    }
}

/// A number that is written as a text.
pub(super) fn parameter<T: FromStr, S: Source>(source: &mut S) -> Read<T> {
    let expected = "a text with a whole number";
    source
        .text()?
        .parse()
        .map_err(|_| Refusal::here(FieldProblem::WrongType { expected }))
}

fn unsupported(value: &str, supported: &'static str) -> FieldProblem {
    FieldProblem::Unsupported {
        value: excerpt(value),
        supported,
    }
}
