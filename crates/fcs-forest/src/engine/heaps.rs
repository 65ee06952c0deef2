//! Complete heaps: shallow trees whose tests are ordered splits, eight trees walked in step.
//!
//! Every tree is filled up to one depth, so that a walk is a fixed number of steps without a branch: the child of
//! heap position i is 2i (right) or 2i + 1 (left). The class of NaN is given twice, once below and once above every
//! other class, so that a missing value goes to either side by the same comparison.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use super::FindLeaves;
use super::sum::{LeafValues, NOTHING, Sum};
use crate::answers::{Answers, Split};
use crate::classes::{Classes, ColumnClasses};
use crate::ensemble::Ensemble;
use crate::tree::{Child, Tree};

/// Trees per block.
const TREES: usize = 8;
/// Deepest tree that is filled up.
const DEPTH_MAX: usize = 8;
/// Places of classes: two per column.
const PLACES: usize = 256;
/// Filling up may not make the trees larger than this many times their leaves.
const GROWTH_MAX: usize = 4;

/// A split as one number: the least class that goes right, and in the lowest byte the place of the class to compare
/// with it. Differences of classes stay far from the sign, and reading the sign keeps the compiler from branching.
type Node = u32;

/// A class as it is compared with nodes: above those of its own number, whatever their place.
#[inline(always)]
fn comparable(class: u32) -> u32 {
    class << 8 | 0xff
}

/// The compiled trees.
#[derive(Debug)]
pub(super) struct Heaps {
    depth: usize,
    /// By tree, 2^depth each; the root is number 1.
    nodes: Vec<Node>,
    /// By tree, 2^depth each.
    leaf_values: LeafValues,
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
        let node_count = trees.len().next_multiple_of(TREES) << depth;
        let missing = classes.columns().iter().map(ColumnClasses::missing);
        let mut heaps = Self {
            depth,
            nodes: vec![0; node_count],
            leaf_values: LeafValues::new(vec![NOTHING; node_count]),
            missing: missing.collect(),
        };
        for (index, tree) in trees.iter().enumerate() {
            heaps.add_tree(index, tree, classes, answers)?;
        }
        heaps.leaf_values.round_to(ensemble.summation.precision);
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
                    let first = position * width % (1 << self.depth);
                    self.leaf_values.doubles[start + first..][..width]
                        .fill(tree.leaf_values[leaf as usize]);
                }
                Child::Node(number) => {
                    let node = &tree.nodes[number as usize];
                    let slot = classes.slot(node.column);
                    let count = classes.columns()[slot].count();
                    let split = Split::of(answers.of(index, number as usize, count))?;
                    let place = u8::try_from(2 * slot + usize::from(!split.missing_left)).ok()?;
                    // Place 0 of a column counts its classes from 1, because NaN is 0 there.
                    let least_right = u32::from(split.split) + u32::from(split.missing_left);
                    self.nodes[start + position] = least_right << 8 | u32::from(place);
                    pending.push((node.left, 2 * position + 1, depth + 1));
                    pending.push((node.right, 2 * position, depth + 1));
                }
            }
        }
        Some(())
    }

    /// The class of each column with NaN below the others, and with NaN above them.
    #[inline(always)]
    fn places(&self, classes: &[u16]) -> [u32; PLACES] {
        let mut places = [0; PLACES];
        let pairs = places.as_chunks_mut::<2>().0;
        for ((class, missing), pair) in classes.iter().zip(&self.missing).zip(pairs) {
            let class = u32::from(*class);
            let below = if class == u32::from(*missing) {
                0
            } else {
                class + 1
            };
            *pair = [comparable(below), comparable(class)];
        }
        places
    }

    /// `SIZE` is 2^depth.
    #[inline(always)]
    fn add_blocks<const SIZE: usize, S: Sum>(&self, places: &[u32; PLACES], sum: &mut S) {
        let nodes = blocks::<_, SIZE>(&self.nodes);
        let values = blocks::<_, SIZE>(S::values(&self.leaf_values));
        for (nodes, values) in nodes.iter().zip(values) {
            let positions = walk(nodes, places);
            for (position, values) in positions.iter().zip(values) {
                sum.add(values[*position as usize % SIZE]);
            }
        }
    }
}

/// Blocks of trees.
#[inline(always)]
fn blocks<T, const SIZE: usize>(by_node: &[T]) -> &[[[T; SIZE]; TREES]] {
    by_node.as_chunks().0.as_chunks().0
}

/// Where a row arrives in each tree of a block.
#[inline(always)]
fn walk<const SIZE: usize>(nodes: &[[Node; SIZE]; TREES], places: &[u32; PLACES]) -> [u32; TREES] {
    let mut positions = [1_u32; TREES];
    for _ in 0..SIZE.trailing_zeros() {
        for (position, nodes) in positions.iter_mut().zip(nodes) {
            let node = nodes[*position as usize % SIZE];
            let [place, ..] = node.to_le_bytes();
            let goes_left = places[usize::from(place)].wrapping_sub(node) >> 31;
            *position = 2 * *position + goes_left;
        }
    }
    positions
}

impl FindLeaves for Heaps {
    const SLICED_ROWS_MIN: usize = 80;

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
