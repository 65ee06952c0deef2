//! The solved games of groups of leaves, and how a row finds its entries.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use std::hint::black_box;

use super::game::Solution;
use super::grouping::{Field, GroupPlan, INDEX_BITS_MAX};
use crate::class_table::{ClassTable, LANES};
use crate::classes::Classes;
use crate::ensemble::Ensemble;
use crate::front::Front;
use crate::tree::Tree;

/// Blocks whose indices are found before their entries are added.
const BLOCKS_AT_ONCE: usize = 32;

/// Groups in these blocks.
const GROUPS_AT_ONCE: usize = BLOCKS_AT_ONCE * LANES;

/// Groups whose entries are looked for before they are added: their ends stay in the nearest cache.
const GROUPS_ON_THE_WAY: usize = 64;

/// How a row finds its entry in the table of each group.
#[derive(Debug)]
pub(super) struct Indices {
    /// A lane per group.
    table: ClassTable<u16, u16>,
    /// The bits of each group's index, in blocks.
    full: Vec<[u16; LANES]>,
}

/// The tables of a model.
#[derive(Debug)]
pub(super) struct Tables {
    indices: Indices,
    groups: Vec<Group>,
    /// The features of the groups, one group after the other.
    players: Vec<u32>,
    /// By group and index, one number per player.
    values: Vec<f64>,
}

#[derive(Debug)]
struct Group {
    /// Where its index is among those of the groups that are added together.
    place: usize,
    first_value: usize,
    first_player: usize,
    player_count: usize,
}

/// A group of a tree.
pub(super) struct Member {
    pub(super) tree: usize,
    pub(super) plan: GroupPlan,
}

/// A leaf of a group, with the players that have a condition on its path, by their places in the group.
pub(super) struct LeafOfGroup<'a> {
    pub(super) member: &'a Member,
    pub(super) place: usize,
    pub(super) features: Vec<usize>,
}

impl Indices {
    /// `None` when the groups do not suit a [`ClassTable`].
    pub(super) fn new(classes: &Classes, members: &[Member]) -> Option<Self> {
        let fields = |lane: usize| &members[lane].plan.fields;
        let table = ClassTable::new(
            classes,
            members.len(),
            |lane| fields(lane).iter().map(|field| field.slot).collect(),
            |slot, lane, words: &mut [u16]| {
                for field in fields(lane).iter().filter(|field| field.slot == slot) {
                    for (word, state) in words.iter_mut().zip(&field.state_of_class) {
                        *word &= !mask(field) | state << field.shift;
                    }
                }
            },
        )?;
        let mut full = vec![[0; LANES]; members.len().div_ceil(LANES)];
        for (word, member) in full.as_flattened_mut().iter_mut().zip(members) {
            debug_assert!(
                member.plan.index_bits() <= INDEX_BITS_MAX,
                "groups are made so"
            );
            *word = (1 << member.plan.index_bits()) - 1;
        }
        Some(Self { table, full })
    }

    /// How many of some rows of columns have each index, by group.
    pub(super) fn count(
        &self,
        classes: &Classes,
        members: &[Member],
        rows: &[Vec<f64>],
    ) -> Vec<Vec<u32>> {
        let sizes = members.iter().map(|member| 1 << member.plan.index_bits());
        let mut counts: Vec<Vec<u32>> = sizes.map(|size: usize| vec![0; size]).collect();
        let mut found = vec![0; classes.columns().len()];
        for row in rows {
            classes.find(row, &mut found);
            let mut words = self.full.clone();
            self.table.intersect(&found, 0, &mut words);
            for (counts, index) in counts.iter_mut().zip(words.as_flattened()) {
                counts[usize::from(*index)] += 1;
            }
        }
        counts
    }
}

impl Tables {
    /// Solves the games of all leaves of all groups. `meets` gives q (see [`game`](super::game)) of a leaf, the
    /// group being given by its number.
    pub(super) fn new(
        front: &Front,
        ensemble: &Ensemble,
        indices: Indices,
        members: &[Member],
        meets: impl Fn(usize, &LeafOfGroup<'_>) -> Vec<f64>,
    ) -> Self {
        let mut tables = Self {
            indices,
            groups: Vec::new(),
            players: Vec::new(),
            values: Vec::new(),
        };
        let numbers = members.iter().map(|member| member.plan.table_len());
        tables.values.reserve_exact(numbers.sum());
        for (number, member) in members.iter().enumerate() {
            tables.add_group(front, ensemble, member, |leaf| meets(number, leaf));
        }
        for groups in tables.groups.chunks_mut(GROUPS_AT_ONCE) {
            // Those of one size together, so that a processor foresees the ends of loops.
            groups.sort_by_key(|group| group.player_count);
        }
        tables
    }

    /// Solves the games of a group's leaves and adds them up by index.
    fn add_group(
        &mut self,
        front: &Front,
        ensemble: &Ensemble,
        member: &Member,
        meets: impl Fn(&LeafOfGroup<'_>) -> Vec<f64>,
    ) {
        let plan = &member.plan;
        let first_value = self.values.len();
        self.groups.push(Group {
            place: self.groups.len() % GROUPS_AT_ONCE,
            first_value,
            first_player: self.players.len(),
            player_count: plan.players.len(),
        });
        self.players.extend(&plan.players);
        self.values.resize(first_value + plan.table_len(), 0.0);
        for (place, number) in plan.leaves.iter().enumerate() {
            let value = ensemble.trees[member.tree].leaf_values[*number as usize];
            let scale = value / ensemble.summation.divisor;
            let leaf = LeafOfGroup {
                member,
                place,
                features: features_of_leaf(front, &ensemble.trees[member.tree], plan, *number),
            };
            let solution = Solution::new(&meets(&leaf));
            for index in 0..1 << plan.index_bits() {
                let Some(pattern) = leaf.pattern(index) else {
                    continue;
                };
                let entry = first_value + index * plan.players.len();
                for (player, value) in leaf.features.iter().zip(solution.of(pattern)) {
                    self.values[entry + player] += scale * value;
                }
            }
        }
    }

    /// Adds the values of rows of classes to their features' totals, of which a row has `width`. Some groups at a time
    /// are the outer loop, so that their tables stay near while the rows pass by.
    #[inline(always)]
    pub(super) fn add(&self, classes: &[u16], totals: &mut [f64], width: usize) {
        let Indices { table, full } = &self.indices;
        let class_count = (classes.len() * width / totals.len().max(1)).max(1);
        let mut words = [[0; LANES]; BLOCKS_AT_ONCE];
        let groups = self.groups.chunks(GROUPS_AT_ONCE);
        for (chunk, (full, groups)) in full.chunks(BLOCKS_AT_ONCE).zip(groups).enumerate() {
            let rows = classes.chunks(class_count).zip(totals.chunks_mut(width));
            for (classes, totals) in rows {
                let words = &mut words[..full.len()];
                words.copy_from_slice(full);
                table.intersect(classes, chunk * BLOCKS_AT_ONCE, words);
                self.add_groups(groups, words.as_flattened(), totals);
            }
        }
    }

    /// Adds the entries with some indices to the totals of a row.
    #[inline(always)]
    fn add_groups(&self, groups: &[Group], indices: &[u16], totals: &mut [f64]) {
        let mut entries = [0; GROUPS_ON_THE_WAY];
        for groups in groups.chunks(GROUPS_ON_THE_WAY) {
            // The entries are far away in memory. Looked at one after the other, they come together.
            for (entry, group) in entries.iter_mut().zip(groups) {
                *entry = group.first_value + usize::from(indices[group.place]) * group.player_count;
                let values = &self.values[*entry..][..group.player_count];
                black_box((values.first().copied(), values.last().copied()));
            }
            for (entry, group) in entries.iter().zip(groups) {
                let values = &self.values[*entry..][..group.player_count];
                let players = &self.players[group.first_player..][..group.player_count];
                for (player, value) in players.iter().zip(values) {
                    totals[*player as usize] += value;
                }
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.values[..])
    }
}

/// The bits of a field in an index.
fn mask(field: &Field) -> u16 {
    ((1 << field.width()) - 1) << field.shift
}

/// The players of a group that are asked on the path to one of its leaves, by their place in the group. Asked is
/// enough: a test that no value fails still has two branches in the path-dependent game.
fn features_of_leaf(front: &Front, tree: &Tree, plan: &GroupPlan, leaf: u32) -> Vec<usize> {
    let mut places = Vec::new();
    for (node, _) in tree.path_to(leaf) {
        let feature = front.feature_of(tree.nodes[node as usize].column);
        places.extend(plan.players.iter().position(|player| *player == feature));
    }
    places.sort_unstable();
    places.dedup();
    places
}

impl LeafOfGroup<'_> {
    /// Which of its features' conditions a row with an index meets: a bit for each of `features`. `None` for an
    /// index without meaning.
    pub(super) fn pattern(&self, index: usize) -> Option<usize> {
        let plan = &self.member.plan;
        let mut pattern = (1 << self.features.len()) - 1;
        for field in &plan.fields {
            let is_allowed = field.allowed(index)? >> self.place & 1 == 1;
            let is_player = |place: &usize| plan.players[*place] == field.feature;
            if let (false, Some(bit)) = (is_allowed, self.features.iter().position(is_player)) {
                pattern &= !(1 << bit);
            }
        }
        Some(pattern)
    }
}
