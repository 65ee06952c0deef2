//! `TreeEnsemble`, which took the place of the two older operators in version 5 of `ai.onnx.ml`. Nodes and leaves have
//! lists of their own, and a node can ask whether a number is a member of a set.
//!
//! Its trees are written into the table of the older operators, as ONNX Runtime 1.32 does: a test of membership becomes
//! a chain of tests for equality.

use std::collections::HashSet;
use std::rc::Rc;

use super::table::{Row, Table, Weights};
use super::{columns, finite, sum_of};
use crate::model::{Body, Link};
use crate::read::error::FieldProblem;
use crate::read::onnx::constant::{Attributes, Constant};
use crate::read::onnx::node::Operator;
use crate::read::onnx::refusal::{Read, Refusal};
use crate::read::onnx::value::{Columns, Scores, Value, Width};
use crate::tree::ShapeError;

/// Modes by their number; the last is [`MEMBER`].
const MODES: [&[u8]; 6] = [
    b"BRANCH_LEQ",
    b"BRANCH_LT",
    b"BRANCH_GTE",
    b"BRANCH_GT",
    b"BRANCH_EQ",
    b"BRANCH_NEQ",
];

/// The number of the mode that asks for a member of a set.
const MEMBER: i64 = 6;

/// Memory of a row of the table, about.
const BYTES_PER_ROW: usize = 64;

pub(in crate::read::onnx) fn ensemble(operator: &mut Operator<'_>) -> Read<Value> {
    let attributes = &mut operator.attributes;
    if attributes.int("n_targets")?.unwrap_or(1) != 1 {
        return Err(Refusal::out_of_range("n_targets", "1"));
    }
    let is_average = match attributes.int("aggregate_function")?.unwrap_or(1) {
        0 => true,
        1 => false,
        other => {
            let supported = "0 (AVERAGE) and 1 (SUM)";
            let other = other.to_string();
            return Err(Refusal::unsupported(
                "aggregate_function",
                &other,
                supported,
            ));
        }
    };
    // ONNX Runtime leaves it out for one target, so that nobody can know what was meant.
    let post_transform = attributes.int("post_transform")?.unwrap_or(0);
    if post_transform != 0 {
        let value = post_transform.to_string();
        return Err(Refusal::unsupported("post_transform", &value, "0 (NONE)"));
    }
    let columns = columns(operator)?;
    let forest = Forest::read(&mut operator.attributes, &columns)?;
    let unpacking = &mut operator.budget.unpacking;
    unpacking.take(forest.row_count().saturating_mul(BYTES_PER_ROW))?;
    let (table, mut weights) = forest.into_table()?;
    let trees = table.trees(columns.len(), &mut weights);
    let trees = trees.map_err(|refusal| refusal.moved_to("tree_roots"))?;
    let mut ensemble = sum_of(trees, columns.element, "tree_roots")?;
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

/// A branch of a node.
#[derive(Clone, Copy)]
enum Branch {
    Node(usize),
    Leaf(usize),
}

struct Forest {
    roots: Vec<usize>,
    features: Vec<i64>,
    modes: Vec<i64>,
    splits: Vec<f64>,
    if_true: Vec<Branch>,
    if_false: Vec<Branch>,
    missing_true: Vec<bool>,
    /// The sets of the nodes that have one, in the order of the nodes.
    sets: Vec<Vec<f64>>,
    leaf_weights: Vec<f64>,
}

impl Forest {
    fn read(attributes: &mut Attributes, columns: &Columns) -> Read<Self> {
        attributes.ignore(&["nodes_hitrates"]);
        let splits = numbers(attributes, "nodes_splits", columns)?;
        let splits = splits.ok_or_else(|| Refusal::missing("nodes_splits"))?;
        let count = splits.len();
        let leaf_weights = numbers(attributes, "leaf_weights", columns)?;
        let leaf_weights = leaf_weights.ok_or_else(|| Refusal::missing("leaf_weights"))?;
        finite(&leaf_weights, "leaf_weights")?;
        let targets = list(attributes, "leaf_targetids", leaf_weights.len())?;
        check(&targets, "leaf_targetids", "0: the only target", |id| {
            id == 0
        })?;
        let modes = attributes.tensor("nodes_modes")?;
        let modes = modes.ok_or_else(|| Refusal::missing("nodes_modes"))?;
        let modes = modes
            .whole()
            .map_err(|refusal| refusal.within("nodes_modes"))?;
        check_length(modes.len(), "nodes_modes", count)?;
        check(modes, "nodes_modes", "a mode from 0 to 6", |mode| {
            (0..=MEMBER).contains(&mode)
        })?;
        let features = list(attributes, "nodes_featureids", count)?;
        let column_count = i64::try_from(columns.len()).unwrap_or(i64::MAX);
        check(
            &features,
            "nodes_featureids",
            "the index of a column",
            |feature| (0..column_count).contains(&feature),
        )?;
        let is_number = |(split, mode): (&f64, &i64)| *mode == MEMBER || !split.is_nan();
        if let Some(node) = splits.iter().zip(modes).position(|pair| !is_number(pair)) {
            let path = format!("nodes_splits[{node}]");
            return Err(Refusal::out_of_range(path, "a number"));
        }
        let missing_true = attributes.ints("nodes_missing_value_tracks_true")?;
        let missing_true = missing_true.unwrap_or_else(|| vec![0; count]);
        check_length(missing_true.len(), "nodes_missing_value_tracks_true", count)?;
        let roots = attributes.ints("tree_roots")?.unwrap_or_default();
        let set_count = modes.iter().filter(|mode| **mode == MEMBER).count();
        let sets = numbers(attributes, "membership_values", columns)?.unwrap_or_default();
        let leaf_count = leaf_weights.len();
        let mut branches = |names| branches(attributes, names, [count, leaf_count]);
        Ok(Self {
            roots: indices(&roots, "tree_roots", count)?,
            if_true: branches(["nodes_truenodeids", "nodes_trueleafs"])?,
            if_false: branches(["nodes_falsenodeids", "nodes_falseleafs"])?,
            features,
            modes: modes.to_vec(),
            splits,
            missing_true: missing_true.into_iter().map(|flag| flag != 0).collect(),
            sets: split_sets(&sets, set_count)?,
            leaf_weights,
        })
    }

    /// Rows of the table, at most: of each node and its leaves, or of each member and its leaf.
    fn row_count(&self) -> usize {
        2 * (self.modes.len() + self.sets.iter().map(Vec::len).sum::<usize>()) + 1
    }

    /// The table of the older operators. The id of a leaf is its index; those of nodes come after them.
    fn into_table(self) -> Read<(Table, Weights)> {
        let mut writer = Writer {
            table: Table::default(),
            weights: Weights::new(),
            is_met: vec![false; self.modes.len()],
            // Ids of nodes are used up to here.
            ids_end: self.leaf_weights.len() + self.modes.len(),
            set_of_node: vec![0; self.modes.len()],
            forest: self,
        };
        let mut set_count = 0;
        for (set, mode) in writer.set_of_node.iter_mut().zip(&writer.forest.modes) {
            *set = set_count;
            set_count += usize::from(*mode == MEMBER);
        }
        for tree in 0..writer.forest.roots.len() {
            writer.tree(tree)?;
        }
        let lost = writer.is_met.iter().filter(|is_met| !**is_met).count();
        if lost > 0 {
            let problem = FieldProblem::Shape(ShapeError::Unreachable { count: lost });
            return Err(Refusal::new("tree_roots", problem));
        }
        Ok((writer.table, writer.weights))
    }
}

/// Writes the trees of a forest into a table.
struct Writer {
    forest: Forest,
    table: Table,
    weights: Weights,
    /// By node: every node is in one place of one tree, as ONNX Runtime demands.
    is_met: Vec<bool>,
    ids_end: usize,
    /// By node, the number of sets before it.
    set_of_node: Vec<usize>,
}

impl Writer {
    fn tree(&mut self, tree: usize) -> Read<()> {
        let mut leaves = HashSet::new();
        let mut pending = vec![self.forest.roots[tree]];
        while let Some(node) = pending.pop() {
            if std::mem::replace(&mut self.is_met[node], true) {
                let path = format!("tree_roots[{tree}]");
                return Err(Refusal::out_of_range(
                    path,
                    "the root of nodes that have one place each",
                ));
            }
            self.node(tree, node);
            for branch in [self.forest.if_false[node], self.forest.if_true[node]] {
                match branch {
                    Branch::Node(node) => pending.push(node),
                    // A leaf may have several places.
                    Branch::Leaf(leaf) if leaves.insert(leaf) => self.leaf(tree, leaf),
                    Branch::Leaf(_) => {}
                }
            }
        }
        Ok(())
    }

    fn node(&mut self, tree: usize, node: usize) {
        let forest = &self.forest;
        let mut row = Row {
            tree: number(tree),
            id: self.id(Branch::Node(node)),
            feature: forest.features[node],
            value: forest.splits[node],
            mode: b"BRANCH_EQ",
            if_true: self.id(forest.if_true[node]),
            if_false: self.id(forest.if_false[node]),
            missing_true: forest.missing_true[node],
        };
        if let Some(mode) = usize::try_from(forest.modes[node])
            .ok()
            .and_then(|mode| MODES.get(mode).copied())
        {
            self.table.push(Row { mode, ..row });
            return;
        }
        let members = &forest.sets[self.set_of_node[node]];
        for (place, member) in members.iter().enumerate() {
            row.value = *member;
            if place + 1 == members.len() {
                self.table.push(row);
            } else {
                let next = number(self.ids_end);
                self.ids_end += 1;
                self.table.push(Row {
                    if_false: next,
                    ..row
                });
                row.id = next;
            }
        }
    }

    fn leaf(&mut self, tree: usize, leaf: usize) {
        let (tree, id) = (number(tree), number(leaf));
        let weight = self.forest.leaf_weights[leaf];
        self.weights.insert((tree, id), [None, Some(weight)]);
        self.table.push(Row {
            tree,
            id,
            feature: 0,
            value: 0.0,
            mode: b"LEAF",
            if_true: 0,
            if_false: 0,
            missing_true: false,
        });
    }

    fn id(&self, branch: Branch) -> i64 {
        match branch {
            Branch::Leaf(leaf) => number(leaf),
            Branch::Node(node) => number(self.forest.leaf_weights.len() + node),
        }
    }
}

/// A tensor of the input's type.
fn numbers(
    attributes: &mut Attributes,
    name: &'static str,
    columns: &Columns,
) -> Read<Option<Vec<f64>>> {
    let Some(tensor) = attributes.tensor(name)? else {
        return Ok(None);
    };
    let is_suitable = |tensor: &Constant| tensor.element == columns.element;
    if !is_suitable(&tensor) {
        return Err(Refusal::out_of_range(name, "numbers of the input's type"));
    }
    tensor.real().map(Some)
}

fn list(attributes: &mut Attributes, name: &'static str, expected: usize) -> Read<Vec<i64>> {
    let list = attributes.ints(name)?.unwrap_or_default();
    check_length(list.len(), name, expected)?;
    Ok(list)
}

fn check_length(found: usize, name: &'static str, expected: usize) -> Read<()> {
    if found == expected {
        return Ok(());
    }
    Err(Refusal::wrong_length(name, expected, found))
}

fn check(
    list: &[i64],
    name: &'static str,
    expected: &'static str,
    is_good: impl Fn(i64) -> bool,
) -> Read<()> {
    match list.iter().position(|number| !is_good(*number)) {
        None => Ok(()),
        Some(index) => Err(Refusal::out_of_range(format!("{name}[{index}]"), expected)),
    }
}

fn indices(list: &[i64], name: &'static str, count: usize) -> Read<Vec<usize>> {
    let index = |(place, number): (usize, &i64)| {
        let index = usize::try_from(*number).ok().filter(|index| *index < count);
        index.ok_or_else(|| {
            Refusal::out_of_range(format!("{name}[{place}]"), "the index of a node or leaf")
        })
    };
    list.iter().enumerate().map(index).collect()
}

/// The branches on one side of all nodes.
fn branches(
    attributes: &mut Attributes,
    [ids, are_leaves]: [&'static str; 2],
    [node_count, leaf_count]: [usize; 2],
) -> Read<Vec<Branch>> {
    let flags = list(attributes, are_leaves, node_count)?;
    let list = list(attributes, ids, node_count)?;
    let branch = |(place, (number, flag)): (usize, (&i64, &i64))| {
        let count = if *flag == 0 { node_count } else { leaf_count };
        let index = usize::try_from(*number).ok().filter(|index| *index < count);
        match index {
            Some(leaf) if *flag != 0 => Ok(Branch::Leaf(leaf)),
            Some(node) => Ok(Branch::Node(node)),
            None => Err(Refusal::out_of_range(
                format!("{ids}[{place}]"),
                "the index of a node or leaf",
            )),
        }
    };
    list.iter().zip(&flags).enumerate().map(branch).collect()
}

/// The sets in a list, in which NaN ends each.
fn split_sets(numbers: &[f64], expected: usize) -> Read<Vec<Vec<f64>>> {
    let numbers = match numbers {
        [rest @ .., last] if last.is_nan() => rest,
        all => all,
    };
    let sets: Vec<Vec<f64>> = match numbers {
        [] => Vec::new(),
        _ => numbers
            .split(|number| number.is_nan())
            .map(<[f64]>::to_vec)
            .collect(),
    };
    if sets.iter().any(Vec::is_empty) {
        return Err(Refusal::out_of_range(
            "membership_values",
            "sets with members",
        ));
    }
    if sets.len() != expected {
        return Err(Refusal::wrong_length(
            "membership_values",
            expected,
            sets.len(),
        ));
    }
    Ok(sets)
}

fn number(index: usize) -> i64 {
    i64::try_from(index).expect("a file of 64 MiB has fewer nodes than 2^63")
}
