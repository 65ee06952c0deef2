//! Twigs: small subtrees at the ends of a tree, worked out beforehand for every way that a row can take in them.
//!
//! A row enters a twig with a product of the factors above it, and all that the twig adds is in proportion to that
//! product, point by point. So a table holds, for each combination of what the columns asked in the twig say about its
//! leaves, what one would find there by the rules of [`group`](super::group) for a product of 1: first the sum of the
//! leaves, then the part of each feature. It is small as long as the twig has few nodes, or asks few columns.

use std::array;

use super::super::grouping::{GroupPlan, Grouping};
use super::super::quadrature::{GaussLegendre, Rule};
use super::draft::Draft;
use super::group::UNMET;
use crate::tree::{Child, Tree};

/// Leaves of a twig. A single node is as soon worked out as looked up.
const LEAVES_MIN: usize = 3;
const LEAVES_MAX: usize = 32;

/// Bits of an index, which have a place in one word with those of other twigs.
const INDEX_BITS_MAX: u32 = 10;

/// A twig on its way into a group.
pub(super) struct Twig {
    /// The node whose subtree it is.
    pub(super) root: u32,
    /// Its leaves, the columns that matter to them, and the features that are asked in it.
    pub(super) plan: GroupPlan,
}

/// Looks for the twigs of a tree.
pub(super) struct TwigSearch<'a> {
    pub(super) grouping: Grouping<'a>,
    /// Points of the integrals.
    pub(super) points: usize,
    /// Bytes of a twig's table, at most.
    pub(super) table_bytes_max: usize,
}

/// What a child turns out to be.
enum Below {
    Leaf(u32),
    Twig(Twig),
    /// Too large for a twig. Those in it are known already.
    Parted,
}

impl TwigSearch<'_> {
    /// The twigs of the whole tree, which is not a single leaf.
    pub(super) fn twigs(&self) -> Vec<Twig> {
        let mut twigs = Vec::new();
        let root = self.grouping.tree.root();
        if let Below::Twig(twig) = self.below(root, &mut Vec::new(), &mut twigs) {
            twigs.push(twig);
        }
        twigs.retain(|twig| twig.plan.leaves.len() >= LEAVES_MIN);
        twigs
    }

    /// What is at a child. Its path is the nodes above it with the branch taken (true for left), and is the same again
    /// afterwards. Calls itself as deep as the tree is, at most [`DEPTH_MAX`](crate::limits::DEPTH_MAX).
    fn below(&self, child: Child, path: &mut Vec<(u32, bool)>, twigs: &mut Vec<Twig>) -> Below {
        let node = match child {
            Child::Leaf(leaf) => return Below::Leaf(leaf),
            Child::Node(node) => node,
        };
        let branches = &self.grouping.tree.nodes[node as usize];
        path.push((node, true));
        let left = self.below(branches.left, path, twigs);
        path.pop();
        path.push((node, false));
        let right = self.below(branches.right, path, twigs);
        path.pop();
        if let Some(twig) = self.joined([&left, &right], path, node) {
            return Below::Twig(twig);
        }
        for side in [left, right] {
            if let Below::Twig(twig) = side {
                twigs.push(twig);
            }
        }
        Below::Parted
    }

    /// The subtree of a node as one twig, if it is small enough.
    fn joined(&self, sides: [&Below; 2], path: &[(u32, bool)], node: u32) -> Option<Twig> {
        let mut leaves = Vec::new();
        for side in sides {
            match side {
                Below::Leaf(leaf) => leaves.push(*leaf),
                Below::Twig(twig) => leaves.extend(&twig.plan.leaves),
                Below::Parted => return None,
            }
        }
        if leaves.len() > LEAVES_MAX {
            return None;
        }
        let plan = self.grouping.plan_of_subtree(leaves, path, node);
        if plan.index_bits() > INDEX_BITS_MAX {
            return None;
        }
        let numbers = (entry_len(&plan) * self.points) << plan.index_bits();
        let is_small = numbers * size_of::<f64>() <= self.table_bytes_max;
        is_small.then_some(Twig { root: node, plan })
    }
}

/// Vectors of an entry.
pub(super) fn entry_len(plan: &GroupPlan) -> usize {
    1 + plan.players.len()
}

/// Works out the entries of a twig.
pub(super) struct TwigSolver<'a> {
    pub(super) tree: &'a Tree,
    pub(super) drafts: &'a [Draft],
    pub(super) twig: &'a Twig,
}

/// A row in a twig, which has an index.
struct Passage<const N: usize> {
    /// By player, the leaves that its columns allow.
    allowed: Vec<u64>,
    /// By player.
    values: Vec<[f64; N]>,
}

impl TwigSolver<'_> {
    /// The entries by index. Those of an index without meaning are zero.
    pub(super) fn entries<const N: usize>(&self) -> Vec<[f64; N]>
    where
        GaussLegendre: Rule<N>,
    {
        let plan = &self.twig.plan;
        let mut entries = vec![[0.0; N]; entry_len(plan) << plan.index_bits()];
        for (index, entry) in entries.chunks_exact_mut(entry_len(plan)).enumerate() {
            let Some(allowed) = self.allowed(index) else {
                continue;
            };
            let mut passage = Passage {
                values: vec![[0.0; N]; allowed.len()],
                allowed,
            };
            entry[0] = self.pass(self.twig.root, [1.0; N], &mut passage);
            entry[1..].copy_from_slice(&passage.values);
        }
        entries
    }

    /// By player, the leaves that an index allows.
    fn allowed(&self, index: usize) -> Option<Vec<u64>> {
        let plan = &self.twig.plan;
        let mut allowed = vec![u64::MAX; plan.players.len()];
        for field in &plan.fields {
            allowed[self.player(field.feature)] &= field.allowed(index)?;
        }
        Some(allowed)
    }

    /// The place of a feature that is asked in the twig.
    fn player(&self, feature: u32) -> usize {
        self.twig
            .plan
            .players
            .partition_point(|player| *player < feature)
    }

    /// The leaves at and below a child: a bit each.
    fn leaves_below(&self, child: Child) -> u64 {
        match child {
            Child::Leaf(leaf) => {
                let place = self
                    .twig
                    .plan
                    .leaves
                    .iter()
                    .position(|known| *known == leaf);
                place.map_or(0, |place| 1 << place)
            }
            Child::Node(node) => {
                let branches = &self.tree.nodes[node as usize];
                self.leaves_below(branches.left) | self.leaves_below(branches.right)
            }
        }
    }

    /// Goes down from a node with the product of the factors above it, and comes back with the sum of the leaves.
    fn pass<const N: usize>(&self, node: u32, above: [f64; N], passage: &mut Passage<N>) -> [f64; N]
    where
        GaussLegendre: Rule<N>,
    {
        let (branches, draft) = (&self.tree.nodes[node as usize], &self.drafts[node as usize]);
        let player = self.player(draft.feature);
        let children = [branches.left, branches.right];
        let allows = |child| self.leaves_below(child) & passage.allowed[player] != 0;
        let [left, right] = draft.factors();
        let (factors, variant) = match children.map(allows) {
            [true, _] => ([left, -1.0], 0),
            [false, true] => ([-1.0, right], 1),
            [false, false] => ([0.0; 2], UNMET),
        };
        let before = if variant == UNMET {
            0.0
        } else {
            draft.factor_before()
        };
        let points = GaussLegendre::POINTS;
        let inverse = points.map(|point| 1.0 / (1.0 + before * point));
        let [left, right] = array::from_fn(|side| {
            let factor = |k: usize| above[k] * inverse[k] * (1.0 + factors[side] * points[k]);
            match children[side] {
                Child::Leaf(leaf) => [draft.part_of_leaf(self.tree, leaf, side); N],
                Child::Node(child) => self.pass(child, array::from_fn(factor), passage),
            }
        });
        let changes = draft.changes()[usize::from(variant)];
        let value = &mut passage.values[player];
        *value = array::from_fn(|k| {
            let change = changes[0] * left[k] + changes[1] * right[k];
            value[k] + above[k] * inverse[k] * inverse[k] * change
        });
        array::from_fn(|k| {
            let term = factors[0] * left[k] + factors[1] * right[k];
            inverse[k] * ((left[k] + right[k]) + points[k] * term)
        })
    }
}
