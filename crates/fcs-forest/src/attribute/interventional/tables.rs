//! The solved games of all groups, and how a row finds its entries.

use super::game::Solution;
use super::grouping::{Field, GroupPlan, Grouping, INDEX_BITS_MAX};
use crate::answers::Answers;
use crate::class_table::{ClassTable, LANES};
use crate::classes::Classes;
use crate::limits::ATTRIBUTION_TABLE_BYTES_MAX;
use crate::model::{Body, Model};

/// Features of a path whose games are solved for every pattern, at most and when room is short.
const FEATURES_MAX: usize = 12;
const FEATURES_MIN: usize = 4;

/// Blocks whose indices are found before their entries are added.
const BLOCKS_AT_ONCE: usize = 16;

/// The tables of a model.
#[derive(Debug)]
pub(super) struct Tables {
    /// A lane per group: the index of its entry.
    indices: ClassTable<u16>,
    /// The bits of each group's index, in blocks.
    full: Vec<[u16; LANES]>,
    groups: Vec<Group>,
    /// The features of the groups, one group after the other.
    players: Vec<u32>,
    /// By group and index, one number per player.
    values: Vec<f64>,
}

#[derive(Debug)]
struct Group {
    first_value: usize,
    first_player: usize,
    player_count: usize,
}

/// A group of a tree.
pub(super) struct Member {
    tree: usize,
    plan: GroupPlan,
}

/// The groups of all trees, and by tree the leaves without a table. Paths with many features go without when the
/// tables would not fit otherwise.
pub(super) fn choose_groups(
    model: &Model,
    classes: &Classes,
    answers: &Answers,
) -> (Vec<Member>, Vec<Vec<u32>>) {
    let Body::Trees(ensemble) = &model.parts().body;
    let mut features_max = FEATURES_MAX;
    loop {
        let mut members = Vec::new();
        let mut deep = Vec::with_capacity(ensemble.trees.len());
        for (index, tree) in ensemble.trees.iter().enumerate() {
            let front = &model.parts().front;
            let grouping = Grouping {
                front,
                classes,
                answers,
                tree,
                index,
                features_max,
            };
            let groups = grouping.groups();
            members.extend(
                groups
                    .tabled
                    .into_iter()
                    .map(|plan| Member { tree: index, plan }),
            );
            deep.push(groups.deep);
        }
        let numbers: usize = members.iter().map(|member| member.plan.table_len()).sum();
        if numbers * size_of::<f64>() <= ATTRIBUTION_TABLE_BYTES_MAX || features_max == FEATURES_MIN
        {
            return (members, deep);
        }
        features_max -= 1;
    }
}

impl Tables {
    /// Solves the games of all groups against references, given as rows of columns. `None` when the model does not
    /// suit a [`ClassTable`].
    pub(super) fn new(
        model: &Model,
        classes: &Classes,
        members: Vec<Member>,
        references: &[Vec<f64>],
    ) -> Option<Self> {
        let indices = ClassTable::new(classes, members.len(), |slot, lane, words: &mut [u16]| {
            for field in members[lane]
                .plan
                .fields
                .iter()
                .filter(|field| field.slot == slot)
            {
                for (word, state) in words.iter_mut().zip(&field.state_of_class) {
                    *word &= !mask(field) | state << field.shift;
                }
            }
        })?;
        let mut full = vec![[0; LANES]; members.len().div_ceil(LANES)];
        for (word, member) in full.as_flattened_mut().iter_mut().zip(&members) {
            debug_assert!(
                member.plan.index_bits() <= INDEX_BITS_MAX,
                "groups are made so"
            );
            *word = (1 << member.plan.index_bits()) - 1;
        }
        let mut tables = Self {
            indices,
            full,
            groups: Vec::new(),
            players: Vec::new(),
            values: Vec::new(),
        };
        let counts = tables.count(classes, &members, references);
        for (member, counts) in members.iter().zip(&counts) {
            tables.add_group(model, member, counts, references.len());
        }
        Some(tables)
    }

    /// How many references have each index, by group.
    fn count(
        &self,
        classes: &Classes,
        members: &[Member],
        references: &[Vec<f64>],
    ) -> Vec<Vec<u32>> {
        let sizes = members.iter().map(|member| 1 << member.plan.index_bits());
        let mut counts: Vec<Vec<u32>> = sizes.map(|size: usize| vec![0; size]).collect();
        let mut found = vec![0; classes.columns().len()];
        for reference in references {
            classes.find(reference, &mut found);
            let mut words = self.full.clone();
            self.indices.intersect(&found, 0, &mut words);
            for (counts, index) in counts.iter_mut().zip(words.as_flattened()) {
                counts[usize::from(*index)] += 1;
            }
        }
        counts
    }

    /// Solves the games of a group's leaves and adds them up by index.
    fn add_group(
        &mut self,
        model: &Model,
        member: &Member,
        counts: &[u32],
        reference_count: usize,
    ) {
        let Body::Trees(ensemble) = &model.parts().body;
        let plan = &member.plan;
        let first_value = self.values.len();
        self.groups.push(Group {
            first_value,
            first_player: self.players.len(),
            player_count: plan.players.len(),
        });
        self.players.extend(&plan.players);
        self.values.resize(first_value + plan.table_len(), 0.0);
        for (place, leaf) in plan.leaves.iter().enumerate() {
            let value = ensemble.trees[member.tree].leaf_values[*leaf as usize];
            let scale = value / ensemble.summation.divisor / reference_count as f64;
            let features = features_of_leaf(plan, place);
            if features.is_empty() {
                continue;
            }
            let patterns: Vec<Option<usize>> = (0..counts.len())
                .map(|index| pattern(plan, place, &features, index))
                .collect();
            let mut shares = vec![0.0; 1 << features.len()];
            for (pattern, count) in patterns.iter().zip(counts) {
                if let Some(pattern) = pattern {
                    shares[*pattern] += f64::from(*count);
                }
            }
            let solution = Solution::new(shares);
            for (index, pattern) in patterns.into_iter().enumerate() {
                let Some(pattern) = pattern else { continue };
                let entry = first_value + index * plan.players.len();
                for (player, value) in features.iter().zip(solution.of(pattern)) {
                    self.values[entry + player] += scale * value;
                }
            }
        }
    }

    /// Adds the values of a row of classes to the features' totals.
    #[inline(always)]
    pub(super) fn add(&self, classes: &[u16], totals: &mut [f64]) {
        let mut words = [[0; LANES]; BLOCKS_AT_ONCE];
        let groups = self.groups.chunks(BLOCKS_AT_ONCE * LANES);
        for (chunk, (full, groups)) in self.full.chunks(BLOCKS_AT_ONCE).zip(groups).enumerate() {
            let words = &mut words[..full.len()];
            words.copy_from_slice(full);
            self.indices
                .intersect(classes, chunk * BLOCKS_AT_ONCE, words);
            for (group, index) in groups.iter().zip(words.as_flattened()) {
                let entry = group.first_value + usize::from(*index) * group.player_count;
                let values = &self.values[entry..][..group.player_count];
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

/// The players of a group that have a condition on the path to one of its leaves, by their place in the group.
fn features_of_leaf(plan: &GroupPlan, leaf: usize) -> Vec<usize> {
    let restricts = |field: &Field| field.states.iter().any(|state| state >> leaf & 1 == 0);
    let is_asked = |player: &u32| {
        let mut fields = plan.fields.iter().filter(|field| field.feature == *player);
        fields.any(restricts)
    };
    let players = plan.players.iter().enumerate();
    players
        .filter(|(_, player)| is_asked(player))
        .map(|(place, _)| place)
        .collect()
}

/// Which of its features' conditions a row with an index meets at a leaf: a bit for each of `features`. `None` for
/// an index without meaning.
fn pattern(plan: &GroupPlan, leaf: usize, features: &[usize], index: usize) -> Option<usize> {
    let mut pattern = (1 << features.len()) - 1;
    for field in &plan.fields {
        let is_allowed = field.allowed(index)? >> leaf & 1 == 1;
        let bit = features
            .iter()
            .position(|place| plan.players[*place] == field.feature);
        if let (false, Some(bit)) = (is_allowed, bit) {
            pattern &= !(1 << bit);
        }
    }
    Some(pattern)
}
