//! Bit slices: many rows at once, of which each is one bit of a word.
//!
//! Every different test of the ensemble is decided once for a block of rows; most trees share their tests with
//! others. Then a node splits the rows that reach it by two operations, whatever its rows do. Leaves are numbered so
//! that each split, when it goes right, flips few bits of the number of the leaf where a row has been heading, and
//! the rows' leaf numbers come out as slices too. (Words across rows are those of QuickScorer's successors for many
//! documents, RapidScorer, Ye et al., KDD 2018; the numbering is our own.)

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

mod decisions;

use std::array;

use super::sum::{NOTHING, Sum};
use crate::answers::Answers;
use crate::classes::Classes;
use crate::ensemble::Ensemble;
use crate::tree::{Child, Tree};
use decisions::{Decisions, Numbering};

/// Rows of a block.
pub(super) const ROWS: usize = 256;
/// Bits of the number of a leaf.
const PLANES: usize = 8;
/// Most leaves of a tree.
const LEAVES_MAX: usize = 1 << PLANES;
/// Trees whose leaves are found before they are added up.
const TREES: usize = 8;

/// A bit per row of a block.
type Mask = [u64; ROWS / 64];

const NO_ROW: Mask = [0; ROWS / 64];
const EVERY_ROW: Mask = [u64::MAX; ROWS / 64];

/// Bytes of a mask: the rows of a block are dealt out to them in turn, so that each takes its rows' leaf numbers from
/// the same bit of all of them.
const BYTES: usize = ROWS / 8;

/// The leaf numbers of a block of rows.
type Labels = [[u8; BYTES]; ROWS / BYTES];

/// The rows that go left and right at each node, and at [`ROOT`] those that come from nowhere.
type Reached = [[Mask; 2]; LEAVES_MAX];

/// Where the root's rows come from: no tree has so many nodes.
const ROOT: Reach = Reach {
    node: u8::MAX,
    right: true,
};

/// A branch of a node.
#[derive(Debug, Clone, Copy)]
struct Reach {
    node: u8,
    right: bool,
}

/// The word and the bit of a row.
#[inline(always)]
fn row_place(row: usize) -> (usize, usize) {
    let (byte, bit) = (row % BYTES, row / BYTES);
    (byte / 8, byte % 8 * 8 + bit)
}

/// The compiled trees.
#[derive(Debug)]
pub(super) struct Slices {
    decisions: Decisions,
    trees: Vec<SlicedTree>,
}

#[derive(Debug)]
struct SlicedTree {
    /// Parents first: the number of the test, and which branch of which node leads here.
    nodes: Vec<(u32, Reach)>,
    /// Of each bit of the leaf number, the nodes whose right branch flips it.
    flips: [Vec<u8>; PLANES],
    /// By leaf number.
    leaf_values: Vec<f64>,
}

impl Slices {
    /// Compiles trees; `None` when one of them has too many leaves.
    pub(super) fn new(ensemble: &Ensemble, classes: &Classes, answers: &Answers) -> Option<Self> {
        let mut numbering = Numbering::new(classes, answers);
        let mut trees = Vec::with_capacity(ensemble.trees.len());
        for (index, tree) in ensemble.trees.iter().enumerate() {
            trees.push(SlicedTree::new(tree, |node| {
                numbering.number(ensemble, index, node)
            })?);
        }
        Some(Self {
            decisions: numbering.finish(),
            trees,
        })
    }

    /// Room for the decisions about a block of rows.
    pub(super) fn buffer(&self) -> Vec<Mask> {
        vec![NO_ROW; self.decisions.count()]
    }

    /// Adds the leaf values of at most [`ROWS`] rows to their sums. `classes` holds `column_count` classes for each
    /// row; `right` comes from [`Self::buffer`].
    #[inline(always)]
    pub(super) fn add<S: Sum>(
        &self,
        classes: &[u16],
        column_count: usize,
        right: &mut [Mask],
        sums: &mut [S],
    ) {
        self.decisions.decide(classes, column_count, right);
        let mut reached = [[EVERY_ROW; 2]; LEAVES_MAX];
        let mut labels = [[[0; BYTES]; ROWS / BYTES]; TREES];
        let mut values = [[S::value(NOTHING); LEAVES_MAX]; TREES];
        for trees in self.trees.chunks(TREES) {
            for (position, values) in values.iter_mut().enumerate() {
                let Some(tree) = trees.get(position) else {
                    values.fill(S::value(NOTHING));
                    continue;
                };
                labels[position] = tree.labels(right, &mut reached);
                for (value, leaf_value) in values.iter_mut().zip(&tree.leaf_values) {
                    *value = S::value(*leaf_value);
                }
            }
            for (row, sum) in sums.iter_mut().enumerate() {
                for (labels, values) in labels.iter().zip(&values) {
                    let label = labels.as_flattened()[row % ROWS];
                    sum.add(values[usize::from(label)]);
                }
            }
        }
    }
}

impl SlicedTree {
    fn new(tree: &Tree, mut test: impl FnMut(usize) -> Option<u32>) -> Option<Self> {
        if tree.leaf_values.len() > LEAVES_MAX {
            return None;
        }
        let mut sliced = Self {
            nodes: Vec::with_capacity(tree.nodes.len()),
            flips: array::from_fn(|_| Vec::new()),
            leaf_values: vec![0.0; tree.leaf_values.len().next_power_of_two()],
        };
        let mut is_taken = vec![false; sliced.leaf_values.len()];
        is_taken[0] = true;
        // Breadth first, so that the nodes near the root, which have the most room, choose first.
        let mut pending = vec![(tree.root(), ROOT, 0)];
        while !pending.is_empty() {
            let mut next = Vec::new();
            for (child, from, label) in pending {
                let number = match child {
                    Child::Leaf(leaf) => {
                        sliced.leaf_values[label] = tree.leaf_values[leaf as usize];
                        continue;
                    }
                    Child::Node(number) => number as usize,
                };
                let node = u8::try_from(sliced.nodes.len()).ok()?;
                sliced.nodes.push((test(number)?, from));
                let right_label = nearest_free(label, &is_taken)?;
                is_taken[right_label] = true;
                for (plane, flips) in sliced.flips.iter_mut().enumerate() {
                    if (label ^ right_label) >> plane & 1 == 1 {
                        flips.push(node);
                    }
                }
                let reach = |right| Reach { node, right };
                next.push((tree.nodes[number].left, reach(false), label));
                next.push((tree.nodes[number].right, reach(true), right_label));
            }
            pending = next;
        }
        Some(sliced)
    }

    /// The leaf number of each row.
    #[inline(always)]
    fn labels(&self, right: &[Mask], reached: &mut Reached) -> Labels {
        for (number, (test, from)) in self.nodes.iter().enumerate() {
            let here = reached[usize::from(from.node)][usize::from(from.right)];
            let right = &right[*test as usize];
            reached[number % LEAVES_MAX] = [
                array::from_fn(|word| here[word] & !right[word]),
                array::from_fn(|word| here[word] & right[word]),
            ];
        }
        let mut planes = [NO_ROW; PLANES];
        for (plane, flips) in planes.iter_mut().zip(&self.flips) {
            for node in flips {
                let right = &reached[usize::from(*node)][1];
                *plane = array::from_fn(|word| plane[word] ^ right[word]);
            }
        }
        transpose(&mut planes);
        planes.map(bytes)
    }
}

/// The free leaf number that differs from `label` in the fewest bits.
fn nearest_free(label: usize, is_taken: &[bool]) -> Option<usize> {
    let free = (0..is_taken.len()).filter(|other| !is_taken[*other]);
    free.min_by_key(|other| (label ^ other).count_ones())
}

/// Transposes the matrices of bits that the masks form word by word: of each word, or for fewer than 64 masks of each
/// group of so many bits of a word, it takes bit p in mask q to bit q in mask p.
#[inline(always)]
fn transpose<const MASKS: usize>(masks: &mut [Mask; MASKS]) {
    const LOW_HALVES: [(usize, u64); 6] = [
        (32, 0x0000_0000_ffff_ffff),
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ];
    for (distance, low) in LOW_HALVES {
        if distance >= MASKS {
            continue;
        }
        for pair in 0..MASKS / 2 {
            let one = pair / distance * 2 * distance + pair % distance;
            let (left, right) = (masks[one], masks[one + distance]);
            let exchanged: Mask =
                array::from_fn(|word| (left[word] >> distance ^ right[word]) & low);
            masks[one] = array::from_fn(|word| left[word] ^ exchanged[word] << distance);
            masks[one + distance] = array::from_fn(|word| right[word] ^ exchanged[word]);
        }
    }
}

/// The bytes of a mask.
#[inline(always)]
fn bytes(mask: Mask) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(mask) {
        *bytes = word.to_le_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_turns_bits_of_masks_into_masks_of_bits() {
        let before: [Mask; PLANES] = array::from_fn(|mask| {
            array::from_fn(|word| {
                (mask as u64 * 4 + word as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            })
        });
        let mut after = before;
        transpose(&mut after);
        let (before, after) = (before.map(bytes), after.map(bytes));
        for (mask, bytes) in before.iter().enumerate() {
            for (byte, bits) in bytes.iter().enumerate() {
                for (bit, after) in after.iter().enumerate() {
                    assert_eq!(bits >> bit & 1, after[byte] >> mask & 1);
                }
            }
        }
    }

    #[test]
    fn a_row_is_the_bit_that_its_leaf_number_comes_from() {
        for row in 0..ROWS {
            let (word, bit) = row_place(row);
            let mut masks = [NO_ROW; PLANES];
            masks[5][word] = 1 << bit;
            transpose(&mut masks);
            let labels = masks.map(bytes);
            assert_eq!(labels.as_flattened()[row], 1 << 5);
            assert_eq!(
                labels
                    .as_flattened()
                    .iter()
                    .filter(|label| **label > 0)
                    .count(),
                1
            );
        }
    }
}
