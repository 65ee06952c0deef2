//! The arena: trees of any shape as flat nodes, eight of them walked in step.
//!
//! A leaf leads to itself, so that the trees of a block can take steps until the deepest has arrived.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use super::FindLeaves;
use super::sum::Sum;
use crate::answers::{Answers, Split};
use crate::classes::Classes;
use crate::ensemble::Ensemble;
use crate::tree::{Child, Tree};

/// Trees per block.
const TREES: usize = 8;

/// What a node asks of the class of its column.
#[derive(Debug, Clone, Copy)]
enum Question {
    /// Right when the class is at least `split`, but for NaN, which goes left when `missing_left`.
    Split {
        split: u16,
        missing: u16,
        missing_left: bool,
    },
    /// Left when the bit of the class is set.
    Set { first_word: u32 },
}

#[derive(Debug, Clone, Copy)]
struct Node {
    slot: u32,
    question: Question,
    /// The left child and the right child.
    children: [u32; 2],
}

/// The compiled trees.
#[derive(Debug)]
pub(super) struct Arena {
    nodes: Vec<Node>,
    /// Leaf values by node; 0 for splits.
    values: Vec<f64>,
    /// The roots of the trees, and how deep the deepest tree of a block is.
    blocks: Vec<(Vec<u32>, usize)>,
    words: Vec<u64>,
}

impl Arena {
    /// Compiles trees; `None` when they have too many nodes to number.
    pub(super) fn new(ensemble: &Ensemble, classes: &Classes, answers: &Answers) -> Option<Self> {
        let mut arena = Self {
            nodes: Vec::new(),
            values: Vec::new(),
            blocks: Vec::new(),
            words: Vec::new(),
        };
        for (block, trees) in ensemble.trees.chunks(TREES).enumerate() {
            let mut roots = Vec::with_capacity(TREES);
            for (position, tree) in trees.iter().enumerate() {
                roots.push(arena.add_tree(block * TREES + position, tree, classes, answers)?);
            }
            let depth = trees.iter().map(Tree::depth).max().unwrap_or(0);
            arena.blocks.push((roots, depth));
        }
        Some(arena)
    }

    /// Adds a tree and returns its root.
    fn add_tree(
        &mut self,
        index: usize,
        tree: &Tree,
        classes: &Classes,
        answers: &Answers,
    ) -> Option<u32> {
        let first_node = u32::try_from(self.nodes.len()).ok()?;
        let first_leaf = first_node.checked_add(u32::try_from(tree.nodes.len()).ok()?)?;
        first_leaf.checked_add(u32::try_from(tree.leaf_values.len()).ok()?)?;
        let number = |child| match child {
            Child::Node(node) => first_node + node,
            Child::Leaf(leaf) => first_leaf + leaf,
        };
        for (position, node) in tree.nodes.iter().enumerate() {
            let slot = classes.slot(node.column);
            let column = &classes.columns()[slot];
            let answers_of_node = answers.of(index, position, column.count());
            let question = self.question(answers_of_node, column.missing())?;
            self.nodes.push(Node {
                slot: u32::try_from(slot).ok()?,
                question,
                children: [number(node.left), number(node.right)],
            });
            self.values.push(0.0);
        }
        for (leaf, value) in (first_leaf..).zip(&tree.leaf_values) {
            self.nodes.push(Node {
                slot: 0,
                question: Question::Split {
                    split: 0,
                    missing: 0,
                    missing_left: false,
                },
                children: [leaf, leaf],
            });
            self.values.push(*value);
        }
        Some(number(tree.root()))
    }

    fn question(&mut self, answers: &[bool], missing: u16) -> Option<Question> {
        if let Some(split) = Split::of(answers) {
            return Some(Question::Split {
                split: split.split,
                missing,
                missing_left: split.missing_left,
            });
        }
        let first_word = u32::try_from(self.words.len()).ok()?;
        for answers in answers.chunks(64) {
            let bits = answers
                .iter()
                .rev()
                .fold(0, |word, left| word << 1 | u64::from(*left));
            self.words.push(bits);
        }
        Some(Question::Set { first_word })
    }

    #[inline(always)]
    fn goes_right(&self, node: &Node, class: u16) -> bool {
        match node.question {
            Question::Split {
                split,
                missing,
                missing_left,
            } => class >= split && !(missing_left && class == missing),
            Question::Set { first_word } => {
                let word = self.words[first_word as usize + usize::from(class) / 64];
                (word >> (class % 64)) & 1 == 0
            }
        }
    }
}

impl FindLeaves for Arena {
    const SLICED_ROWS_MIN: usize = 24;

    #[inline(always)]
    fn add<S: Sum>(&self, classes: &[u16], sum: &mut S) {
        for (roots, depth) in &self.blocks {
            let mut at = [0_u32; TREES];
            let at = &mut at[..roots.len()];
            at.copy_from_slice(roots);
            for _ in 0..*depth {
                for at in at.iter_mut() {
                    let node = &self.nodes[*at as usize];
                    let right = self.goes_right(node, classes[node.slot as usize]);
                    *at = node.children[usize::from(right)];
                }
            }
            for at in at.iter() {
                sum.add(S::value(self.values[*at as usize]));
            }
        }
    }
}
