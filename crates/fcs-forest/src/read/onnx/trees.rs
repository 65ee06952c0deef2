//! `TreeEnsembleRegressor` and `TreeEnsembleClassifier`, and the `TreeEnsemble` of version 5.

mod table;
mod version5;

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::node::Operator;
use super::refusal::{Read, Refusal};
use super::value::{Columns, Element, Scores, Value, Width};
use crate::ensemble::{Ensemble, Precision, Summation};
use crate::front::single;
use crate::limits;
use crate::model::{Body, Link};
use crate::tree::Tree;
use table::{Table, Weights};

pub(super) use version5::ensemble as version5;

pub(super) fn regressor(operator: &mut Operator<'_>) -> Read<Value> {
    if operator.attributes.int("n_targets")?.unwrap_or(1) != 1 {
        return Err(Refusal::out_of_range("n_targets", "1"));
    }
    let aggregation = operator.attributes.string("aggregate_function")?;
    let is_average = match aggregation.as_deref() {
        None | Some("SUM") => false,
        Some("AVERAGE") => true,
        Some(other) => {
            let supported = "SUM and AVERAGE";
            return Err(Refusal::unsupported("aggregate_function", other, supported));
        }
    };
    check_no_post_transform(operator)?;
    let columns = columns(operator)?;
    let weights = Targets::read(operator, TARGET_NAMES)?;
    if weights.ids() != BTreeSet::from([0]) {
        return Err(Refusal::out_of_range("target_ids", "0"));
    }
    let base = match base_values(operator)?[..] {
        [] => 0.0,
        [base] => base,
        _ => return Err(Refusal::out_of_range("base_values", "one number")),
    };
    if is_average && base != 0.0 {
        return Err(Refusal::out_of_range(
            "base_values",
            "left out of an average",
        ));
    }
    let mut ensemble = weights.ensemble(operator, &columns, 0, base)?;
    if is_average {
        ensemble.summation.divisor = ensemble.trees.len() as f64;
    }
    Ok(Value::Scores(Scores {
        columns,
        body: Rc::new(Body::Trees(ensemble)),
        link: Link::Identity,
        width: Width::One,
    }))
}

/// With weights of one class alone, their sum is the score of the second class, and base values count only when it
/// is numbered 0. With weights of both, those of the second class are its score. This is what ONNX Runtime 1.32 does;
/// base values in any other place are added in ways that nobody trains, and are refused.
pub(super) fn classifier(operator: &mut Operator<'_>) -> Read<Vec<Value>> {
    check_two_classes(operator, "classlabels_int64s")?;
    let link = link(operator)?;
    let columns = columns(operator)?;
    let weights = Targets::read(operator, CLASS_NAMES)?;
    let ids = weights.ids();
    let has_one_class = ids.len() == 1;
    if !ids.is_subset(&BTreeSet::from([0, 1])) || ids.is_empty() {
        return Err(Refusal::out_of_range("class_ids", "0 and 1"));
    }
    let class = i64::from(ids != BTreeSet::from([0]));
    let base = match base_values(operator)?[..] {
        [] => 0.0,
        [base] if class == 0 => base,
        _ => {
            let expected = "one number, with weights of class 0 alone";
            return Err(Refusal::out_of_range("base_values", expected));
        }
    };
    let ensemble = weights.ensemble(operator, &columns, class, base)?;
    let scores = Scores {
        columns,
        body: Rc::new(Body::Trees(ensemble)),
        link,
        // With weights of class 0 alone, the logistic of their sum and of its negative.
        width: if has_one_class && class == 0 && link != Link::Identity {
            Width::Opposites
        } else {
            Width::Two
        },
    };
    Ok(vec![Value::Labels, Value::Scores(scores)])
}

/// Refuses a classifier that does not tell two classes apart.
pub(super) fn check_two_classes(operator: &mut Operator<'_>, ints: &'static str) -> Read<()> {
    let numbers = operator.attributes.ints(ints)?.map(|labels| labels.len());
    let names = operator.attributes.strings("classlabels_strings")?;
    let names = names.map(|labels| labels.len());
    match numbers.or(names) {
        Some(2) => Ok(()),
        found => Err(Refusal::wrong_length("classlabels", 2, found.unwrap_or(0))),
    }
}

/// Refuses a regressor with a post-transform: the standard asks for it, and ONNX Runtime 1.32 leaves it out for one
/// target, so that nobody can know what was meant.
pub(super) fn check_no_post_transform(operator: &mut Operator<'_>) -> Read<()> {
    match link(operator)? {
        Link::Identity => Ok(()),
        _ => Err(Refusal::unsupported(
            "post_transform",
            "LOGISTIC",
            "NONE for a regressor",
        )),
    }
}

/// How the score becomes the output.
pub(super) fn link(operator: &mut Operator<'_>) -> Read<Link> {
    match operator.attributes.string("post_transform")?.as_deref() {
        None | Some("NONE") => Ok(Link::Identity),
        Some("LOGISTIC") => Ok(Link::Logistic { sigmoid: 1.0 }),
        Some(other) => Err(Refusal::unsupported(
            "post_transform",
            other,
            "NONE and LOGISTIC",
        )),
    }
}

pub(super) fn finite(numbers: &[f64], path: &str) -> Read<()> {
    match numbers.iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Refusal::out_of_range(
            format!("{path}[{index}]"),
            "a finite number",
        )),
    }
}

/// Whether a number is one of single precision.
pub(super) fn is_single(number: f64) -> bool {
    number.is_nan() || single(number).to_bits() == number.to_bits()
}

fn columns(operator: &Operator<'_>) -> Read<Columns> {
    let columns = operator.columns(0)?;
    if columns.rank != 2 || !matches!(columns.element, Element::Float | Element::Double) {
        return Err(Refusal::out_of_range(
            "input[0]",
            "rows of floats or doubles",
        ));
    }
    Ok(columns)
}

fn base_values(operator: &mut Operator<'_>) -> Read<Vec<f64>> {
    let values = operator
        .attributes
        .reals("base_values", "base_values_as_tensor")?
        .unwrap_or_default();
    finite(&values, "base_values")?;
    Ok(values)
}

/// What the lists of leaf weights are called.
struct Names {
    trees: &'static str,
    nodes: &'static str,
    ids: &'static str,
    weights: &'static str,
    as_tensor: &'static str,
}

const TARGET_NAMES: Names = Names {
    trees: "target_treeids",
    nodes: "target_nodeids",
    ids: "target_ids",
    weights: "target_weights",
    as_tensor: "target_weights_as_tensor",
};

const CLASS_NAMES: Names = Names {
    trees: "class_treeids",
    nodes: "class_nodeids",
    ids: "class_ids",
    weights: "class_weights",
    as_tensor: "class_weights_as_tensor",
};

/// Weights of leaves, each for a target or class.
struct Targets {
    names: Names,
    trees: Vec<i64>,
    nodes: Vec<i64>,
    ids: Vec<i64>,
    weights: Vec<f64>,
}

impl Targets {
    fn read(operator: &mut Operator<'_>, names: Names) -> Read<Self> {
        let attributes = &mut operator.attributes;
        let weights = attributes.reals(names.weights, names.as_tensor)?;
        let targets = Self {
            trees: attributes.ints(names.trees)?.unwrap_or_default(),
            nodes: attributes.ints(names.nodes)?.unwrap_or_default(),
            ids: attributes.ints(names.ids)?.unwrap_or_default(),
            weights: weights.unwrap_or_default(),
            names,
        };
        let expected = targets.weights.len();
        for (name, found) in [
            (targets.names.trees, targets.trees.len()),
            (targets.names.nodes, targets.nodes.len()),
            (targets.names.ids, targets.ids.len()),
        ] {
            if found != expected {
                return Err(Refusal::wrong_length(name, expected, found));
            }
        }
        finite(&targets.weights, targets.names.weights)?;
        Ok(targets)
    }

    /// The targets or classes that have weights.
    fn ids(&self) -> BTreeSet<i64> {
        self.ids.iter().copied().collect()
    }

    /// The trees with the weights of one target. The base is a tree of one leaf at the end, because ONNX Runtime adds
    /// it after the trees.
    fn ensemble(
        self,
        operator: &mut Operator<'_>,
        columns: &Columns,
        id: i64,
        base: f64,
    ) -> Read<Ensemble> {
        let is_single_input = columns.element == Element::Float;
        if is_single_input
            && !self
                .weights
                .iter()
                .chain([&base])
                .all(|weight| is_single(*weight))
        {
            let expected = "single-precision numbers beside a float input";
            return Err(Refusal::out_of_range(self.names.weights, expected));
        }
        let mut weights: Weights = HashMap::with_capacity(self.weights.len());
        for (index, weight) in self.weights.iter().enumerate() {
            let leaf = (self.trees[index], self.nodes[index]);
            let of_leaf = weights.entry(leaf).or_default();
            let slot = &mut of_leaf[usize::from(self.ids[index] == id)];
            if slot.replace(*weight).is_some() {
                let path = format!("{}[{index}]", self.names.nodes);
                return Err(Refusal::out_of_range(path, "a leaf that has no weight yet"));
            }
        }
        let table = Table::read(&mut operator.attributes, is_single_input)?;
        let mut trees = table.trees(columns.len(), &mut weights)?;
        if !weights.is_empty() {
            return Err(Refusal::out_of_range(
                self.names.nodes,
                "leaves of the trees",
            ));
        }
        if base != 0.0 {
            trees.push(constant_tree(base));
        }
        sum_of(trees, columns.element, "nodes_treeids")
    }
}

/// A tree that gives every row the same.
pub(super) fn constant_tree(value: f64) -> Tree {
    Tree {
        nodes: Vec::new(),
        leaf_values: vec![value],
        leaf_ids: vec![0],
        category_words: Vec::new(),
        cover: None,
    }
}

/// The sum of trees in the precision of their input.
fn sum_of(trees: Vec<Tree>, input: Element, path: &str) -> Read<Ensemble> {
    if trees.len() > limits::TREES_MAX {
        return Err(Refusal::out_of_range(path, "at most 10,000 trees"));
    }
    let precision = match input {
        Element::Float => Precision::Single,
        _ => Precision::Double,
    };
    let summation = Summation {
        start: 0.0,
        precision,
        divisor: 1.0,
    };
    Ok(Ensemble { trees, summation })
}
