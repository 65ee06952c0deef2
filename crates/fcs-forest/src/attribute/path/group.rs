//! Some trees whose nodes are worked through level by level, so that the same instructions serve many nodes in a row.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use std::array;
use std::ops::Range;

use super::super::quadrature::{GaussLegendre, Rule};
use crate::class_table::LANES;
use crate::limits::LEAVES_PER_TREE_MAX;

/// Places of a group, unless a single tree has more: the state of those in use then stays in a near cache.
pub(super) const NEAR_PLACES: usize = 512;

/// Places for a tree of any size.
pub(super) const FAR_PLACES: usize = 2 * LEAVES_PER_TREE_MAX;

/// Bits of a word: what a row says about some nodes and twigs.
pub(super) const WORD_BITS: usize = 32;

/// The variant of a node whose feature was not met above it.
pub(super) const UNMET: u8 = 2;

/// The trees of a group. What has a place are first the nodes outside of twigs, then the twigs, then the leaves of inner
/// nodes. *Inner* nodes have a node below them and come first, by level, and within a level first those whose feature is
/// new on their path. *Bottom* nodes have two leaves and need no order among levels.
#[derive(Debug, Default)]
pub(super) struct Group<const N: usize> {
    /// Places.
    pub(super) roots: Vec<u32>,
    pub(super) nodes: Vec<Node>,
    /// Level by level the nodes whose feature is new on their path, and those where it came up before.
    pub(super) runs: Vec<(Range<usize>, Kind)>,
    /// The bottom nodes, likewise.
    pub(super) bottom_runs: Vec<(Range<usize>, Kind)>,
    /// Of the nodes whose feature came up before, in their order.
    pub(super) repeats: Vec<Repeat<N>>,
    pub(super) twigs: Vec<TwigTable>,
    /// The features that are asked in each twig, one twig after the other.
    pub(super) players: Vec<u32>,
    /// The entries of the twigs (see [`twig`](super::twig)).
    pub(super) entries: Vec<[f64; N]>,
    /// Values of the leaves of inner nodes, times the part of the training data that they hold.
    pub(super) leaves: Vec<f64>,
    /// Words that hold a bit per node, and after those the indices of the twigs.
    pub(super) word_count: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    New,
    /// With the first of them in `repeats`.
    Repeated(usize),
}

/// A node outside of the twigs.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) feature: u32,
    /// Places of the children; of an inner node only.
    pub(super) children: [u32; 2],
    /// Values of the leaves, as in [`Group::leaves`]; of a bottom node only.
    pub(super) leaves: [f64; 2],
    /// The e of the factor towards the left and the right child, when the row goes left and when it goes right.
    pub(super) factors: [[f64; 2]; 2],
}

/// A node whose feature came up before on its path.
#[derive(Debug)]
pub(super) struct Repeat<const N: usize> {
    /// Place of the nearest node above with the same feature.
    pub(super) above: u32,
    /// 0 when this node is in its left branch, 1 in its right.
    pub(super) side: u8,
    /// What the feature's value changes by towards each child, by variant.
    pub(super) changes: [[f64; 2]; 3],
    /// One divided by the feature's factor so far, when it is met.
    pub(super) inverse: [f64; N],
}

/// Where a twig has its index and its entries.
#[derive(Debug)]
pub(super) struct TwigTable {
    pub(super) word: u32,
    /// Of the index in its word.
    pub(super) shift: u32,
    pub(super) mask: u32,
    pub(super) first_entry: u32,
    pub(super) player_count: u32,
}

/// State of one group after the other, used again for each row. There are `PLACES` places, a power of two that no
/// place reaches, so that a masked place needs no check.
pub(super) struct Scratch<const N: usize, const PLACES: usize> {
    pub(super) words: Vec<[u32; 8]>,
    /// By place: the product of the factors above. Nobody looks at those of leaves.
    above: Box<[[f64; N]; PLACES]>,
    /// By place: the sum of the leaves below with the factors below.
    below: Box<[[f64; N]; PLACES]>,
    /// By node: 0 when the row goes left, 1 when it goes right, [`UNMET`] when the feature is not met above it.
    variants: Box<[u8; PLACES]>,
    /// By twig: the number of the row's entry.
    entries: Box<[u32; PLACES]>,
}

impl<const N: usize, const PLACES: usize> Scratch<N, PLACES> {
    pub(super) fn new() -> Self {
        Self {
            words: Vec::new(),
            above: filled([0.0; N]),
            below: filled([0.0; N]),
            variants: filled(0),
            entries: filled(0),
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

impl<const N: usize> Group<N>
where
    GaussLegendre: Rule<N>,
{
    /// Numbers of nodes, twigs and leaves.
    pub(super) fn place_count(&self) -> usize {
        self.nodes.len() + self.twigs.len() + self.leaves.len()
    }

    /// Blocks of the table that hold the group's words.
    pub(super) fn block_count(&self) -> usize {
        self.word_count.div_ceil(LANES)
    }

    /// Adds the group's part to the values of the features, for the row whose words are in the scratch.
    #[inline(always)]
    pub(super) fn add<const PLACES: usize>(
        &self,
        scratch: &mut Scratch<N, PLACES>,
        values: &mut [[f64; N]],
    ) {
        self.find_entries(scratch);
        for root in &self.roots {
            scratch.above[*root as usize % PLACES] = GaussLegendre::WEIGHTS;
        }
        for (run, kind) in &self.runs {
            match kind {
                Kind::New => self.down_new(run.clone(), scratch),
                Kind::Repeated(first) => self.down_repeated(run.clone(), *first, scratch),
            }
        }
        let first_leaf = self.nodes.len() + self.twigs.len();
        for (below, value) in scratch.below[first_leaf..].iter_mut().zip(&self.leaves) {
            *below = [*value; N];
        }
        self.add_twigs(scratch, values);
        for (run, kind) in &self.bottom_runs {
            match kind {
                Kind::New => self.bottom_new(run.clone(), scratch, values),
                Kind::Repeated(first) => self.bottom_repeated(run.clone(), *first, scratch, values),
            }
        }
        for (run, kind) in self.runs.iter().rev() {
            match kind {
                Kind::New => self.up_new(run.clone(), scratch, values),
                Kind::Repeated(first) => self.up_repeated(run.clone(), *first, scratch, values),
            }
        }
    }

    /// Looks up the row's entry of each twig: long before it is used, for it may be far away in memory.
    #[inline(always)]
    fn find_entries<const PLACES: usize>(&self, scratch: &mut Scratch<N, PLACES>) {
        let words = scratch.words.as_flattened();
        for (twig, place) in self.twigs.iter().zip(self.nodes.len()..) {
            let index = words[twig.word as usize] >> twig.shift & twig.mask;
            let entry = twig.first_entry + index * (twig.player_count + 1);
            scratch.entries[place % PLACES] = entry;
            scratch.below[place % PLACES] = self.entries[entry as usize];
        }
    }

    #[inline(always)]
    fn add_twigs<const PLACES: usize>(
        &self,
        scratch: &Scratch<N, PLACES>,
        values: &mut [[f64; N]],
    ) {
        let mut players = &self.players[..];
        for (twig, place) in self.twigs.iter().zip(self.nodes.len()..) {
            let first = scratch.entries[place % PLACES] as usize + 1;
            let (own, others) = players.split_at(twig.player_count as usize);
            let above = scratch.above[place % PLACES];
            for (player, part) in own.iter().zip(&self.entries[first..][..own.len()]) {
                let value = &mut values[*player as usize];
                *value = array::from_fn(|k| value[k] + above[k] * part[k]);
            }
            players = others;
        }
    }

    #[inline(always)]
    fn down_new<const PLACES: usize>(&self, run: Range<usize>, scratch: &mut Scratch<N, PLACES>) {
        for (at, node) in run.clone().zip(&self.nodes[run]) {
            let variant = goes_right(&scratch.words, at);
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
            let right = goes_right(&scratch.words, at);
            let variant = if met { right } else { UNMET };
            scratch.variants[at % PLACES] = variant;
            let (factors, inverse) = repeat.state(node, variant);
            let above = scratch.above[at % PLACES];
            let above = array::from_fn(|k| above[k] * inverse[k]);
            scratch.pass_down(node, above, factors);
        }
    }

    #[inline(always)]
    fn bottom_new<const PLACES: usize>(
        &self,
        run: Range<usize>,
        scratch: &mut Scratch<N, PLACES>,
        values: &mut [[f64; N]],
    ) {
        for (at, node) in run.clone().zip(&self.nodes[run]) {
            let factors = node.factors[usize::from(goes_right(&scratch.words, at) & 1)];
            let [left, right] = node.leaves;
            let term = factors[0] * left + factors[1] * right;
            let above = scratch.above[at % PLACES];
            add_value(values, node, above.map(|above| above * term));
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
        values: &mut [[f64; N]],
    ) {
        let nodes = run
            .clone()
            .zip(&self.nodes[run])
            .zip(&self.repeats[first..]);
        for ((at, node), repeat) in nodes {
            let met = scratch.variants[repeat.above as usize % PLACES] == repeat.side;
            let right = goes_right(&scratch.words, at);
            let variant = if met { right } else { UNMET };
            let (factors, inverse) = repeat.state(node, variant);
            let changes = repeat.changes[usize::from(variant.min(UNMET))];
            let [left, right] = node.leaves;
            let term = factors[0] * left + factors[1] * right;
            let change = changes[0] * left + changes[1] * right;
            let above = scratch.above[at % PLACES];
            let scale: [f64; N] = array::from_fn(|k| above[k] * inverse[k] * inverse[k]);
            add_value(values, node, scale.map(|scale| scale * change));
            scratch.below[at % PLACES] =
                array::from_fn(|k| inverse[k] * ((left + right) + GaussLegendre::POINTS[k] * term));
        }
    }

    #[inline(always)]
    fn up_new<const PLACES: usize>(
        &self,
        run: Range<usize>,
        scratch: &mut Scratch<N, PLACES>,
        values: &mut [[f64; N]],
    ) {
        for (at, node) in run.clone().zip(&self.nodes[run]) {
            let factors = node.factors[usize::from(scratch.variants[at % PLACES] & 1)];
            let [left, right] = node
                .children
                .map(|child| scratch.below[child as usize % PLACES]);
            let term: [f64; N] = array::from_fn(|k| factors[0] * left[k] + factors[1] * right[k]);
            let above = scratch.above[at % PLACES];
            add_value(values, node, array::from_fn(|k| above[k] * term[k]));
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
        values: &mut [[f64; N]],
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
            add_value(values, node, array::from_fn(|k| scale[k] * change[k]));
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
}

#[inline(always)]
fn add_value<const N: usize>(values: &mut [[f64; N]], node: &Node, added: [f64; N]) {
    let value = &mut values[node.feature as usize];
    *value = array::from_fn(|k| value[k] + added[k]);
}

/// 1 when the row goes right at a node, else 0.
#[inline(always)]
fn goes_right(words: &[[u32; 8]], node: usize) -> u8 {
    let word = words.as_flattened()[node / WORD_BITS];
    u8::from((word >> (node % WORD_BITS)) & 1 == 0)
}
