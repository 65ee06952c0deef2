//! Leaves with too many features on their paths for a table: they keep the patterns of the references.
//!
//! Let a feature be *own* when the applicant meets all the path's conditions on it and the reference does not, and
//! *foreign* when it is the other way round. If some feature is met by neither, no hybrid row reaches the leaf, and
//! all values are zero. Otherwise a hybrid reaches it exactly when it has every own and no foreign feature of the
//! applicant, and then (with p own and q foreign features) each own feature gets `v (p-1)! q! / (p+q)!` and each
//! foreign one `-v p! (q-1)! / (p+q)!`. (Laberge and Pequignot, arXiv 2209.15123, 2022.)
//!
//! The foreign features of every reference that counts are thus the same, namely those that the applicant does not
//! meet: only references that meet all of them count, and their values are added up once.

use super::super::error::AttributionError;
use crate::ensemble::Ensemble;
use crate::limits::{ATTRIBUTION_ENTRIES_MAX, PATH_FEATURES_MAX};
use crate::model::Model;
use crate::tree::{Child, Tree};

/// The deep leaves of a model.
#[derive(Debug)]
pub(super) struct DeepLeaves {
    /// Tree by tree from left to right.
    leaves: Vec<Leaf>,
}

/// A leaf, its path, and what the references look like from there. Features are numbered in the order in which the path
/// comes to them: the first has the highest bit of a pattern. So leaves number the features of their common path alike.
#[derive(Debug)]
struct Leaf {
    tree: usize,
    value: f64,
    features: Vec<u32>,
    /// How many nodes of its path are also on the path of the leaf before, which is of the same tree, with the same
    /// branches taken.
    common: usize,
    /// The others.
    conditions: Vec<Condition>,
    patterns: Vec<Pattern>,
}

/// A node on the path, and the branch that leads on to the leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Condition {
    node: u32,
    left: bool,
    /// Number of its feature.
    feature: u8,
}

/// The references that meet exactly these features' conditions.
#[derive(Debug, Clone, Copy)]
struct Pattern {
    met: u64,
    /// Part of the population, in (0, 1].
    share: f64,
}

impl DeepLeaves {
    /// Condenses references, given as rows of columns, to the patterns that the deep leaves of each tree see.
    pub(super) fn new(
        model: &Model,
        ensemble: &Ensemble,
        deep: &[Vec<u32>],
        references: &[Vec<f64>],
    ) -> Result<Self, AttributionError> {
        let mut leaves = Vec::new();
        let mut entries = 0;
        for (index, (tree, wanted)) in ensemble.trees.iter().zip(deep).enumerate() {
            if wanted.is_empty() {
                continue;
            }
            let mut path_before: Vec<Condition> = Vec::new();
            for mut leaf in leaves_of(model, tree, index, wanted)? {
                leaf.value /= ensemble.summation.divisor;
                leaf.add_patterns(tree, references);
                let path = leaf.conditions.clone();
                let pairs = path.iter().zip(&path_before);
                leaf.common = pairs.take_while(|(one, before)| one == before).count();
                leaf.conditions.drain(..leaf.common);
                leaf.conditions.shrink_to_fit();
                path_before = path;
                entries += leaf.conditions.len() + leaf.patterns.len();
                if entries > ATTRIBUTION_ENTRIES_MAX {
                    return Err(AttributionError::TooLarge { tree: index });
                }
                leaves.push(leaf);
            }
        }
        Ok(Self { leaves })
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Adds the values of a row of columns to the features' totals.
    pub(super) fn add(&self, trees: &[Tree], columns: &[f64], totals: &mut [f64]) {
        // What the row does not meet, after each node of the path.
        let mut unmet = Vec::new();
        for leaf in &self.leaves {
            unmet.truncate(leaf.common);
            leaf.add_unmet(&trees[leaf.tree], columns, &mut unmet);
            let foreign = unmet.last().copied().unwrap_or(0);
            leaf.add_contributions(foreign, totals);
        }
    }
}

impl Leaf {
    /// Adds, for each of the conditions, the features that a row has not met by then.
    fn add_unmet(&self, tree: &Tree, columns: &[f64], unmet: &mut Vec<u64>) {
        let mut so_far = unmet.last().copied().unwrap_or(0);
        for condition in &self.conditions {
            let node = &tree.nodes[condition.node as usize];
            let left = tree.goes_left(&node.test, columns[node.column as usize]);
            so_far |= u64::from(left != condition.left) << 63 >> condition.feature;
            unmet.push(so_far);
        }
    }

    /// Counts the references by their patterns; the leaf still has its whole path.
    fn add_patterns(&mut self, tree: &Tree, references: &[Vec<f64>]) {
        let mut unmet = Vec::with_capacity(self.conditions.len());
        let pattern = |row: &Vec<f64>| {
            unmet.clear();
            self.add_unmet(tree, row, &mut unmet);
            self.all() & !unmet.last().copied().unwrap_or(0)
        };
        let mut met: Vec<u64> = references.iter().map(pattern).collect();
        met.sort_unstable();
        for same in met.chunk_by(|one, other| one == other) {
            let share = same.len() as f64 / references.len() as f64;
            self.patterns.push(Pattern {
                met: same[0],
                share,
            });
        }
    }

    /// The pattern of a row that reaches the leaf.
    fn all(&self) -> u64 {
        u64::MAX << (PATH_FEATURES_MAX - self.features.len())
    }

    /// Adds the values of a row that does not meet some features.
    fn add_contributions(&self, foreign: u64, totals: &mut [f64]) {
        let met = self.all() & !foreign;
        let foreign_count = foreign.count_ones();
        let mut value_of_foreign = 0.0;
        for pattern in &self.patterns {
            if foreign & !pattern.met != 0 {
                continue;
            }
            let own = met & !pattern.met;
            let own_count = own.count_ones();
            let value = self.value * pattern.share;
            self.add(own, value * weight(own_count, foreign_count), totals);
            value_of_foreign -= value * weight(foreign_count, own_count);
        }
        self.add(foreign, value_of_foreign, totals);
    }

    /// Adds the same value to each feature of a pattern.
    fn add(&self, mut pattern: u64, value: f64, totals: &mut [f64]) {
        while pattern != 0 {
            let number = pattern.leading_zeros();
            totals[self.features[number as usize] as usize] += value;
            pattern &= !(1 << 63 >> number);
        }
    }
}

/// The wanted leaves of a tree with their paths, still without patterns.
fn leaves_of(
    model: &Model,
    tree: &Tree,
    index: usize,
    wanted: &[u32],
) -> Result<Vec<Leaf>, AttributionError> {
    let mut is_wanted = vec![false; tree.leaf_values.len()];
    for &leaf in wanted {
        is_wanted[leaf as usize] = true;
    }
    let mut leaves = Vec::new();
    // The path of the child at hand. A pending child knows how much of it is above its parent, and the step from there.
    let mut path: Vec<(u32, bool)> = Vec::new();
    let mut pending = vec![(tree.root(), 0, None)];
    while let Some((child, depth, step)) = pending.pop() {
        path.truncate(depth);
        path.extend(step);
        match child {
            Child::Node(node) => {
                let branches = &tree.nodes[node as usize];
                for (next, left) in [(branches.right, false), (branches.left, true)] {
                    pending.push((next, path.len(), Some((node, left))));
                }
            }
            Child::Leaf(leaf) if is_wanted[leaf as usize] => {
                leaves.push(leaf_of_path(model, tree, index, leaf, &path)?);
            }
            Child::Leaf(_) => {}
        }
    }
    Ok(leaves)
}

fn leaf_of_path(
    model: &Model,
    tree: &Tree,
    index: usize,
    leaf: u32,
    path: &[(u32, bool)],
) -> Result<Leaf, AttributionError> {
    let feature = |node: u32| {
        model
            .parts()
            .front
            .feature_of(tree.nodes[node as usize].column)
    };
    let mut features: Vec<u32> = Vec::new();
    for &(node, _) in path {
        if !features.contains(&feature(node)) {
            features.push(feature(node));
        }
    }
    if features.len() > PATH_FEATURES_MAX {
        let features = features.len();
        return Err(AttributionError::PathFeatures {
            tree: index,
            leaf,
            features,
        });
    }
    let mut conditions = Vec::with_capacity(path.len());
    for &(node, left) in path {
        let position = features.iter().position(|other| *other == feature(node));
        let position = position.expect("every feature of the path is known");
        conditions.push(Condition {
            node,
            left,
            feature: u8::try_from(position).expect("a path has at most 64 features"),
        });
    }
    let value = tree.leaf_values[leaf as usize];
    Ok(Leaf {
        tree: index,
        value,
        features,
        common: 0,
        conditions,
        patterns: Vec::new(),
    })
}

/// `(p-1)! q! / (p+q)!` for p features on one side, this one among them, and q on the other.
fn weight(side: u32, other_side: u32) -> f64 {
    WEIGHTS[side as usize][other_side as usize]
}

static WEIGHTS: [[f64; PATH_FEATURES_MAX + 1]; PATH_FEATURES_MAX + 1] = weights();

/// `(p-1)! q! / (p+q)!` is `1 / (p * binomial(p+q, p))`. The binomials up to 64 fit 64 bits, so that each weight is
/// rounded only by its last operations. Entries without a meaning (p = 0, p + q > 64) are 0.
#[expect(
    clippy::large_stack_arrays,
    reason = "evaluated by the compiler, never on a stack"
)]
const fn weights() -> [[f64; PATH_FEATURES_MAX + 1]; PATH_FEATURES_MAX + 1] {
    let mut table = [[0.0; PATH_FEATURES_MAX + 1]; PATH_FEATURES_MAX + 1];
    // Row n of Pascal's triangle, made from row n - 1 in place.
    let mut binomials = [0_u64; PATH_FEATURES_MAX + 1];
    binomials[0] = 1;
    let mut total = 1;
    while total <= PATH_FEATURES_MAX {
        let mut side = total;
        while side > 0 {
            binomials[side] += binomials[side - 1];
            table[side][total - side] = 1.0 / (side as f64 * binomials[side] as f64);
            side -= 1;
        }
        total += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_the_factorial_ratios() {
        let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
        for own in 1..=20 {
            for foreign in 0..=20 {
                let expected = factorial(own - 1) * factorial(foreign) / factorial(own + foreign);
                assert!(
                    (weight(own, foreign) / expected - 1.0).abs() < 1e-14,
                    "{own} {foreign}"
                );
            }
        }
        assert_eq!(weight(0, 3).to_bits(), 0);
        assert_eq!(weight(64, 0).to_bits(), (1.0_f64 / 64.0).to_bits());
        assert_eq!(weight(1, 63).to_bits(), (1.0_f64 / 64.0).to_bits());
    }
}
