//! Puts trees into packs, and says what the answers of a pack mean.

use super::super::super::quadrature::{GaussLegendre, Rule};
use super::super::build::Build;
use super::super::draft::{Draft, drafts_of};
use super::super::number;
use super::Plan;
use super::pack::{Node, Pack, Repeat, Step, Visit};
use crate::class_table::{ClassTable, LANES as WORDS};
use crate::tree::{Child, Tree};

/// Nodes of trees that share a pack, unless a single tree has more: a block of the table, with some room for repeats.
const NODES_OF_PACK: usize = 200;

const WORD_BITS: usize = u32::BITS as usize;

/// A row has a bit of a word only if it takes a side of a node: 0 for left, 1 for right. A bit may have several
/// conditions.
struct Condition {
    bit: u32,
    tree: usize,
    node: u32,
    side: u8,
}

impl Build<'_> {
    /// A plan for the trees with these indices; `None` when they do not suit a [`ClassTable`].
    pub(super) fn plan_of_eight<const N: usize>(&self, indices: &[usize]) -> Option<Plan<N>>
    where
        GaussLegendre: Rule<N>,
    {
        let mut packs: Vec<PackBuild<'_, N>> = Vec::new();
        let mut room = 0;
        for index in indices {
            let tree = &self.trees[*index];
            if tree.nodes.len() > room {
                packs.push(PackBuild::new(self));
                room = NODES_OF_PACK;
            }
            room = room.saturating_sub(tree.nodes.len());
            packs.last_mut()?.add_tree(*index);
        }
        let mut words = Vec::new();
        let packs = packs.into_iter().map(|pack| pack.finish(&mut words));
        let packs = packs.collect();
        let table = self.table_of_conditions(&words)?;
        Some(Plan { packs, table })
    }

    /// The table that answers for each row what all words say.
    fn table_of_conditions(&self, words: &[Vec<Condition>]) -> Option<ClassTable<u32, u16>> {
        let slot = |condition: &Condition| {
            let nodes = &self.trees[condition.tree].nodes;
            self.classes.slot(nodes[condition.node as usize].column)
        };
        ClassTable::new(
            self.classes,
            words.len(),
            |word| words[word].iter().map(slot).collect(),
            |asked, word, by_class: &mut [u32]| {
                for condition in &words[word] {
                    if slot(condition) == asked {
                        self.require(condition, by_class);
                    }
                }
            },
        )
    }

    /// Clears the bit of each class that does not meet a condition.
    fn require(&self, condition: &Condition, by_class: &mut [u32]) {
        let answers = self
            .answers
            .of(condition.tree, condition.node as usize, by_class.len());
        for (word, goes_left) in by_class.iter_mut().zip(answers) {
            let is_met = *goes_left == (condition.side == 0);
            *word &= !(u32::from(!is_met) << condition.bit);
        }
    }
}

/// A pack in the making.
struct PackBuild<'a, const N: usize> {
    build: &'a Build<'a>,
    pack: Pack<N>,
    /// By word.
    conditions: Vec<(usize, Condition)>,
}

/// A tree on its way into a pack.
struct Part<'a> {
    index: usize,
    tree: &'a Tree,
    drafts: &'a [Draft],
}

impl<'a, const N: usize> PackBuild<'a, N>
where
    GaussLegendre: Rule<N>,
{
    fn new(build: &'a Build<'a>) -> Self {
        Self {
            build,
            pack: Pack {
                steps: Vec::new(),
                nodes: Vec::new(),
                repeats: Vec::new(),
                answer_count: 0,
            },
            conditions: Vec::new(),
        }
    }

    fn add_tree(&mut self, index: usize) {
        let tree = &self.build.trees[index];
        let part = Part {
            index,
            tree,
            drafts: &drafts_of(self.build.model, tree),
        };
        if let Child::Node(root) = tree.root() {
            self.visit(&part, root, 0);
        }
    }

    /// The pack. What its words mean is added to `words`, filled up to whole blocks.
    fn finish(self, words: &mut Vec<Vec<Condition>>) -> Pack<N> {
        let first = words.len();
        words.resize_with(first + self.pack.block_count() * WORDS, Vec::new);
        for (word, condition) in self.conditions {
            words[first + word].push(condition);
        }
        self.pack
    }

    /// Adds a node and what is below it. Calls itself as deep as the tree is, at most
    /// [`DEPTH_MAX`](crate::limits::DEPTH_MAX).
    fn visit(&mut self, part: &Part<'_>, at: u32, state: u32) {
        let branches = &part.tree.nodes[at as usize];
        let node = number(self.pack.nodes.len());
        let is_repeated = self.add_node(part, at, state);
        let step = |visit| Step {
            visit,
            is_repeated,
            node,
        };
        let children = [branches.left, branches.right];
        if let [Child::Leaf(_), Child::Leaf(_)] = children {
            self.pack.steps.push(step(Visit::Bottom));
            return;
        }
        self.pack.steps.push(step(Visit::Down));
        for (side, child) in (0..).zip(children) {
            if let Child::Node(child) = child {
                self.visit(part, child, (state / 2 + 1) * 2 + side);
            }
        }
        self.pack.steps.push(step(Visit::Up));
    }

    /// Adds the node itself; whether its feature came up before on the path.
    fn add_node(&mut self, part: &Part<'_>, at: u32, state: u32) -> bool {
        let draft = &part.drafts[at as usize];
        let branches = &part.tree.nodes[at as usize];
        let leaf = |side: usize, child| match child {
            Child::Node(_) => None,
            Child::Leaf(leaf) => Some(draft.part_of_leaf(part.tree, leaf, side)),
        };
        self.pack.nodes.push(Node {
            factors: draft.factors(),
            leaves: [leaf(0, branches.left), leaf(1, branches.right)],
            feature: draft.feature,
            state,
            answer: number(self.pack.answer_count),
            repeat: number(self.pack.repeats.len()),
        });
        let is_repeated = draft.above.is_some();
        if is_repeated {
            let before = draft.factor_before();
            self.pack.repeats.push(Repeat {
                before,
                inverse: GaussLegendre::POINTS.map(|point| 1.0 / (1.0 + before * point)),
            });
        }
        self.add_answer(part, (at, 0));
        if is_repeated {
            self.add_answer(part, (at, 1));
        }
        is_repeated
    }

    /// Says what the next answer means: that a row takes a side of a node, and meets the conditions on the same feature
    /// above it.
    fn add_answer(&mut self, part: &Part<'_>, condition: (u32, u8)) {
        let bit = self.pack.answer_count;
        let mut condition = Some(condition);
        while let Some((node, side)) = condition {
            let own = Condition {
                bit: number(bit % WORD_BITS),
                tree: part.index,
                node,
                side,
            };
            self.conditions.push((bit / WORD_BITS, own));
            condition = part.drafts[node as usize].above;
        }
        self.pack.answer_count += 1;
    }
}
