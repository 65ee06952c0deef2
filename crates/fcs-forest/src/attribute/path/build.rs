//! Puts trees into groups, and says what the bits of a group's words mean.

use std::collections::HashMap;

use super::super::grouping::{Field, Grouping};
use super::super::quadrature::{GaussLegendre, Rule};
use super::draft::{Draft, drafts_of};
use super::group::{Group, Kind, NEAR_PLACES, Node, Repeat, TwigTable, WORD_BITS};
use super::twig::{Twig, TwigSearch, TwigSolver};
use super::{Plan, number};
use crate::answers::Answers;
use crate::class_table::{ClassTable, LANES};
use crate::classes::Classes;
use crate::model::Model;
use crate::tree::{Child, Tree};

/// Bits of a group, unless a single tree has more: with what is lost where an index does not fit into the rest of a word,
/// a block of the table.
const GROUP_BITS: usize = 240;

/// What a plan is made from.
pub(super) struct Build<'a> {
    pub(super) model: &'a Model,
    pub(super) trees: &'a [Tree],
    pub(super) classes: &'a Classes,
    pub(super) answers: &'a Answers,
    /// Bytes of a twig's table, at most.
    pub(super) table_bytes_max: usize,
}

/// What some bits of a word say about a row.
enum Bits {
    /// Whether it goes left at a node of a tree.
    Node { tree: usize, node: u32, bit: u32 },
    /// The state of a column in a twig, whose shift is that in the word.
    Column(Field),
}

/// A tree on its way into a group.
struct Part {
    tree: usize,
    drafts: Vec<Draft>,
    twigs: Vec<Twig>,
    /// The nodes outside of the twigs.
    nodes: Vec<u32>,
}

impl Part {
    /// Nodes, twigs and leaves that have a place: the nodes are as many as the twigs and leaves but for one.
    fn place_count(&self) -> usize {
        2 * self.nodes.len() + 1
    }

    /// Bits that tell a row's way through the tree.
    fn bit_count(&self) -> usize {
        let widths = self
            .twigs
            .iter()
            .map(|twig| twig.plan.index_bits() as usize);
        self.nodes.len() + widths.sum::<usize>()
    }
}

impl Build<'_> {
    /// Groups the trees with these indices; `None` when they do not suit a [`ClassTable`].
    pub(super) fn plan<const N: usize>(&self, indices: &[usize]) -> Option<Plan<N>>
    where
        GaussLegendre: Rule<N>,
    {
        let mut groups = Vec::new();
        let mut words = Vec::new();
        let mut parts: Vec<Part> = Vec::new();
        let (mut places, mut bits) = (0, 0);
        for index in indices {
            let part = self.part(*index, N);
            places += part.place_count();
            bits += part.bit_count();
            if !parts.is_empty() && (places > NEAR_PLACES || bits > GROUP_BITS) {
                groups.push(GroupBuild::new(self, &parts).group(&mut words));
                parts.clear();
                (places, bits) = (part.place_count(), part.bit_count());
            }
            parts.push(part);
        }
        if !parts.is_empty() {
            groups.push(GroupBuild::new(self, &parts).group(&mut words));
        }
        let table = self.table(&words)?;
        Some(Plan { groups, table })
    }

    /// A tree with its twigs.
    fn part(&self, index: usize, points: usize) -> Part {
        let tree = &self.trees[index];
        let search = TwigSearch {
            grouping: Grouping {
                front: &self.model.parts().front,
                classes: self.classes,
                answers: self.answers,
                tree,
                index,
                features_max: usize::MAX,
            },
            points,
            table_bytes_max: self.table_bytes_max,
        };
        let twigs = search.twigs();
        let mut nodes = Vec::new();
        let mut pending = vec![tree.root()];
        while let Some(child) = pending.pop() {
            let Child::Node(node) = child else { continue };
            if twigs.iter().all(|twig| twig.root != node) {
                let branches = &tree.nodes[node as usize];
                nodes.push(node);
                pending.extend([branches.left, branches.right]);
            }
        }
        Part {
            tree: index,
            drafts: drafts_of(self.model, tree),
            twigs,
            nodes,
        }
    }

    /// The table that answers for each row what all words say.
    fn table(&self, words: &[Vec<Bits>]) -> Option<ClassTable<u32, u16>> {
        let slot = |bits: &Bits| match bits {
            Bits::Node { tree, node, .. } => {
                let column = self.trees[*tree].nodes[*node as usize].column;
                self.classes.slot(column)
            }
            Bits::Column(field) => field.slot,
        };
        ClassTable::new(
            self.classes,
            words.len(),
            |lane| words[lane].iter().map(slot).collect(),
            |asked, lane, by_class: &mut [u32]| {
                for bits in words[lane].iter().filter(|bits| slot(bits) == asked) {
                    self.restrict(bits, by_class);
                }
            },
        )
    }

    /// Clears the bits that each class does not have.
    fn restrict(&self, bits: &Bits, by_class: &mut [u32]) {
        match bits {
            Bits::Node { tree, node, bit } => {
                let answers = self.answers.of(*tree, *node as usize, by_class.len());
                for (word, goes_left) in by_class.iter_mut().zip(answers) {
                    *word &= !(u32::from(!*goes_left) << bit);
                }
            }
            Bits::Column(field) => {
                let mask = ((1 << field.width()) - 1) << field.shift;
                for (word, state) in by_class.iter_mut().zip(&field.state_of_class) {
                    *word &= !mask | u32::from(*state) << field.shift;
                }
            }
        }
    }
}

/// A group in the making.
struct GroupBuild<'a> {
    build: &'a Build<'a>,
    parts: &'a [Part],
    /// By the numbers of part and node, the places of nodes and twigs.
    places: HashMap<(usize, u32), u32>,
    /// Part and node by place.
    nodes: Vec<(usize, u32)>,
    /// Part and twig, by place after the nodes.
    twigs: Vec<(usize, &'a Twig)>,
}

impl<'a> GroupBuild<'a> {
    fn new(build: &'a Build<'a>, parts: &'a [Part]) -> Self {
        let mut nodes = Vec::new();
        let mut twigs = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            nodes.extend(part.nodes.iter().map(|node| (number, *node)));
            twigs.extend(part.twigs.iter().map(|twig| (number, twig)));
        }
        nodes.sort_by_key(|(part, node)| run(&parts[*part].drafts[*node as usize]));
        // Those of one size together, so that a processor foresees the ends of loops.
        twigs.sort_by_key(|(_, twig)| twig.plan.players.len());
        let roots = twigs.iter().map(|(part, twig)| (*part, twig.root));
        let places = nodes.iter().copied().chain(roots).zip(0..).collect();
        Self {
            build,
            parts,
            places,
            nodes,
            twigs,
        }
    }

    /// The group. What its words mean is added to `words`, filled up to whole blocks.
    fn group<const N: usize>(&self, words: &mut Vec<Vec<Bits>>) -> Group<N>
    where
        GaussLegendre: Rule<N>,
    {
        let mut group = Group {
            roots: (0..self.parts.len())
                .map(|part| self.places[&(part, 0)])
                .collect(),
            ..Group::default()
        };
        let draft = |(part, node): &(usize, u32)| &self.parts[*part].drafts[*node as usize];
        for chunk in self
            .nodes
            .chunk_by(|one, other| run(draft(one)) == run(draft(other)))
        {
            let kind = match draft(&chunk[0]).above {
                None => Kind::New,
                Some(_) => Kind::Repeated(group.repeats.len()),
            };
            let first = group.nodes.len();
            let runs = if draft(&chunk[0]).is_bottom {
                &mut group.bottom_runs
            } else {
                &mut group.runs
            };
            runs.push((first..first + chunk.len(), kind));
            for (part, node) in chunk {
                self.add_node(&mut group, *part, *node);
            }
        }
        let mut own: Vec<Vec<Bits>> = Vec::new();
        own.resize_with(self.nodes.len().div_ceil(WORD_BITS), Vec::new);
        for (place, (part, node)) in self.nodes.iter().enumerate() {
            own[place / WORD_BITS].push(Bits::Node {
                tree: self.parts[*part].tree,
                node: *node,
                bit: number(place % WORD_BITS),
            });
        }
        let mut bit = self.nodes.len();
        for (part, twig) in &self.twigs {
            bit = self.add_twig(&mut group, (*part, twig), bit, &mut own);
        }
        group.word_count = own.len();
        own.resize_with(own.len().next_multiple_of(LANES), Vec::new);
        words.extend(own);
        group
    }

    fn add_node<const N: usize>(&self, group: &mut Group<N>, part: usize, node: u32)
    where
        GaussLegendre: Rule<N>,
    {
        let tree = &self.build.trees[self.parts[part].tree];
        let draft = &self.parts[part].drafts[node as usize];
        let branches = &tree.nodes[node as usize];
        let mut children = [0; 2];
        let mut leaves = [0.0; 2];
        for (side, child) in [branches.left, branches.right].into_iter().enumerate() {
            match child {
                Child::Node(child) => children[side] = self.places[&(part, child)],
                Child::Leaf(leaf) => leaves[side] = draft.part_of_leaf(tree, leaf, side),
            }
            if matches!(child, Child::Leaf(_)) && !draft.is_bottom {
                children[side] = number(self.places.len() + group.leaves.len());
                group.leaves.push(leaves[side]);
            }
        }
        let [left, right] = draft.factors();
        group.nodes.push(Node {
            feature: draft.feature,
            children,
            leaves,
            factors: [[left, -1.0], [-1.0, right]],
        });
        if let Some((above, side)) = draft.above {
            let before = draft.factor_before();
            group.repeats.push(Repeat {
                above: self.places[&(part, above)],
                side,
                changes: draft.changes(),
                inverse: GaussLegendre::POINTS.map(|point| 1.0 / (1.0 + before * point)),
            });
        }
    }

    /// Adds a twig whose index starts at a bit, or at the next word when it does not fit there. Gives the bit after it.
    fn add_twig<const N: usize>(
        &self,
        group: &mut Group<N>,
        (part, twig): (usize, &Twig),
        bit: usize,
        words: &mut Vec<Vec<Bits>>,
    ) -> usize
    where
        GaussLegendre: Rule<N>,
    {
        let width = twig.plan.index_bits() as usize;
        let bit = if bit % WORD_BITS + width > WORD_BITS {
            bit.next_multiple_of(WORD_BITS)
        } else {
            bit
        };
        let (word, shift) = (bit / WORD_BITS, number(bit % WORD_BITS));
        if word == words.len() {
            words.push(Vec::new());
        }
        // A column that says the same for every class has no bits.
        let fields = twig.plan.fields.iter().filter(|field| field.width() > 0);
        words[word].extend(fields.map(|field| {
            Bits::Column(Field {
                shift: shift + field.shift,
                ..field.clone()
            })
        }));
        group.twigs.push(TwigTable {
            word: number(word),
            shift,
            mask: (1 << width) - 1,
            first_entry: number(group.entries.len()),
            player_count: number(twig.plan.players.len()),
        });
        group.players.extend(&twig.plan.players);
        let solver = TwigSolver {
            tree: &self.build.trees[self.parts[part].tree],
            drafts: &self.parts[part].drafts,
            twig,
        };
        group.entries.extend(solver.entries::<N>());
        bit + width
    }
}

/// What the nodes of one run have in common, in the order of the runs: bottom nodes last, which need no order among levels.
fn run(draft: &Draft) -> (bool, usize, bool) {
    let level = if draft.is_bottom { 0 } else { draft.depth };
    (draft.is_bottom, level, draft.above.is_some())
}
