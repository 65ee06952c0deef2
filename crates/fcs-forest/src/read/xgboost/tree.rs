//! Turns the columns of one tree into nodes, and checks that they form a tree.

mod categories;

use super::header::parameter;
use super::{same_length, unknown};
use crate::limits;
use crate::read::document::{Once, Read, Refusal, Source};
use crate::read::error::FieldProblem;
use crate::tree::{Child, Comparison, Cover, Node, ShapeError, Test, Tree, check_shape};
use categories::{CategoryLists, CategorySets};

/// Where a leaf's children would be.
const NO_CHILD: i32 = -1;

/// The feature of a node that pruning has deleted: it stays in the lists, and no parent leads to it.
const DELETED: u32 = 0x7fff_ffff;

/// The lists of a tree, with one entry per node.
struct Columns {
    left_children: Vec<i32>,
    right_children: Vec<i32>,
    default_left: Vec<u8>,
    split_indices: Vec<u32>,
    split_type: Vec<u8>,
    /// Thresholds of splits, values of leaves.
    split_conditions: Vec<f32>,
    sum_hessian: Vec<f32>,
    categories: CategoryLists,
}

/// One tree of a model with `feature_count` features. `category_words_left` is what the model's category sets may
/// still take.
pub(super) fn tree<S: Source>(
    source: &mut S,
    feature_count: usize,
    category_words_left: &mut usize,
) -> Read<Tree> {
    let columns = Columns::read(source)?;
    let numbering = Numbering::new(&columns)?;
    let mut sets = CategorySets::new(&columns.categories, category_words_left)?;
    let nodes = numbering
        .splits
        .iter()
        .map(|&split| node(&columns, &numbering, &mut sets, split, feature_count))
        .collect::<Read<Vec<Node>>>()?;
    check_shape(&nodes, numbering.leaves.len()).map_err(shape)?;
    let mut leaf_values = Vec::with_capacity(numbering.leaves.len());
    for &leaf in &numbering.leaves {
        let value = f64::from(columns.split_conditions[leaf as usize]);
        if !value.is_finite() {
            let expected = "finite: it is the value of a leaf";
            return Err(at("split_conditions", leaf, expected));
        }
        leaf_values.push(value);
    }
    Ok(Tree {
        nodes,
        leaf_values,
        cover: Some(columns.cover(&numbering)?),
        leaf_ids: numbering.leaves,
        category_words: sets.words,
    })
}

impl Columns {
    fn read<S: Source>(source: &mut S) -> Read<Self> {
        let mut left_children = Once::new("left_children");
        let mut right_children = Once::new("right_children");
        let mut default_left = Once::new("default_left");
        let mut split_indices = Once::new("split_indices");
        let mut split_type = Once::new("split_type");
        let mut split_conditions = Once::new("split_conditions");
        let mut sum_hessian = Once::new("sum_hessian");
        let mut node_count = Once::new("tree_param");
        let mut categories = CategoryLists::fields();
        source.map(|source, name| match name {
            "left_children" => left_children
                .set(source.integers(limits::LISTED_NODES_MAX, "the number of a node")?),
            "right_children" => right_children
                .set(source.integers(limits::LISTED_NODES_MAX, "the number of a node")?),
            "default_left" => {
                default_left.set(source.integers(limits::LISTED_NODES_MAX, "true or false")?)
            }
            "split_indices" => split_indices
                .set(source.integers(limits::LISTED_NODES_MAX, "the index of a feature")?),
            "split_type" => split_type.set(source.integers(limits::LISTED_NODES_MAX, "0 or 1")?),
            "split_conditions" => split_conditions.set(source.singles(limits::LISTED_NODES_MAX)?),
            "sum_hessian" => sum_hessian.set(source.singles(limits::LISTED_NODES_MAX)?),
            "tree_param" => node_count.set(read_node_count(source)?),
            // What training knew of the nodes; the parents follow from the children.
            "base_weights" | "id" | "loss_changes" | "parents" => source.skip(),
            _ => categories.read(source, name),
        })?;
        let node_count = node_count.required()?;
        let columns = Self {
            left_children: left_children.required()?,
            right_children: right_children.required()?,
            default_left: default_left.required()?,
            split_indices: split_indices.required()?,
            split_type: split_type.required()?,
            split_conditions: split_conditions.required()?,
            sum_hessian: sum_hessian.required()?,
            categories: categories.required()?,
        };
        columns.check_lengths(node_count)?;
        Ok(columns)
    }

    fn check_lengths(&self, node_count: usize) -> Read<()> {
        if node_count == 0 {
            let problem = FieldProblem::OutOfRange {
                expected: "at least 1",
            };
            return Err(Refusal::at("tree_param.num_nodes", problem));
        }
        same_length("left_children", node_count, self.left_children.len())?;
        same_length("right_children", node_count, self.right_children.len())?;
        same_length("default_left", node_count, self.default_left.len())?;
        same_length("split_indices", node_count, self.split_indices.len())?;
        same_length("split_type", node_count, self.split_type.len())?;
        same_length("split_conditions", node_count, self.split_conditions.len())?;
        same_length("sum_hessian", node_count, self.sum_hessian.len())
    }

    /// The hessians of the training rows that passed each node and leaf.
    fn cover(&self, numbering: &Numbering) -> Read<Cover> {
        let hessians = |nodes: &[u32]| {
            let hessian = |&node: &u32| {
                let sum = f64::from(self.sum_hessian[node as usize]);
                if sum.is_finite() && sum >= 0.0 {
                    Ok(sum)
                } else {
                    Err(at("sum_hessian", node, "finite and not negative"))
                }
            };
            nodes.iter().map(hessian).collect::<Read<Vec<f64>>>()
        };
        Ok(Cover {
            nodes: hessians(&numbering.splits)?,
            leaves: hessians(&numbering.leaves)?,
        })
    }
}

/// `tree_param`: the number of nodes, and the number of outputs of a leaf, which is one.
fn read_node_count<S: Source>(source: &mut S) -> Read<usize> {
    let mut count = Once::new("num_nodes");
    source.map(|source, name| match name {
        "num_nodes" => count.set(parameter(source)?),
        "size_leaf_vector" => match parameter::<usize, S>(source)? {
            0 | 1 => Ok(()),
            outputs => Err(Refusal::here(FieldProblem::Unsupported {
                value: outputs.to_string(),
                supported: "0 and 1: one output",
            })),
        },
        "num_deleted" | "num_feature" => source.skip(),
        _ => Err(unknown()),
    })?;
    count.required()
}

/// XGBoost numbers splits and leaves together, with gaps where nodes were deleted; here each kind is numbered alone.
/// Both keep their order, so that the root stays the first.
struct Numbering {
    /// XGBoost's numbers of the splits.
    splits: Vec<u32>,
    /// XGBoost's numbers of the leaves, which its `pred_leaf` gives.
    leaves: Vec<u32>,
    /// By XGBoost's number: what the node is here. The entry of a deleted node means nothing.
    children: Vec<Child>,
}

impl Numbering {
    fn new(columns: &Columns) -> Read<Self> {
        let is_reached = reached(columns)?;
        let mut numbering = Self {
            splits: Vec::new(),
            leaves: Vec::new(),
            children: Vec::with_capacity(is_reached.len()),
        };
        let mut lost_count = 0;
        for (id, (&left, &reached)) in (0_u32..).zip(columns.left_children.iter().zip(&is_reached))
        {
            if !reached {
                lost_count += usize::from(columns.split_indices[id as usize] != DELETED);
                numbering.children.push(Child::Leaf(0));
            } else if left == NO_CHILD {
                numbering
                    .children
                    .push(Child::Leaf(index(&numbering.leaves)));
                numbering.leaves.push(id);
            } else {
                numbering
                    .children
                    .push(Child::Node(index(&numbering.splits)));
                numbering.splits.push(id);
            }
        }
        if lost_count > 0 {
            return Err(shape(ShapeError::Unreachable { count: lost_count }));
        }
        if numbering.leaves.len() > limits::LEAVES_PER_TREE_MAX {
            let problem = FieldProblem::OutOfRange {
                expected: "a tree of at most 65,536 leaves",
            };
            return Err(Refusal::at("left_children", problem));
        }
        Ok(numbering)
    }
}

/// The index of the next entry of a list of nodes or of category words.
#[expect(
    clippy::cast_possible_truncation,
    reason = "nodes are fewer than the file's bytes, words than their limit: both below 2^32"
)]
fn index(list: &[u32]) -> u32 {
    list.len() as u32
}

/// Which nodes can be reached from the root. Stops where one is reached twice, which bounds the walk.
fn reached(columns: &Columns) -> Read<Vec<bool>> {
    let mut is_reached = vec![false; columns.left_children.len()];
    is_reached[0] = true;
    let mut pending = vec![0];
    while let Some(node) = pending.pop() {
        let (left, right) = (columns.left_children[node], columns.right_children[node]);
        if left == NO_CHILD && right == NO_CHILD {
            continue;
        }
        for (name, child) in [("left_children", left), ("right_children", right)] {
            let known = usize::try_from(child)
                .ok()
                .filter(|&child| child < is_reached.len());
            let Some(child) = known else {
                let expected = "the number of a node, or -1 on both sides";
                let problem = FieldProblem::OutOfRange { expected };
                return Err(Refusal::at_item(name, node, problem));
            };
            if std::mem::replace(&mut is_reached[child], true) {
                return Err(shape(ShapeError::ReachedTwice { node }));
            }
            pending.push(child);
        }
    }
    Ok(is_reached)
}

/// A split: numbers below the threshold go left; categories in the set go right, and all other values left.
fn node(
    columns: &Columns,
    numbering: &Numbering,
    sets: &mut CategorySets<'_>,
    id: u32,
    feature_count: usize,
) -> Read<Node> {
    let at_id = id as usize;
    let column = columns.split_indices[at_id];
    if column as usize >= feature_count {
        return Err(at("split_indices", id, "the index of a feature"));
    }
    let default_left = match columns.default_left[at_id] {
        0 => false,
        1 => true,
        _ => return Err(at("default_left", id, "true or false")),
    };
    let threshold = f64::from(columns.split_conditions[at_id]);
    let left = numbering.children[columns.left_children[at_id].unsigned_abs() as usize];
    let right = numbering.children[columns.right_children[at_id].unsigned_abs() as usize];
    match columns.split_type[at_id] {
        0 if threshold.is_nan() => Err(at("split_conditions", id, "a number")),
        0 => Ok(Node {
            column,
            test: Test::Compare {
                comparison: Comparison::Below,
                threshold,
                missing_left: default_left,
            },
            left,
            right,
        }),
        // Here a category in the set goes left, so the branches change places.
        1 => Ok(Node {
            column,
            test: sets.test(id, !default_left)?,
            left: right,
            right: left,
        }),
        _ => Err(at("split_type", id, "0 or 1")),
    }
}

/// A node's entry in a list cannot stand there.
fn at(name: &str, node: u32, expected: &'static str) -> Refusal {
    Refusal::at_item(name, node as usize, FieldProblem::OutOfRange { expected })
}

fn shape(error: ShapeError) -> Refusal {
    Refusal::here(FieldProblem::Shape(error))
}
