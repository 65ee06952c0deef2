//! Complete heaps: shallow trees whose tests are ordered splits, sixteen trees walked in step.
//!
//! Every tree is filled up to one depth, so that a walk is a fixed number of steps without a branch: the child of
//! heap position i is 2i or 2i + 1. The class of NaN is given twice, once below and once above every other class, so
//! that a missing value goes to either side by the same comparison.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use super::FindLeaves;
use super::sum::Sum;
use crate::answers::{Answers, Split};
use crate::classes::{Classes, ColumnClasses};
use crate::ensemble::Ensemble;
use crate::tree::{Child, Tree};

/// Trees per block.
const TREES: usize = 16;
/// Deepest tree that is filled up.
const DEPTH_MAX: usize = 8;
/// Places of classes: two per column.
const PLACES: usize = 256;
/// Filling up may not make the trees larger than this many times their leaves.
const GROWTH_MAX: usize = 4;

/// A split: right when the class in `place` is at least `split`.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    place: u8,
    split: u16,
}

/// The compiled trees.
#[derive(Debug)]
pub(super) struct Heaps {
    depth: usize,
    tree_count: usize,
    /// By tree, 2^depth each; the root is number 1.
    nodes: Vec<Node>,
    /// By tree, 2^depth each.
    leaf_values: Vec<f64>,
    /// The class of NaN, by column.
    missing: Vec<u16>,
}

impl Heaps {
    /// Compiles trees; `None` when one of them is too deep, has a set, or would grow too much.
    pub(super) fn new(ensemble: &Ensemble, classes: &Classes, answers: &Answers) -> Option<Self> {
        let trees = &ensemble.trees;
        let depth = trees.iter().map(Tree::depth).max()?.max(1);
        let leaf_count: usize = trees.iter().map(|tree| tree.leaf_values.len()).sum();
        if depth > DEPTH_MAX
            || classes.columns().len() > PLACES / 2
            || trees.len() << depth > leaf_count * GROWTH_MAX
        {
            return None;
        }
        let mut heaps = Self {
            depth,
            tree_count: trees.len(),
            nodes: vec![Node::default(); trees.len().next_multiple_of(TREES) << depth],
            leaf_values: vec![0.0; trees.len().next_multiple_of(TREES) << depth],
            missing: classes
                .columns()
                .iter()
                .map(ColumnClasses::missing)
                .collect(),
        };
        for (index, tree) in trees.iter().enumerate() {
            heaps.add_tree(index, tree, classes, answers)?;
        }
        Some(heaps)
    }

    fn add_tree(
        &mut self,
        index: usize,
        tree: &Tree,
        classes: &Classes,
        answers: &Answers,
    ) -> Option<()> {
        let start = index << self.depth;
        let mut pending = vec![(tree.root(), 1_usize, 0_usize)];
        while let Some((child, position, depth)) = pending.pop() {
            match child {
                Child::Leaf(leaf) => {
                    // A leaf above the bottom owns everything that would hang below it.
                    let width = 1 << (self.depth - depth);
                    let first = position * width - (1 << self.depth);
                    self.leaf_values[start + first..][..width]
                        .fill(tree.leaf_values[leaf as usize]);
                }
                Child::Node(number) => {
                    let node = &tree.nodes[number as usize];
                    let slot = classes.slot(node.column);
                    let count = classes.columns()[slot].count();
                    let split = Split::of(answers.of(index, number as usize, count))?;
                    self.nodes[start + position] = Node {
                        place: u8::try_from(2 * slot + usize::from(!split.missing_left)).ok()?,
                        // Place 0 of a column counts its classes from 1, because NaN is 0 there.
                        split: split.split.checked_add(u16::from(split.missing_left))?,
                    };
                    pending.push((node.left, 2 * position, depth + 1));
                    pending.push((node.right, 2 * position + 1, depth + 1));
                }
            }
        }
        Some(())
    }

    /// The class of each column with NaN below the others, and with NaN above them.
    #[inline(always)]
    fn places(&self, classes: &[u16]) -> [u16; PLACES] {
        let mut places = [0; PLACES];
        let pairs = places.as_chunks_mut::<2>().0;
        for ((class, missing), pair) in classes.iter().zip(&self.missing).zip(pairs) {
            *pair = [if class == missing { 0 } else { class + 1 }, *class];
        }
        places
    }

    /// `SIZE` is 2^depth.
    #[inline(always)]
    fn add_blocks<const SIZE: usize, S: Sum>(&self, places: &[u16; PLACES], sum: &mut S) {
        let nodes = self.nodes.as_chunks::<SIZE>().0.as_chunks::<TREES>().0;
        let values = self
            .leaf_values
            .as_chunks::<SIZE>()
            .0
            .as_chunks::<TREES>()
            .0;
        let mut left = self.tree_count;
        for (nodes, values) in nodes.iter().zip(values) {
            let positions = walk(nodes, places);
            for (position, values) in positions.iter().zip(values).take(left) {
                sum.add(S::value(values[*position % SIZE]));
            }
            left = left.saturating_sub(TREES);
        }
    }
}

/// Where a row arrives in each tree of a block.
#[inline(always)]
fn walk<const SIZE: usize>(
    nodes: &[[Node; SIZE]; TREES],
    places: &[u16; PLACES],
) -> [usize; TREES] {
    let mut positions = [1_usize; TREES];
    for _ in 0..SIZE.trailing_zeros() {
        for (position, nodes) in positions.iter_mut().zip(nodes) {
            let node = nodes[*position % SIZE];
            let place = u32::from(places[usize::from(node.place)]);
            // Comparing by the sign of a difference keeps the compiler from branching.
            let left = place.wrapping_sub(u32::from(node.split)) >> 31;
            *position = 2 * *position + 1 - left as usize;
        }
    }
    positions
}

impl FindLeaves for Heaps {
    #[inline(always)]
    fn add<S: Sum>(&self, classes: &[u16], sum: &mut S) {
        let places = self.places(classes);
        match self.depth {
            1 => self.add_blocks::<2, S>(&places, sum),
            2 => self.add_blocks::<4, S>(&places, sum),
            3 => self.add_blocks::<8, S>(&places, sum),
            4 => self.add_blocks::<16, S>(&places, sum),
            5 => self.add_blocks::<32, S>(&places, sum),
            6 => self.add_blocks::<64, S>(&places, sum),
            7 => self.add_blocks::<128, S>(&places, sum),
            _ => self.add_blocks::<256, S>(&places, sum),
        }
    }
}
