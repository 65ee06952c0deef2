//! Class masks: which leaves a class leaves possible.
//!
//! For every column and class, each tree has a bit set of the leaves whose conditions on that column the class meets.
//! The intersection over the columns is the leaf that the row reaches. Nothing branches on the data, so that the time
//! does not depend on the row. (QuickScorer, Lucchese et al., SIGIR 2015, with all nodes of a column merged per class.)
//!
//! Eight trees form a block, and the masks of a class for a block form a row of the table. A column has few distinct
//! rows per block, one more than it has nodes there at most; classes refer to them by number.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::BitAndAssign;

use super::FindLeaves;
use super::answers::Answers;
use super::sum::Sum;
use crate::classes::Classes;
use crate::ensemble::Ensemble;
use crate::tree::{Child, Tree};

/// Trees per block.
const TREES: usize = 8;
/// Blocks whose masks are intersected before their leaves are added up.
const BLOCKS_AT_ONCE: usize = 16;

/// A set of leaves of one tree.
pub(super) trait LeafSet: Copy + Eq + Hash + BitAndAssign + From<u32> {
    /// Every leaf.
    const ALL: Self;
    /// Leaves that fit.
    const CAPACITY: usize;

    /// The set of one leaf.
    fn of(leaf: usize) -> Self;

    /// Everything that is not in the set.
    fn others(self) -> Self;

    /// The least leaf.
    fn first(self) -> usize;

    /// With the leaves of another set.
    fn with(self, other: Self) -> Self;
}

macro_rules! leaf_set {
    ($word:ty) => {
        impl LeafSet for $word {
            const ALL: Self = <$word>::MAX;
            const CAPACITY: usize = <$word>::BITS as usize;

            fn of(leaf: usize) -> Self {
                1 << leaf
            }

            fn others(self) -> Self {
                !self
            }

            #[inline(always)]
            fn first(self) -> usize {
                self.trailing_zeros() as usize
            }

            fn with(self, other: Self) -> Self {
                self | other
            }
        }
    };
}

leaf_set!(u32);
leaf_set!(u64);

/// The compiled trees.
#[derive(Debug)]
pub(super) struct Masks<W> {
    tree_count: usize,
    block_count: usize,
    /// By column and class, the number of the row for each block.
    row_numbers: Vec<u8>,
    /// Of each column, where its first class starts in `row_numbers`.
    class_starts: Vec<usize>,
    /// By column and block, the first of its rows.
    first_rows: Vec<u32>,
    rows: Vec<[W; TREES]>,
    /// By tree, `LeafSet::CAPACITY` each.
    leaf_values: Vec<f64>,
}

impl<W: LeafSet> Masks<W> {
    /// Compiles trees of at most `LeafSet::CAPACITY` leaves; `None` when a column has more than 256 distinct rows in
    /// a block.
    pub(super) fn new(ensemble: &Ensemble, classes: &Classes, tests: &Answers) -> Option<Self> {
        let trees = &ensemble.trees;
        let block_count = trees.len().div_ceil(TREES);
        let mut class_starts = Vec::with_capacity(classes.columns().len());
        let mut class_count = 0;
        for column in classes.columns() {
            class_starts.push(class_count * block_count);
            class_count += column.count();
        }
        let mut masks = Self {
            tree_count: trees.len(),
            block_count,
            row_numbers: vec![0; class_count * block_count],
            class_starts,
            first_rows: vec![0; classes.columns().len() * block_count],
            rows: Vec::new(),
            leaf_values: Vec::with_capacity(trees.len() * W::CAPACITY),
        };
        for block in 0..block_count {
            masks.add_block(block, trees, classes, tests)?;
        }
        for tree in trees {
            masks.leaf_values.extend(&tree.leaf_values);
            masks
                .leaf_values
                .resize(masks.leaf_values.len().next_multiple_of(W::CAPACITY), 0.0);
        }
        Some(masks)
    }

    fn add_block(
        &mut self,
        block: usize,
        trees: &[Tree],
        classes: &Classes,
        tests: &Answers,
    ) -> Option<()> {
        let first_tree = block * TREES;
        let in_block = &trees[first_tree..trees.len().min(first_tree + TREES)];
        let subtrees: Vec<Vec<(W, W)>> = in_block.iter().map(subtree_leaves).collect();
        for (slot, column) in classes.columns().iter().enumerate() {
            let mut table = vec![[W::ALL; TREES]; column.count()];
            for (position, tree) in in_block.iter().enumerate() {
                for (index, node) in tree.nodes.iter().enumerate() {
                    if node.column != column.column() {
                        continue;
                    }
                    let (left, right) = subtrees[position][index];
                    let answers = tests.answers(first_tree + position, index, column.count());
                    for (masks, goes_left) in table.iter_mut().zip(answers) {
                        masks[position] &= if *goes_left { right } else { left }.others();
                    }
                }
            }
            self.add_rows(block, slot, &table)?;
        }
        Some(())
    }

    /// Stores the distinct rows of a column in a block, and which class has which.
    fn add_rows(&mut self, block: usize, slot: usize, table: &[[W; TREES]]) -> Option<()> {
        let first = self.rows.len();
        self.first_rows[slot * self.block_count + block] = u32::try_from(first).ok()?;
        let mut numbers = HashMap::new();
        for (class, masks) in table.iter().enumerate() {
            let next = self.rows.len() - first;
            let number = *numbers.entry(*masks).or_insert(next);
            if number == next {
                self.rows.push(*masks);
            }
            let at = self.class_starts[slot] + class * self.block_count + block;
            self.row_numbers[at] = u8::try_from(number).ok()?;
        }
        Some(())
    }
}

/// Of each node, the leaves under its left and its right branch.
fn subtree_leaves<W: LeafSet>(tree: &Tree) -> Vec<(W, W)> {
    let none = W::from(0);
    let mut leaves = vec![(none, none); tree.nodes.len()];
    for node in tree.children_first() {
        let under = |child| match child {
            Child::Leaf(leaf) => W::of(leaf as usize),
            Child::Node(node) => {
                let (left, right): (W, W) = leaves[node as usize];
                left.with(right)
            }
        };
        let branches = &tree.nodes[node as usize];
        leaves[node as usize] = (under(branches.left), under(branches.right));
    }
    leaves
}

impl<W: LeafSet> FindLeaves for Masks<W> {
    #[inline(always)]
    fn add<S: Sum>(&self, classes: &[u16], sum: &mut S) {
        let mut values = self.leaf_values.chunks_exact(W::CAPACITY);
        let mut block = 0;
        while block < self.block_count {
            let count = BLOCKS_AT_ONCE.min(self.block_count - block);
            let mut possible = [[W::ALL; TREES]; BLOCKS_AT_ONCE];
            for (slot, class) in classes.iter().enumerate() {
                let numbers =
                    self.class_starts[slot] + usize::from(*class) * self.block_count + block;
                let numbers = &self.row_numbers[numbers..][..count];
                let firsts = &self.first_rows[slot * self.block_count + block..][..count];
                for ((possible, number), first) in possible.iter_mut().zip(numbers).zip(firsts) {
                    let masks = &self.rows[*first as usize + usize::from(*number)];
                    for (possible, mask) in possible.iter_mut().zip(masks) {
                        *possible &= *mask;
                    }
                }
            }
            let trees = (self.tree_count - block * TREES).min(count * TREES);
            for (possible, values) in possible.as_flattened()[..trees].iter().zip(&mut values) {
                sum.add(values[possible.first() % W::CAPACITY]);
            }
            block += count;
        }
    }
}
