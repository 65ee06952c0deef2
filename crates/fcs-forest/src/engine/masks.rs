//! Class masks: trees of at most 64 leaves, by the leaves that the class of each column leaves possible.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use super::FindLeaves;
use super::sum::Sum;
use crate::answers::Answers;
use crate::class_table::{ClassTable, LANES, Word};
use crate::classes::Classes;
use crate::ensemble::Ensemble;
use crate::tree::{Child, Tree};

/// Blocks of trees whose leaves are found before they are added up.
const BLOCKS_AT_ONCE: usize = 16;

/// The compiled trees: a lane is a tree, a bit is a leaf.
#[derive(Debug)]
pub(super) struct Masks<W> {
    tree_count: usize,
    table: ClassTable<W, u8>,
    /// By tree, `Word::BITS` each.
    leaf_values: Vec<f64>,
}

impl<W: Word> Masks<W> {
    /// Compiles trees of at most `Word::BITS` leaves; `None` when they do not suit a [`ClassTable`].
    pub(super) fn new(ensemble: &Ensemble, classes: &Classes, answers: &Answers) -> Option<Self> {
        let trees = &ensemble.trees;
        let subtrees: Vec<Vec<(W, W)>> = trees.iter().map(subtree_leaves).collect();
        let table = ClassTable::new(
            classes,
            trees.len(),
            |tree| {
                let nodes = trees[tree].nodes.iter();
                nodes.map(|node| classes.slot(node.column)).collect()
            },
            |slot, tree, words: &mut [W]| {
                let column = classes.columns()[slot].column();
                for (node, (left, right)) in subtrees[tree].iter().enumerate() {
                    if trees[tree].nodes[node].column == column {
                        let answers = answers.of(tree, node, words.len());
                        for (word, goes_left) in words.iter_mut().zip(answers) {
                            *word &= !if *goes_left { *right } else { *left };
                        }
                    }
                }
            },
        )?;
        let mut leaf_values = Vec::with_capacity(trees.len() * W::BITS);
        for tree in trees {
            leaf_values.extend(&tree.leaf_values);
            leaf_values.resize(leaf_values.len().next_multiple_of(W::BITS), 0.0);
        }
        Some(Self {
            tree_count: trees.len(),
            table,
            leaf_values,
        })
    }
}

/// Of each node, the leaves under its left and its right branch.
fn subtree_leaves<W: Word>(tree: &Tree) -> Vec<(W, W)> {
    let mut leaves = vec![(W::NONE, W::NONE); tree.nodes.len()];
    for node in tree.children_first() {
        let under = |child| match child {
            Child::Leaf(leaf) => W::of(leaf as usize),
            Child::Node(node) => {
                let (left, right): (W, W) = leaves[node as usize];
                left | right
            }
        };
        let branches = &tree.nodes[node as usize];
        leaves[node as usize] = (under(branches.left), under(branches.right));
    }
    leaves
}

impl<W: Word> FindLeaves for Masks<W> {
    #[inline(always)]
    fn add<S: Sum>(&self, classes: &[u16], sum: &mut S) {
        let mut block = 0;
        while block < self.table.block_count() {
            let count = BLOCKS_AT_ONCE.min(self.table.block_count() - block);
            let trees = (self.tree_count - block * LANES).min(count * LANES);
            let values = &self.leaf_values[block * LANES * W::BITS..][..trees * W::BITS];
            let mut possible = [[W::ALL; LANES]; BLOCKS_AT_ONCE];
            self.table.intersect(classes, block, &mut possible[..count]);
            let values = values.chunks_exact(W::BITS);
            for (leaves, values) in possible.as_flattened().iter().zip(values) {
                sum.add(S::value(values[leaves.first() % W::BITS]));
            }
            block += count;
        }
    }
}
