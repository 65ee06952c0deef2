//! The table of nodes of all trees, one list per property.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::is_single;
use crate::limits;
use crate::read::error::FieldProblem;
use crate::read::onnx::constant::Attributes;
use crate::read::onnx::refusal::{Read, Refusal};
use crate::tree::{Child, Comparison, Node, ShapeError, Test, Tree, check_shape};

/// Nodes and leaves that are copied because branches share them, over all trees.
const COPIES_MAX: usize = 1 << 20;

/// Of each leaf by tree and node: the weight of another class, and the one that is asked for.
pub(super) type Weights = HashMap<(i64, i64), [Option<f64>; 2]>;

#[derive(Default)]
pub(super) struct Table {
    tree_ids: Vec<i64>,
    node_ids: Vec<i64>,
    features: Vec<i64>,
    values: Vec<f64>,
    modes: Vec<Vec<u8>>,
    if_true: Vec<i64>,
    if_false: Vec<i64>,
    /// Whether NaN counts as true; empty for "never".
    missing_true: Vec<i64>,
}

/// A row of the table. A leaf has a tree, an id and its mode alone.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) tree: i64,
    pub(super) id: i64,
    pub(super) feature: i64,
    pub(super) value: f64,
    pub(super) mode: &'static [u8],
    pub(super) if_true: i64,
    pub(super) if_false: i64,
    pub(super) missing_true: bool,
}

impl Table {
    pub(super) fn read(attributes: &mut Attributes, is_single_input: bool) -> Read<Self> {
        attributes.ignore(&["nodes_hitrates", "nodes_hitrates_as_tensor"]);
        let table = Self {
            tree_ids: attributes.ints("nodes_treeids")?.unwrap_or_default(),
            node_ids: attributes.ints("nodes_nodeids")?.unwrap_or_default(),
            features: attributes.ints("nodes_featureids")?.unwrap_or_default(),
            values: attributes
                .reals("nodes_values", "nodes_values_as_tensor")?
                .unwrap_or_default(),
            modes: attributes.strings("nodes_modes")?.unwrap_or_default(),
            if_true: attributes.ints("nodes_truenodeids")?.unwrap_or_default(),
            if_false: attributes.ints("nodes_falsenodeids")?.unwrap_or_default(),
            missing_true: attributes
                .ints("nodes_missing_value_tracks_true")?
                .unwrap_or_default(),
        };
        let count = table.tree_ids.len();
        let missing_count = table.missing_true.len();
        for (name, found) in [
            ("nodes_nodeids", table.node_ids.len()),
            ("nodes_featureids", table.features.len()),
            ("nodes_values", table.values.len()),
            ("nodes_modes", table.modes.len()),
            ("nodes_truenodeids", table.if_true.len()),
            ("nodes_falsenodeids", table.if_false.len()),
            (
                "nodes_missing_value_tracks_true",
                if missing_count == 0 {
                    count
                } else {
                    missing_count
                },
            ),
        ] {
            if found != count {
                return Err(Refusal::wrong_length(name, count, found));
            }
        }
        if is_single_input && !table.values.iter().all(|value| is_single(*value)) {
            let expected = "single-precision numbers beside a float input";
            return Err(Refusal::out_of_range("nodes_values", expected));
        }
        Ok(table)
    }

    /// Adds a row. Those of a tree follow each other, and its root is the first of them.
    pub(super) fn push(&mut self, row: Row) {
        self.tree_ids.push(row.tree);
        self.node_ids.push(row.id);
        self.features.push(row.feature);
        self.values.push(row.value);
        self.modes.push(row.mode.to_vec());
        self.if_true.push(row.if_true);
        self.if_false.push(row.if_false);
        self.missing_true.push(row.missing_true.into());
    }

    /// The trees in their order; takes the weights of their leaves.
    pub(super) fn trees(&self, column_count: usize, weights: &mut Weights) -> Read<Vec<Tree>> {
        let mut seen = HashSet::new();
        let mut trees = Vec::new();
        let mut start = 0;
        let mut copies = COPIES_MAX;
        for rows in self.tree_ids.chunk_by(|one, other| one == other) {
            if !seen.insert(rows[0]) {
                let path = format!("nodes_treeids[{start}]");
                return Err(Refusal::out_of_range(
                    path,
                    "a tree whose nodes follow each other",
                ));
            }
            let rows = start..start + rows.len();
            start = rows.end;
            let leaf_values = self.take_weights(rows.clone(), weights);
            trees.push(self.tree(rows, &leaf_values, column_count, &mut copies)?);
        }
        if trees.is_empty() {
            return Err(Refusal::missing("nodes_treeids"));
        }
        Ok(trees)
    }

    /// The weight of each row that is a leaf; 0 of the others, and of leaves without a weight.
    fn take_weights(&self, rows: Range<usize>, weights: &mut Weights) -> Vec<f64> {
        let weight = |row: usize| {
            let id = (self.tree_ids[row], self.node_ids[row]);
            let of_leaf = if self.is_leaf(row) {
                weights.remove(&id)
            } else {
                None
            };
            of_leaf.and_then(|[_, weight]| weight).unwrap_or(0.0)
        };
        rows.map(weight).collect()
    }

    /// The tree of some rows, of which the first is its root. Converters let branches share what is below them: such
    /// rows are copied, as long as there are `copies` left.
    fn tree(
        &self,
        rows: Range<usize>,
        weights: &[f64],
        column_count: usize,
        copies: &mut usize,
    ) -> Read<Tree> {
        let row_of = self.rows_by_id(rows.clone())?;
        let refuse = |error| {
            let path = format!("nodes_treeids[{}]", rows.start);
            Refusal::new(path, FieldProblem::Shape(error))
        };
        let mut tree = Tree {
            nodes: Vec::new(),
            leaf_values: Vec::new(),
            leaf_ids: Vec::new(),
            category_words: Vec::new(),
            cover: None,
        };
        let mut is_met = vec![false; rows.len()];
        // A row, the node and the side that lead to it, and the splits above it.
        let mut pending = vec![(rows.start, None::<(usize, bool)>, 0_usize)];
        while let Some((row, parent, depth)) = pending.pop() {
            if std::mem::replace(&mut is_met[row - rows.start], true) {
                *copies = copies.checked_sub(1).ok_or_else(|| {
                    Refusal::out_of_range("nodes_truenodeids", "at most a million shared branches")
                })?;
            }
            let child = if self.is_leaf(row) {
                tree.leaf_values.push(weights[row - rows.start]);
                tree.leaf_ids.push(self.id(row)?);
                Child::Leaf(number(tree.leaf_values.len() - 1))
            } else {
                let (node, below) = self.node(row, column_count, &row_of)?;
                let index = tree.nodes.len();
                tree.nodes.push(node);
                for (row, is_left) in [(below[1], false), (below[0], true)] {
                    pending.push((row, Some((index, is_left)), depth + 1));
                }
                Child::Node(number(index))
            };
            match parent {
                None => {}
                Some((parent, true)) => tree.nodes[parent].left = child,
                Some((parent, false)) => tree.nodes[parent].right = child,
            }
            // Either also ends the walk of a cycle.
            if depth > limits::DEPTH_MAX {
                return Err(refuse(ShapeError::TooDeep));
            }
            if tree.leaf_values.len().max(tree.nodes.len()) > limits::LEAVES_PER_TREE_MAX {
                return Err(Refusal::out_of_range(
                    "nodes_modes",
                    "at most 65,536 leaves per tree",
                ));
            }
        }
        let lost = is_met.iter().filter(|is_met| !**is_met).count();
        if lost > 0 {
            return Err(refuse(ShapeError::Unreachable { count: lost }));
        }
        check_shape(&tree.nodes, tree.leaf_values.len()).map_err(refuse)?;
        Ok(tree)
    }

    fn is_leaf(&self, row: usize) -> bool {
        self.modes[row] == b"LEAF"
    }

    fn id(&self, row: usize) -> Read<u32> {
        u32::try_from(self.node_ids[row])
            .map_err(|_| Refusal::out_of_range(format!("nodes_nodeids[{row}]"), "a number from 0"))
    }

    fn rows_by_id(&self, rows: Range<usize>) -> Read<HashMap<i64, usize>> {
        let mut row_of = HashMap::with_capacity(rows.len());
        for row in rows {
            if row_of.insert(self.node_ids[row], row).is_some() {
                let path = format!("nodes_nodeids[{row}]");
                return Err(Refusal::out_of_range(
                    path,
                    "a number that is new in its tree",
                ));
            }
        }
        Ok(row_of)
    }

    /// A node whose children are not known yet, and the rows of its left and right child.
    fn node(
        &self,
        row: usize,
        column_count: usize,
        row_of: &HashMap<i64, usize>,
    ) -> Read<(Node, [usize; 2])> {
        let column = u32::try_from(self.features[row]).ok();
        let column = column.filter(|column| (*column as usize) < column_count);
        let column = column.ok_or_else(|| {
            let path = format!("nodes_featureids[{row}]");
            Refusal::out_of_range(path, "the index of a column")
        })?;
        let child = |ids: &[i64], name: &str| {
            row_of.get(&ids[row]).copied().ok_or_else(|| {
                Refusal::out_of_range(format!("{name}[{row}]"), "the id of a node of the tree")
            })
        };
        let if_true = child(&self.if_true, "nodes_truenodeids")?;
        let if_false = child(&self.if_false, "nodes_falsenodeids")?;
        let threshold = self.values[row];
        if threshold.is_nan() {
            let path = format!("nodes_values[{row}]");
            return Err(Refusal::out_of_range(path, "a number"));
        }
        let missing_true = self.missing_true.get(row).is_some_and(|flag| *flag != 0);
        // What is not one of the three comparisons is the opposite of one, with its branches exchanged.
        let (comparison, is_opposite, missing_true) = match self.modes[row].as_slice() {
            b"BRANCH_LEQ" => (Comparison::AtMost, false, missing_true),
            b"BRANCH_LT" => (Comparison::Below, false, missing_true),
            b"BRANCH_EQ" => (Comparison::Equal, false, missing_true),
            b"BRANCH_GT" => (Comparison::AtMost, true, missing_true),
            b"BRANCH_GTE" => (Comparison::Below, true, missing_true),
            // NaN is no number's equal.
            b"BRANCH_NEQ" => (Comparison::Equal, true, true),
            other => {
                return Err(Refusal::unsupported(
                    format!("nodes_modes[{row}]"),
                    &String::from_utf8_lossy(other),
                    "LEAF and BRANCH_LEQ, LT, GTE, GT, EQ and NEQ",
                ));
            }
        };
        let below = if is_opposite {
            [if_false, if_true]
        } else {
            [if_true, if_false]
        };
        let test = Test::Compare {
            comparison,
            threshold,
            missing_left: missing_true != is_opposite,
        };
        let node = Node {
            column,
            test,
            left: Child::Leaf(0),
            right: Child::Leaf(0),
        };
        Ok((node, below))
    }
}

/// An index that fits, because a file has less than 2^32 bytes.
fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a file of 64 MiB has fewer nodes than 2^32")
}
