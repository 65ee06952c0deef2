//! Class masks: trees of at most 64 leaves, by the leaves that the class of each column leaves possible.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use super::FindLeaves;
use super::sum::{NOTHING, Sum};
use crate::answers::Answers;
use crate::class_table::{ClassTable, LANES, Tiles, Word};
use crate::classes::Classes;
use crate::ensemble::Ensemble;
use crate::tree::{Child, Tree};

/// Trees of at most 32 leaves.
pub(super) type NarrowMasks = Masks<u32, 4>;
/// Trees of at most 64 leaves.
pub(super) type WideMasks = Masks<u64, 8>;

/// The compiled trees: a lane is a tree, a bit is a leaf. The leaves of `BLOCKS` blocks of trees are found before they
/// are added up: as many as are fastest, for narrow words those that stay in registers.
#[derive(Debug)]
pub(super) struct Masks<W: Word, const BLOCKS: usize> {
    tiles: Tiles<W, BLOCKS>,
    /// By tree, `Word::BITS` each.
    leaf_values: Vec<f64>,
}

impl<W: Word, const BLOCKS: usize> Masks<W, BLOCKS> {
    /// Leaf values of the trees of a tile.
    const VALUES: usize = BLOCKS * LANES * W::BITS;

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
        let tiles = Tiles::new(&table)?;
        let mut leaf_values = Vec::with_capacity(tiles.count() * Self::VALUES);
        for tree in trees {
            leaf_values.extend(&tree.leaf_values);
            leaf_values.resize(leaf_values.len().next_multiple_of(W::BITS), NOTHING);
        }
        leaf_values.resize(tiles.count() * Self::VALUES, NOTHING);
        Some(Self { tiles, leaf_values })
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

impl<W: Word, const BLOCKS: usize> FindLeaves for Masks<W, BLOCKS> {
    const SLICED_ROWS_MIN: usize = if W::BITS > 32 { 40 } else { 80 };

    #[inline(always)]
    fn add<S: Sum>(&self, classes: &[u16], sum: &mut S) {
        let mut tiles = self.leaf_values.chunks_exact(Self::VALUES);
        self.tiles.intersect(classes, |possible| {
            let values = tiles.next().unwrap_or_default().chunks_exact(W::BITS);
            for (leaves, values) in possible.as_flattened().iter().zip(values) {
                sum.add(S::value(values[leaves.first() % W::BITS]));
            }
        });
    }
}
