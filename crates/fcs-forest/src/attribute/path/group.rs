//! Some trees whose nodes are worked through level by level, so that the same instructions serve many nodes in a row.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use std::array;
use std::collections::HashMap;
use std::ops::Range;

use super::super::quadrature::{GaussLegendre, Rule};
use super::draft::{Draft, drafts_of};
use super::share;
use crate::limits::LEAVES_PER_TREE_MAX;
use crate::model::Model;
use crate::tree::{Child, Tree};

/// Nodes of a group, unless a single tree has more: their state then stays in the nearest cache.
pub(super) const NODES_PER_BLOCK: usize = 256;

/// Places for such a group: an inner node has one leaf at most.
pub(super) const NEAR_PLACES: usize = 2 * NODES_PER_BLOCK;

/// Places for a tree of any size.
pub(super) const FAR_PLACES: usize = 2 * LEAVES_PER_TREE_MAX;

/// The variant of a node whose feature was not met above it.
const UNMET: u8 = 2;

/// The trees of a group. *Inner* nodes have a node below them and come first, by level, and within a level first
/// those whose feature is new on their path. *Bottom* nodes have two leaves and need no order among levels. The leaves
/// of inner nodes are numbered after all nodes.
#[derive(Debug)]
pub(super) struct Group<const N: usize> {
    roots: Vec<u32>,
    nodes: Vec<Node>,
    /// The inner nodes: level by level those whose feature is new on their path, and those where it came up before.
    runs: Vec<(Range<usize>, Kind)>,
    /// The bottom nodes, likewise.
    bottom_runs: Vec<(Range<usize>, Kind)>,
    /// Of the nodes whose feature came up before, in their order.
    repeats: Vec<Repeat<N>>,
    /// Values of the leaves of inner nodes, times the part of the training data that they hold.
    leaves: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    New,
    /// With the first of them in `repeats`.
    Repeated(usize),
}

#[derive(Debug)]
struct Node {
    feature: u32,
    /// Numbers of the children; of an inner node only.
    children: [u32; 2],
    /// Values of the leaves, as in [`Group::leaves`]; of a bottom node only.
    leaves: [f64; 2],
    /// The e of the factor towards the left and the right child, when the row goes left and when it goes right.
    factors: [[f64; 2]; 2],
}

/// A node whose feature came up before on its path.
#[derive(Debug)]
struct Repeat<const N: usize> {
    /// The nearest node above with the same feature.
    above: u32,
    /// 0 when this node is in its left branch, 1 in its right.
    side: u8,
    /// What the feature's value changes by towards each child, by variant.
    changes: [[f64; 2]; 3],
    /// One divided by the feature's factor so far, when it is met.
    inverse: [f64; N],
}

/// State of one group after the other, used again for each row. There are `PLACES` places, a power of two that no
/// number of a node or leaf reaches, so that a masked number needs no check.
pub(super) struct Scratch<const N: usize, const PLACES: usize> {
    /// A bit per node.
    pub(super) goes_left: Vec<[u32; 8]>,
    /// By feature.
    pub(super) values: Vec<[f64; N]>,
    /// By node: the product of the factors above it. Nobody looks at the places of leaves.
    above: Box<[[f64; N]; PLACES]>,
    /// By node and leaf: the sum of the leaves below with the factors below.
    below: Box<[[f64; N]; PLACES]>,
    /// By node: 0 when the row goes left, 1 when it goes right, [`UNMET`] when the feature is not met above it.
    variants: Box<[u8; PLACES]>,
}

impl<const N: usize, const PLACES: usize> Scratch<N, PLACES> {
    pub(super) fn new(feature_count: usize) -> Self {
        Self {
            goes_left: Vec::new(),
            values: vec![[0.0; N]; feature_count],
            above: filled([0.0; N]),
            below: filled([0.0; N]),
            variants: filled(0),
        }
    }
}

/// An array on the heap that never was on the stack.
#[expect(
    clippy::unnecessary_box_returns,
    reason = "it is too large to be moved"
)]
fn filled<T: Copy, const PLACES: usize>(value: T) -> Box<[T; PLACES]> {
    let slice = vec![value; PLACES].into_boxed_slice();
    let array = Box::<[T; PLACES]>::try_from(slice);
    array.map_err(drop).expect("the slice has this many places")
}

/// The number in its group of each tree's nodes.
type Positions = HashMap<(usize, u32), u32>;

impl<const N: usize> Group<N>
where
    GaussLegendre: Rule<N>,
{
    /// Puts some trees together; also the tree and node of each of the group's nodes.
    pub(super) fn new(
        model: &Model,
        trees: &[Tree],
        members: &[usize],
    ) -> (Self, Vec<(usize, u32)>) {
        let mut drafts: Vec<Draft> = Vec::new();
        for &index in members {
            drafts.extend(drafts_of(model, &trees[index], index));
        }
        drafts.sort_by_key(Draft::run);
        let order: Vec<(usize, u32)> = drafts
            .iter()
            .map(|draft| (draft.tree, draft.node))
            .collect();
        let positions: Positions = (0..)
            .zip(&order)
            .map(|(position, node)| (*node, position))
            .collect();
        let mut group = Self {
            roots: members.iter().map(|tree| positions[&(*tree, 0)]).collect(),
            nodes: Vec::with_capacity(drafts.len()),
            runs: Vec::new(),
            bottom_runs: Vec::new(),
            repeats: Vec::new(),
            leaves: Vec::new(),
        };
        for chunk in drafts.chunk_by(|one, other| one.run() == other.run()) {
            let kind = match chunk[0].above {
                None => Kind::New,
                Some(_) => Kind::Repeated(group.repeats.len()),
            };
            let first = group.nodes.len();
            let runs = if chunk[0].is_bottom {
                &mut group.bottom_runs
            } else {
                &mut group.runs
            };
            runs.push((first..first + chunk.len(), kind));
            for draft in chunk {
                group.add_node(model, &trees[draft.tree], draft, &positions);
            }
        }
        (group, order)
    }

    fn add_node(&mut self, model: &Model, tree: &Tree, draft: &Draft, positions: &Positions) {
        let node = &tree.nodes[draft.node as usize];
        let shares = [node.left, node.right].map(|child| share(tree, draft.node, child));
        let mut children = [0; 2];
        let mut leaves = [0.0; 2];
        for (side, child) in [node.left, node.right].into_iter().enumerate() {
            match child {
                Child::Node(child) => children[side] = positions[&(draft.tree, child)],
                Child::Leaf(leaf) => {
                    let share_of_all = draft.share_of_all * shares[side];
                    leaves[side] = tree.leaf_values[leaf as usize] * share_of_all;
                    if !draft.is_bottom {
                        children[side] = number(positions.len() + self.leaves.len());
                        self.leaves.push(leaves[side]);
                    }
                }
            }
        }
        let [left, right] = shares.map(|share| draft.inverse_share / share - 1.0);
        self.nodes.push(Node {
            feature: model.parts().front.feature_of(node.column),
            children,
            leaves,
            factors: [[left, -1.0], [-1.0, right]],
        });
        if let Some((above, side)) = draft.above {
            let before = draft.inverse_share - 1.0;
            let unmet = -draft.inverse_share;
            self.repeats.push(Repeat {
                above: positions[&(draft.tree, above)],
                side,
                changes: [[left - before, unmet], [unmet, right - before], [0.0; 2]],
                inverse: GaussLegendre::POINTS.map(|point| 1.0 / (1.0 + before * point)),
            });
        }
    }

    /// Numbers of nodes and leaves.
    pub(super) fn place_count(&self) -> usize {
        self.nodes.len() + self.leaves.len()
    }

    /// Blocks of the table that hold the group's nodes.
    pub(super) fn block_count(&self) -> usize {
        self.nodes.len().div_ceil(NODES_PER_BLOCK)
    }

    /// Adds the group's part to the values of the features, for the row whose branches are in `goes_left`.
    #[inline(always)]
    pub(super) fn add<const PLACES: usize>(&self, scratch: &mut Scratch<N, PLACES>) {
        for root in &self.roots {
            scratch.above[*root as usize % PLACES] = GaussLegendre::WEIGHTS;
        }
        for (run, kind) in &self.runs {
            match kind {
                Kind::New => self.down_new(run.clone(), scratch),
                Kind::Repeated(first) => self.down_repeated(run.clone(), *first, scratch),
            }
        }
        for (below, value) in scratch.below[self.nodes.len()..]
            .iter_mut()
            .zip(&self.leaves)
        {
            *below = [*value; N];
        }
        for (run, kind) in &self.bottom_runs {
            match kind {
                Kind::New => self.bottom_new(run.clone(), scratch),
                Kind::Repeated(first) => self.bottom_repeated(run.clone(), *first, scratch),
            }
        }
        for (run, kind) in self.runs.iter().rev() {
            match kind {
                Kind::New => self.up_new(run.clone(), scratch),
                Kind::Repeated(first) => self.up_repeated(run.clone(), *first, scratch),
            }
        }
    }

    #[inline(always)]
    fn down_new<const PLACES: usize>(&self, run: Range<usize>, scratch: &mut Scratch<N, PLACES>) {
        for (at, node) in run.clone().zip(&self.nodes[run]) {
            let variant = goes_right(&scratch.goes_left, at);
            scratch.variants[at % PLACES] = variant;
            let above = scratch.above[at % PLACES];
            scratch.pass_down(node, above, node.factors[usize::from(variant & 1)]);
        }
    }

    #[inline(always)]
    fn down_repeated<const PLACES: usize>(
        &self,
        run: Range<usize>,
        first: usize,
        scratch: &mut Scratch<N, PLACES>,
    ) {
        let nodes = run
            .clone()
            .zip(&self.nodes[run])
            .zip(&self.repeats[first..]);
        for ((at, node), repeat) in nodes {
            let met = scratch.variants[repeat.above as usize % PLACES] == repeat.side;
            let right = goes_right(&scratch.goes_left, at);
            let variant = if met { right } else { UNMET };
            scratch.variants[at % PLACES] = variant;
            let (factors, inverse) = repeat.state(node, variant);
            let above = scratch.above[at % PLACES];
            let above = array::from_fn(|k| above[k] * inverse[k]);
            scratch.pass_down(node, above, factors);
        }
    }

    #[inline(always)]
    fn bottom_new<const PLACES: usize>(&self, run: Range<usize>, scratch: &mut Scratch<N, PLACES>) {
        for (at, node) in run.clone().zip(&self.nodes[run]) {
            let factors = node.factors[usize::from(goes_right(&scratch.goes_left, at) & 1)];
            let [left, right] = node.leaves;
            let term = factors[0] * left + factors[1] * right;
            let above = scratch.above[at % PLACES];
            scratch.add_value(node, above.map(|above| above * term));
            scratch.below[at % PLACES] =
                GaussLegendre::POINTS.map(|point| (left + right) + point * term);
        }
    }

    #[inline(always)]
    fn bottom_repeated<const PLACES: usize>(
        &self,
        run: Range<usize>,
        first: usize,
        scratch: &mut Scratch<N, PLACES>,
    ) {
        let nodes = run
            .clone()
            .zip(&self.nodes[run])
            .zip(&self.repeats[first..]);
        for ((at, node), repeat) in nodes {
            let met = scratch.variants[repeat.above as usize % PLACES] == repeat.side;
            let right = goes_right(&scratch.goes_left, at);
            let variant = if met { right } else { UNMET };
            let (factors, inverse) = repeat.state(node, variant);
            let changes = repeat.changes[usize::from(variant.min(UNMET))];
            let [left, right] = node.leaves;
            let term = factors[0] * left + factors[1] * right;
            let change = changes[0] * left + changes[1] * right;
            let above = scratch.above[at % PLACES];
            let scale: [f64; N] = array::from_fn(|k| above[k] * inverse[k] * inverse[k]);
            scratch.add_value(node, scale.map(|scale| scale * change));
            scratch.below[at % PLACES] =
                array::from_fn(|k| inverse[k] * ((left + right) + GaussLegendre::POINTS[k] * term));
        }
    }

    #[inline(always)]
    fn up_new<const PLACES: usize>(&self, run: Range<usize>, scratch: &mut Scratch<N, PLACES>) {
        for (at, node) in run.clone().zip(&self.nodes[run]) {
            let factors = node.factors[usize::from(scratch.variants[at % PLACES] & 1)];
            let [left, right] = node
                .children
                .map(|child| scratch.below[child as usize % PLACES]);
            let term: [f64; N] = array::from_fn(|k| factors[0] * left[k] + factors[1] * right[k]);
            let above = scratch.above[at % PLACES];
            scratch.add_value(node, array::from_fn(|k| above[k] * term[k]));
            scratch.below[at % PLACES] =
                array::from_fn(|k| (left[k] + right[k]) + GaussLegendre::POINTS[k] * term[k]);
        }
    }

    #[inline(always)]
    fn up_repeated<const PLACES: usize>(
        &self,
        run: Range<usize>,
        first: usize,
        scratch: &mut Scratch<N, PLACES>,
    ) {
        let nodes = run
            .clone()
            .zip(&self.nodes[run])
            .zip(&self.repeats[first..]);
        for ((at, node), repeat) in nodes {
            let variant = scratch.variants[at % PLACES];
            let (factors, inverse) = repeat.state(node, variant);
            let changes = repeat.changes[usize::from(variant.min(UNMET))];
            let [left, right] = node
                .children
                .map(|child| scratch.below[child as usize % PLACES]);
            let term: [f64; N] = array::from_fn(|k| factors[0] * left[k] + factors[1] * right[k]);
            let change: [f64; N] = array::from_fn(|k| changes[0] * left[k] + changes[1] * right[k]);
            let above = scratch.above[at % PLACES];
            let scale: [f64; N] = array::from_fn(|k| above[k] * inverse[k] * inverse[k]);
            scratch.add_value(node, array::from_fn(|k| scale[k] * change[k]));
            let sum: [f64; N] =
                array::from_fn(|k| (left[k] + right[k]) + GaussLegendre::POINTS[k] * term[k]);
            scratch.below[at % PLACES] = array::from_fn(|k| inverse[k] * sum[k]);
        }
    }
}

impl<const N: usize> Repeat<N> {
    /// The factors towards the children, and what the product above is multiplied with.
    #[inline(always)]
    fn state(&self, node: &Node, variant: u8) -> ([f64; 2], [f64; N]) {
        match variant {
            UNMET => ([0.0; 2], [1.0; N]),
            right => (node.factors[usize::from(right & 1)], self.inverse),
        }
    }
}

impl<const N: usize, const PLACES: usize> Scratch<N, PLACES>
where
    GaussLegendre: Rule<N>,
{
    /// Multiplies the product above a node with the factor towards each child.
    #[inline(always)]
    fn pass_down(&mut self, node: &Node, above: [f64; N], factors: [f64; 2]) {
        let step: [f64; N] = array::from_fn(|k| above[k] * GaussLegendre::POINTS[k]);
        for (child, factor) in node.children.iter().zip(factors) {
            self.above[*child as usize % PLACES] = array::from_fn(|k| above[k] + factor * step[k]);
        }
    }

    #[inline(always)]
    fn add_value(&mut self, node: &Node, added: [f64; N]) {
        let value = &mut self.values[node.feature as usize];
        *value = array::from_fn(|k| value[k] + added[k]);
    }
}

/// 1 when the row goes right at a node, else 0.
#[inline(always)]
fn goes_right(goes_left: &[[u32; 8]], node: usize) -> u8 {
    let word = goes_left.as_flattened()[node / 32];
    u8::from((word >> (node % 32)) & 1 == 0)
}

fn number(position: usize) -> u32 {
    u32::try_from(position).expect("a group has fewer nodes and leaves than 2^32")
}
