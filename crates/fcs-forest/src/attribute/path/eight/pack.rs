//! Trees that eight rows are walked through at a time, so that each instruction does the work of eight.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use super::super::super::quadrature::{GaussLegendre, Rule};
use super::lanes::{LANES, Lanes, Mask};
use crate::class_table::LANES as WORDS;

/// Bits of a block of the table.
const BLOCK_BITS: usize = WORDS * u32::BITS as usize;

/// Trees, one after the other, depth first. Each node is visited going down to its children and coming up from them, or,
/// when both are leaves, once.
#[derive(Debug)]
pub(in super::super) struct Pack<const N: usize> {
    pub(super) steps: Vec<Step>,
    pub(in super::super) nodes: Vec<Node>,
    pub(super) repeats: Vec<Repeat<N>>,
    /// Answers that tell a row's way: a bit each.
    pub(super) answer_count: usize,
}

/// A visit to a node.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Step {
    pub(super) visit: Visit,
    /// Whether the feature came up before on the path.
    pub(super) is_repeated: bool,
    pub(super) node: u32,
}

#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Visit {
    Down,
    Up,
    /// Both children are leaves.
    Bottom,
}

#[derive(Debug)]
pub(in super::super) struct Node {
    /// The e of the factors towards the left and the right child, when the row goes there.
    pub(super) factors: [f64; 2],
    /// Of children that are leaves: their values, times the part of the training data that they hold.
    pub(super) leaves: [Option<f64>; 2],
    pub(super) feature: u32,
    /// Where in the scratch its state is. The children have theirs after all those of this depth.
    pub(in super::super) state: u32,
    /// The answer that tells whether a row goes left, and, if the feature came up before, has met the conditions on it so
    /// far. The next one then tells the same of the right.
    pub(super) answer: u32,
    /// Number among the repeats, if the feature came up before.
    pub(super) repeat: u32,
}

/// A node whose feature came up before on its path.
#[derive(Debug)]
pub(in super::super) struct Repeat<const N: usize> {
    /// The e of the feature's factor so far, when it is met.
    pub(super) before: f64,
    /// One divided by that factor.
    pub(super) inverse: [f64; N],
}

/// What rows make of a node whose feature came up before.
struct State {
    /// Rows for which all conditions so far are met.
    met: Mask,
    factors: [Lanes; 2],
    /// What the feature's factor changes by.
    changes: [Lanes; 2],
}

/// State of one walk after the other.
pub(super) struct Scratch<const N: usize> {
    /// Of the nodes of a pack: a bit for each row.
    answers: Vec<u8>,
    /// By state: the product of the factors above.
    above: Vec<[Lanes; N]>,
    /// By state: the sum of the leaves below with the factors below.
    below: Vec<[Lanes; N]>,
}

impl<const N: usize> Scratch<N> {
    pub(super) fn new(state_count: usize) -> Self {
        Self {
            answers: Vec::new(),
            above: vec![[Lanes::ZERO; N]; state_count],
            below: vec![[Lanes::ZERO; N]; state_count],
        }
    }

    /// Takes the answers to eight rows, whose words come one row after the other.
    #[expect(clippy::cast_possible_truncation, reason = "one byte is what is meant")]
    #[inline(always)]
    pub(super) fn take_answers(&mut self, words: &[[u32; WORDS]]) {
        let words = words.as_flattened();
        let count = words.len() / LANES;
        self.answers.resize(size_of_val(words), 0);
        let answers = self.answers.as_chunks_mut().0;
        for (place, answers) in answers.iter_mut().enumerate() {
            let (word, byte) = (place / size_of::<u32>(), place % size_of::<u32>());
            let of_row = |row: usize| (words[row * count + word] >> (8 * byte)) as u8;
            let rows = u64::from_le_bytes(std::array::from_fn(of_row));
            *answers = transposed(rows).to_le_bytes();
        }
    }
}

/// Bit c of byte r becomes bit r of byte c (Warren, "Hacker's Delight", 2nd edition, section 7-3).
#[inline(always)]
fn transposed(mut bits: u64) -> u64 {
    for (shift, mask) in [
        (7, 0x00aa_00aa_00aa_00aa),
        (14, 0x0000_cccc_0000_cccc),
        (28, 0x0000_0000_f0f0_f0f0),
    ] {
        let swapped = (bits ^ bits >> shift) & mask;
        bits ^= swapped ^ swapped << shift;
    }
    bits
}

impl Node {
    /// States of one depth: of a first and of a second child.
    #[inline(always)]
    fn state_of_children(&self) -> usize {
        (self.state as usize / 2 + 1) * 2
    }

    /// The factors towards the children at a node whose feature is new on its path.
    #[inline(always)]
    fn new_factors(&self, left: u8) -> [Lanes; 2] {
        let (left, unmet) = (Mask::of(left), Lanes::all(-1.0));
        [
            left.pick(Lanes::all(self.factors[0]), unmet),
            left.pick(unmet, Lanes::all(self.factors[1])),
        ]
    }
}

impl<const N: usize> Repeat<N> {
    #[inline(always)]
    fn state(&self, node: &Node, answers: &[u8]) -> State {
        let answer = node.answer as usize;
        let (left, right) = (answers[answer], answers[answer + 1]);
        let met = Mask::of(left | right);
        // Towards the other child, the conditions cease to be met.
        let unmet = met.pick(Lanes::all(-1.0), Lanes::ZERO);
        let factors = [
            Mask::of(left).pick(Lanes::all(node.factors[0]), unmet),
            Mask::of(right).pick(Lanes::all(node.factors[1]), unmet),
        ];
        let before = met.pick(Lanes::all(self.before), Lanes::ZERO);
        State {
            met,
            factors,
            changes: factors.map(|factor| factor - before),
        }
    }

    /// What the product above is multiplied with, which leaves the feature out of it.
    #[inline(always)]
    fn inverse(&self, state: &State, k: usize) -> Lanes {
        state.met.pick(Lanes::all(self.inverse[k]), Lanes::all(1.0))
    }
}

impl<const N: usize> Pack<N>
where
    GaussLegendre: Rule<N>,
{
    /// Blocks of the table that tell a row's way.
    pub(super) fn block_count(&self) -> usize {
        self.answer_count.div_ceil(BLOCK_BITS)
    }

    /// States that a walk needs.
    pub(super) fn state_count(&self) -> usize {
        let last = self.nodes.iter().map(Node::state_of_children).max();
        last.map_or(0, |state| state + 2)
    }

    /// Adds the parts of the trees to the values of the features, for the rows whose answers are in the scratch.
    #[inline(always)]
    pub(super) fn add(&self, scratch: &mut Scratch<N>, values: &mut [Lanes]) {
        scratch.above[0] = GaussLegendre::WEIGHTS.map(Lanes::all);
        for step in &self.steps {
            let node = &self.nodes[step.node as usize];
            match (step.visit, step.is_repeated) {
                (Visit::Down, false) => Self::down_new(node, scratch),
                (Visit::Down, true) => self.down_repeated(node, scratch),
                (Visit::Up, false) => node.add(Self::up_new(node, scratch), values),
                (Visit::Up, true) => node.add(self.up_repeated(node, scratch), values),
                (Visit::Bottom, false) => node.add(Self::bottom_new(node, scratch), values),
                (Visit::Bottom, true) => node.add(self.bottom_repeated(node, scratch), values),
            }
        }
    }

    #[inline(always)]
    fn down_new(node: &Node, scratch: &mut Scratch<N>) {
        let factors = node.new_factors(scratch.answers[node.answer as usize]);
        let children = node.state_of_children();
        let (outer, inner) = scratch.above.split_at_mut(children);
        let below = &mut scratch.below[children..];
        pass_down(node, &outer[node.state as usize], factors, (inner, below));
    }

    /// Leaves in the place of the product above the node what the node's part is in proportion to.
    #[inline(always)]
    fn down_repeated(&self, node: &Node, scratch: &mut Scratch<N>) {
        let repeat = &self.repeats[node.repeat as usize];
        let state = repeat.state(node, &scratch.answers);
        let children = node.state_of_children();
        let (outer, inner) = scratch.above.split_at_mut(children);
        let scale = &mut outer[node.state as usize];
        let mut above = [Lanes::ZERO; N];
        for k in 0..N {
            let inverse = repeat.inverse(&state, k);
            above[k] = scale[k] * inverse;
            scale[k] = above[k] * inverse;
        }
        let below = &mut scratch.below[children..];
        pass_down(node, &above, state.factors, (inner, below));
    }

    #[inline(always)]
    fn bottom_new(node: &Node, scratch: &mut Scratch<N>) -> Lanes {
        let factors = node.new_factors(scratch.answers[node.answer as usize]);
        let [left, right] = node.leaves.map(|leaf| leaf.unwrap_or(0.0));
        let sum = Lanes::all(left + right);
        let term = factors[0] * left + factors[1] * right;
        let above = &scratch.above[node.state as usize];
        let below = &mut scratch.below[node.state as usize];
        let mut scale = Lanes::ZERO;
        for k in 0..N {
            scale = scale + above[k];
            below[k] = sum + term * GaussLegendre::POINTS[k];
        }
        scale * term
    }

    #[inline(always)]
    fn bottom_repeated(&self, node: &Node, scratch: &mut Scratch<N>) -> Lanes {
        let repeat = &self.repeats[node.repeat as usize];
        let state = repeat.state(node, &scratch.answers);
        let [left, right] = node.leaves.map(|leaf| leaf.unwrap_or(0.0));
        let sum = Lanes::all(left + right);
        let term = state.factors[0] * left + state.factors[1] * right;
        let change = state.changes[0] * left + state.changes[1] * right;
        let above = &scratch.above[node.state as usize];
        let below = &mut scratch.below[node.state as usize];
        let mut scale = Lanes::ZERO;
        for k in 0..N {
            let inverse = repeat.inverse(&state, k);
            scale = scale + above[k] * inverse * inverse;
            below[k] = inverse * (sum + term * GaussLegendre::POINTS[k]);
        }
        scale * change
    }

    #[inline(always)]
    fn up_new(node: &Node, scratch: &mut Scratch<N>) -> Lanes {
        let factors = node.new_factors(scratch.answers[node.answer as usize]);
        let above = &scratch.above[node.state as usize];
        let (outer, inner) = scratch.below.split_at_mut(node.state_of_children());
        let (below, left, right) = (&mut outer[node.state as usize], &inner[0], &inner[1]);
        let mut part = Lanes::ZERO;
        for k in 0..N {
            let term = factors[0] * left[k] + factors[1] * right[k];
            part = part + above[k] * term;
            below[k] = (left[k] + right[k]) + term * GaussLegendre::POINTS[k];
        }
        part
    }

    #[inline(always)]
    fn up_repeated(&self, node: &Node, scratch: &mut Scratch<N>) -> Lanes {
        let repeat = &self.repeats[node.repeat as usize];
        let state = repeat.state(node, &scratch.answers);
        let above = &scratch.above[node.state as usize];
        let (outer, inner) = scratch.below.split_at_mut(node.state_of_children());
        let (below, left, right) = (&mut outer[node.state as usize], &inner[0], &inner[1]);
        let mut part = Lanes::ZERO;
        for k in 0..N {
            let term = state.factors[0] * left[k] + state.factors[1] * right[k];
            let change = state.changes[0] * left[k] + state.changes[1] * right[k];
            part = part + above[k] * change;
            let sum = (left[k] + right[k]) + term * GaussLegendre::POINTS[k];
            below[k] = repeat.inverse(&state, k) * sum;
        }
        part
    }
}

/// Multiplies the product above a node with the factor towards each child that is a node, and fills in the others, which
/// are leaves. The children's states are those above and below them.
#[inline(always)]
fn pass_down<const N: usize>(
    node: &Node,
    above: &[Lanes; N],
    factors: [Lanes; 2],
    children: (&mut [[Lanes; N]], &mut [[Lanes; N]]),
) where
    GaussLegendre: Rule<N>,
{
    let states = children.0.iter_mut().zip(children.1);
    for ((states, factor), leaf) in states.zip(factors).zip(node.leaves) {
        let (above_child, below_child) = states;
        if let Some(leaf) = leaf {
            *below_child = [Lanes::all(leaf); N];
        } else {
            for k in 0..N {
                above_child[k] = above[k] + factor * (above[k] * GaussLegendre::POINTS[k]);
            }
        }
    }
}

impl Node {
    /// Adds the node's part to the value of its feature.
    #[inline(always)]
    fn add(&self, part: Lanes, values: &mut [Lanes]) {
        let value = &mut values[self.feature as usize];
        *value = *value + part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_by_node_and_then_by_row() {
        let mut scratch = Scratch::<4>::new(0);
        let row = |row: u32| [[row, 1 << row, 0, 0, 0, 0, 0, 1 << 31]];
        scratch.take_answers(&[0, 1, 2, 3, 4, 5, 6, 7].map(row).concat());
        assert_eq!(scratch.answers.len(), BLOCK_BITS);
        // The bits of 0 to 7, then one row each.
        assert_eq!(
            scratch.answers[..4],
            [0b1010_1010, 0b1100_1100, 0b1111_0000, 0]
        );
        assert_eq!(scratch.answers[32..40], [1, 2, 4, 8, 16, 32, 64, 128]);
        assert_eq!(scratch.answers[BLOCK_BITS - 2..], [0, 255]);
    }
}
