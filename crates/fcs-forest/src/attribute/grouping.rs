//! Divides the leaves of a tree into groups that one table each can answer for.
//!
//! A group is the leaves below one node. To each column on their paths a class matters only by the leaves of the
//! group that it allows, which gives the column few *states*; a table has an entry for every combination of them.
//! Two neighbouring groups become one when its table is not much larger than their two: so a request looks at fewer
//! tables, which themselves take less room.

use crate::answers::Answers;
use crate::class_table::Word as _;
use crate::classes::Classes;
use crate::front::Front;
use crate::tree::{Child, Tree};

/// Bits of an index into a table.
pub(super) const INDEX_BITS_MAX: u32 = 14;
/// Joining two groups may make their tables this many times larger.
const GROWTH_MAX: f64 = 1.3;

/// Leaves of one tree that share a table.
#[derive(Debug, Clone)]
pub(super) struct GroupPlan {
    /// Indices in the tree, at most 64.
    pub(super) leaves: Vec<u32>,
    /// The columns of their paths.
    pub(super) fields: Vec<Field>,
    /// The features of their paths, ascending.
    pub(super) players: Vec<u32>,
}

/// What a column says about the leaves of a group.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// Place of the column in [`Classes::columns`].
    pub(super) slot: usize,
    pub(super) feature: u32,
    /// First bit of the state in an index.
    pub(super) shift: u32,
    /// The leaves that each state allows: a bit per leaf of the group.
    pub(super) states: Vec<u64>,
    /// The state of each class.
    pub(super) state_of_class: Vec<u16>,
}

impl Field {
    /// Bits of the state in an index.
    pub(super) fn width(&self) -> u32 {
        (self.states.len() - 1)
            .checked_ilog2()
            .map_or(0, |log| log + 1)
    }

    /// The leaves that an index allows, as far as this column is concerned; `None` for an index without meaning.
    pub(super) fn allowed(&self, index: usize) -> Option<u64> {
        let state = index >> self.shift & ((1 << self.width()) - 1);
        self.states.get(state).copied()
    }
}

impl GroupPlan {
    /// Bits of an index into its table.
    pub(super) fn index_bits(&self) -> u32 {
        self.fields.iter().map(Field::width).sum()
    }

    /// Numbers in its table.
    pub(super) fn table_len(&self) -> usize {
        self.players.len() << self.index_bits()
    }
}

/// What the groups of a tree are made from.
pub(super) struct Grouping<'a> {
    pub(super) front: &'a Front,
    pub(super) classes: &'a Classes,
    pub(super) answers: &'a Answers,
    pub(super) tree: &'a Tree,
    /// Number of the tree.
    pub(super) index: usize,
    /// Paths with more features than this have no table.
    pub(super) features_max: usize,
}

/// What a node says about the leaves of a group: which stay possible on its left and on its right.
type Condition = (u32, u64, u64);

/// A bit for each of some leaves.
fn all(leaves: &[u32]) -> u64 {
    u64::ALL >> (64 - leaves.len())
}

/// The groups below a node, and the leaves whose paths have too many features.
#[derive(Default)]
pub(super) struct Groups {
    pub(super) tabled: Vec<GroupPlan>,
    pub(super) deep: Vec<u32>,
}

impl Grouping<'_> {
    /// The groups of the whole tree. None for a tree that is a single leaf.
    pub(super) fn groups(&self) -> Groups {
        match self.tree.root() {
            Child::Leaf(_) => Groups::default(),
            root @ Child::Node(_) => self.groups_below(root, &mut Vec::new()),
        }
    }

    /// The groups at and below a child. Its path is the nodes above it with the branch taken (true for left), and is
    /// the same again afterwards. Calls itself as deep as the tree is, at most [`DEPTH_MAX`](crate::limits::DEPTH_MAX).
    fn groups_below(&self, child: Child, path: &mut Vec<(u32, bool)>) -> Groups {
        let node = match child {
            Child::Leaf(leaf) => return self.of_leaf(leaf, path),
            Child::Node(node) => node,
        };
        let branches = &self.tree.nodes[node as usize];
        path.push((node, true));
        let mut left = self.groups_below(branches.left, path);
        path.pop();
        path.push((node, false));
        let right = self.groups_below(branches.right, path);
        path.pop();
        self.joined(&left, &right, path, node).unwrap_or_else(|| {
            left.tabled.extend(right.tabled);
            left.deep.extend(right.deep);
            left
        })
    }

    fn of_leaf(&self, leaf: u32, path: &[(u32, bool)]) -> Groups {
        // Counted first, as a plan of many features is much work.
        let plan = (!self.has_many_features(path))
            .then(|| self.plan(vec![leaf], path, &[]))
            .filter(|plan| plan.index_bits() <= INDEX_BITS_MAX);
        match plan {
            Some(plan) => Groups {
                tabled: vec![plan],
                deep: Vec::new(),
            },
            None => Groups {
                tabled: Vec::new(),
                deep: vec![leaf],
            },
        }
    }

    /// Whether a path has more features than a table takes.
    fn has_many_features(&self, path: &[(u32, bool)]) -> bool {
        let mut features = Vec::new();
        for (node, _) in path {
            let feature = self.feature(*node);
            if !features.contains(&feature) {
                features.push(feature);
            }
            if features.len() > self.features_max {
                return true;
            }
        }
        false
    }

    /// The groups on both sides of a node as one, if they are one each and it pays.
    fn joined(
        &self,
        left: &Groups,
        right: &Groups,
        path: &[(u32, bool)],
        node: u32,
    ) -> Option<Groups> {
        let ([one], [other]) = (&left.tabled[..], &right.tabled[..]) else {
            return None;
        };
        let leaves: Vec<u32> = one.leaves.iter().chain(&other.leaves).copied().collect();
        if !left.deep.is_empty() || !right.deep.is_empty() || leaves.len() > 64 {
            return None;
        }
        let plan = self.plan(leaves, path, &[node]);
        let separate = (one.table_len() + other.table_len()) as f64;
        let pays = plan.table_len() as f64 <= separate * GROWTH_MAX;
        (plan.index_bits() <= INDEX_BITS_MAX && pays).then(|| Groups {
            tabled: vec![plan],
            deep: Vec::new(),
        })
    }

    /// The plan of the leaves below a node, which are at most 64, with only those columns whose features are asked
    /// there: what the path above it says about other features is the same for all its leaves.
    pub(super) fn plan_of_subtree(
        &self,
        leaves: Vec<u32>,
        path: &[(u32, bool)],
        node: u32,
    ) -> GroupPlan {
        let mut conditions = self.conditions(&leaves, path, &[node]);
        let asked: Vec<u32> = conditions[path.len()..]
            .iter()
            .map(|(node, ..)| self.feature(*node))
            .collect();
        conditions.retain(|(node, ..)| asked.contains(&self.feature(*node)));
        self.plan_of_conditions(leaves, &conditions)
    }

    /// The plan of some leaves: all that lie below the node `top`, or one leaf at the end of its path.
    fn plan(&self, leaves: Vec<u32>, path: &[(u32, bool)], top: &[u32]) -> GroupPlan {
        let conditions = self.conditions(&leaves, path, top);
        self.plan_of_conditions(leaves, &conditions)
    }

    /// The conditions on some leaves, those of the path first.
    fn conditions(&self, leaves: &[u32], path: &[(u32, bool)], top: &[u32]) -> Vec<Condition> {
        let all = all(leaves);
        let mut conditions: Vec<Condition> = path
            .iter()
            .map(|(node, left)| {
                if *left {
                    (*node, all, 0)
                } else {
                    (*node, 0, all)
                }
            })
            .collect();
        for node in top {
            self.add_conditions(Child::Node(*node), leaves, &mut conditions);
        }
        conditions
    }

    fn plan_of_conditions(&self, leaves: Vec<u32>, conditions: &[Condition]) -> GroupPlan {
        let all = all(&leaves);
        let mut slots: Vec<usize> = conditions
            .iter()
            .map(|(node, ..)| self.slot(*node))
            .collect();
        slots.sort_unstable();
        slots.dedup();
        let mut fields: Vec<Field> = Vec::with_capacity(slots.len());
        let mut shift = 0;
        for slot in slots {
            let field = self.field(slot, shift, all, conditions);
            shift += field.width();
            fields.push(field);
        }
        let mut players: Vec<u32> = fields.iter().map(|field| field.feature).collect();
        players.sort_unstable();
        players.dedup();
        GroupPlan {
            leaves,
            fields,
            players,
        }
    }

    /// Adds the conditions at and below a child; the leaves of the group that lie there.
    fn add_conditions(&self, child: Child, leaves: &[u32], conditions: &mut Vec<Condition>) -> u64 {
        match child {
            Child::Leaf(leaf) => {
                let place = leaves.iter().position(|known| *known == leaf);
                place.map_or(0, u64::of)
            }
            Child::Node(node) => {
                let branches = &self.tree.nodes[node as usize];
                let left = self.add_conditions(branches.left, leaves, conditions);
                let right = self.add_conditions(branches.right, leaves, conditions);
                conditions.push((node, !right, !left));
                left | right
            }
        }
    }

    fn slot(&self, node: u32) -> usize {
        self.classes.slot(self.tree.nodes[node as usize].column)
    }

    fn feature(&self, node: u32) -> u32 {
        self.front.feature_of(self.tree.nodes[node as usize].column)
    }

    fn field(&self, slot: usize, shift: u32, all: u64, conditions: &[Condition]) -> Field {
        let column = &self.classes.columns()[slot];
        let mut allowed = vec![all; column.count()];
        for (node, left, right) in conditions {
            if self.slot(*node) != slot {
                continue;
            }
            let answers = self.answers.of(self.index, *node as usize, column.count());
            for (allowed, goes_left) in allowed.iter_mut().zip(answers) {
                *allowed &= if *goes_left { *left } else { *right };
            }
        }
        let mut states: Vec<u64> = Vec::new();
        let mut state_of_class = Vec::with_capacity(allowed.len());
        for allowed in allowed {
            let known = states.iter().position(|state| *state == allowed);
            let state = known.unwrap_or_else(|| {
                states.push(allowed);
                states.len() - 1
            });
            state_of_class.push(u16::try_from(state).expect("a group has few states"));
        }
        Field {
            slot,
            feature: self.front.feature_of(column.column()),
            shift,
            states,
            state_of_class,
        }
    }
}
