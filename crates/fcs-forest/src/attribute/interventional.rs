//! Exact interventional Shapley values of a margin against a reference population.
//!
//! The game of an applicant x and a reference z: a coalition S of features is worth the model's margin on the row
//! that has x's values on S and z's elsewhere. Its Shapley values say how much each feature moved x's margin away
//! from z's; averaged over the references they add up to margin(x) minus the mean margin of the population.
//!
//! A forest's game is the sum of its leaves' games, and a leaf's game has a closed form. On the path to a leaf of
//! value v, let a feature be *own* when x meets all the path's conditions on it and z does not, and *foreign* when z
//! does and x does not. If some feature is met by neither, the hybrid row never reaches the leaf, and all values are
//! zero. Otherwise it is reached exactly when S holds every own and no foreign feature, and then (with p own and q
//! foreign features) each own feature gets `v (p-1)! q! / (p+q)!` and each foreign one `-v p! (q-1)! / (p+q)!`.
//! (Laberge and Pequignot, "Understanding interventional TreeSHAP: how and why it works", arXiv 2209.15123, 2022.)
//!
//! All that a leaf needs to know of a reference is which path features it meets. So the population is condensed
//! once to the distinct patterns per leaf with their shares, and a request works on patterns, not on references.

use super::error::AttributionError;
use crate::limits::{ATTRIBUTION_ENTRIES_MAX, PATH_FEATURES_MAX};
use crate::model::{Body, Model};
use crate::tree::{Child, Tree};

/// Attributes margins of one model to its features, against one reference population.
#[derive(Debug)]
pub struct Attributor {
    model: Model,
    /// Of each tree, the leaves that have conditions.
    leaves: Vec<Vec<Leaf>>,
    feature_count: usize,
    base_margin: f64,
}

/// A leaf, its path, and what the references look like from there. Features of the path are numbered from 0 in
/// `features`; that number is their bit in a pattern.
#[derive(Debug)]
struct Leaf {
    value: f64,
    features: Vec<u32>,
    conditions: Vec<Condition>,
    patterns: Vec<Pattern>,
}

/// A node on the path, and the branch that leads on to the leaf.
#[derive(Debug, Clone, Copy)]
struct Condition {
    node: u32,
    left: bool,
    bit: u8,
}

/// The references that meet exactly these features' conditions.
#[derive(Debug, Clone, Copy)]
struct Pattern {
    met: u64,
    /// Part of the population, in (0, 1].
    share: f64,
}

impl Attributor {
    /// Condenses the reference population. Rows have one number per feature, NaN for missing.
    ///
    /// Takes time in proportion to leaves, path length and references; keeps at most one pattern per leaf and
    /// reference, and far fewer when references resemble each other.
    ///
    /// # Errors
    /// [`AttributionError`] for an empty population, a row of a wrong length, or a model past a limit.
    pub fn new(model: &Model, references: &[Vec<f64>]) -> Result<Self, AttributionError> {
        let feature_count = model.feature_names().len();
        if references.is_empty() {
            return Err(AttributionError::NoReferences);
        }
        if let Some(row) = references.iter().position(|row| row.len() != feature_count) {
            let found = references[row].len();
            return Err(AttributionError::RowLength {
                row,
                expected: feature_count,
                found,
            });
        }
        let mut entries = Entries::default();
        let mut leaves = Vec::with_capacity(model.tree_count());
        let Body::Trees(ensemble) = &model.parts().body;
        let mut buffer = Vec::new();
        let columns: Vec<Vec<f64>> = references
            .iter()
            .map(|row| model.columns(row, &mut buffer).to_vec())
            .collect();
        for (index, tree) in ensemble.trees.iter().enumerate() {
            // This also bounds what one tree's patterns can add before the next check.
            if references.len().saturating_mul(tree.nodes.len()) > ATTRIBUTION_ENTRIES_MAX {
                return Err(AttributionError::TooLarge { tree: index });
            }
            let mut tree_leaves = paths(model, tree, index, &mut entries)?;
            add_patterns(tree, &mut tree_leaves, &columns);
            entries.patterns += tree_leaves
                .iter()
                .map(|leaf| leaf.patterns.len())
                .sum::<usize>();
            entries.check(index)?;
            leaves.push(tree_leaves);
        }
        let margins = references.iter().map(|row| model.margin(row)).sum::<f64>();
        let base_margin = margins / references.len() as f64;
        Ok(Self {
            model: model.clone(),
            leaves,
            feature_count,
            base_margin,
        })
    }

    /// Mean margin of the reference population.
    pub fn base_margin(&self) -> f64 {
        self.base_margin
    }

    /// The Shapley value of each feature, in the order of the row and in units of the margin. Added to
    /// [`Self::base_margin`] they give the row's margin, but for rounding. A feature that no tree asks for has
    /// exactly 0.
    ///
    /// # Panics
    /// When the row does not have one number per feature: rows are checked against the schema before they get here.
    pub fn contributions(&self, row: &[f64]) -> Vec<f64> {
        assert_eq!(
            row.len(),
            self.feature_count,
            "a row has one number per feature"
        );
        let mut totals = vec![0.0; self.feature_count];
        let mut branches = Vec::new();
        let mut buffer = Vec::new();
        let columns = self.model.columns(row, &mut buffer);
        let Body::Trees(ensemble) = &self.model.parts().body;
        for (tree, leaves) in ensemble.trees.iter().zip(&self.leaves) {
            decide_all(tree, columns, &mut branches);
            for leaf in leaves {
                leaf.add_contributions(&branches, &mut totals);
            }
        }
        totals
    }
}

impl Leaf {
    /// The pattern of a row: bit f is set when it meets all of the path's conditions on feature f.
    fn met(&self, branches: &[bool]) -> u64 {
        let mut met = self.all();
        for condition in &self.conditions {
            let broken = branches[condition.node as usize] != condition.left;
            met &= !(u64::from(broken) << condition.bit);
        }
        met
    }

    /// The pattern of a row that reaches the leaf.
    fn all(&self) -> u64 {
        u64::MAX >> (PATH_FEATURES_MAX - self.features.len())
    }

    fn add_contributions(&self, branches: &[bool], totals: &mut [f64]) {
        let (met, all) = (self.met(branches), self.all());
        for pattern in &self.patterns {
            if met | pattern.met != all {
                continue;
            }
            let (own, foreign) = (met & !pattern.met, pattern.met & !met);
            let (own_count, foreign_count) = (own.count_ones(), foreign.count_ones());
            let value = self.value * pattern.share;
            self.add(own, value * weight(own_count, foreign_count), totals);
            self.add(foreign, -value * weight(foreign_count, own_count), totals);
        }
    }

    /// Adds the same value to each feature of a pattern.
    fn add(&self, mut pattern: u64, value: f64, totals: &mut [f64]) {
        while pattern != 0 {
            totals[self.features[pattern.trailing_zeros() as usize] as usize] += value;
            pattern &= pattern - 1;
        }
    }
}

/// How much the attributor has stored so far.
#[derive(Default)]
struct Entries {
    conditions: usize,
    patterns: usize,
}

impl Entries {
    fn check(&self, tree: usize) -> Result<(), AttributionError> {
        if self.conditions.max(self.patterns) > ATTRIBUTION_ENTRIES_MAX {
            return Err(AttributionError::TooLarge { tree });
        }
        Ok(())
    }
}

/// The leaves of a tree with their paths, still without patterns. None for a tree that is a single leaf: it adds
/// the same to every margin and so belongs to the base alone.
fn paths(
    model: &Model,
    tree: &Tree,
    index: usize,
    entries: &mut Entries,
) -> Result<Vec<Leaf>, AttributionError> {
    let mut leaves = Vec::new();
    let mut pending = vec![(tree.root(), Vec::<(u32, bool)>::new())];
    while let Some((child, path)) = pending.pop() {
        match child {
            Child::Node(node) => {
                let branches = &tree.nodes[node as usize];
                for (next, left) in [(branches.right, false), (branches.left, true)] {
                    let mut longer = path.clone();
                    longer.push((node, left));
                    pending.push((next, longer));
                }
            }
            Child::Leaf(leaf) if !path.is_empty() => {
                entries.conditions += path.len();
                entries.check(index)?;
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
    let mut features: Vec<u32> = path.iter().map(|&(node, _)| feature(node)).collect();
    features.sort_unstable();
    features.dedup();
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
        let position = features.partition_point(|&other| other < feature(node));
        let bit = u8::try_from(position).expect("a path has at most 64 features");
        conditions.push(Condition { node, left, bit });
    }
    let value = tree.leaf_values[leaf as usize];
    Ok(Leaf {
        value,
        features,
        conditions,
        patterns: Vec::new(),
    })
}

fn add_patterns(tree: &Tree, leaves: &mut [Leaf], references: &[Vec<f64>]) {
    let mut branches_of: Vec<Vec<bool>> = vec![Vec::new(); references.len()];
    for (row, branches) in references.iter().zip(&mut branches_of) {
        decide_all(tree, row, branches);
    }
    let mut met = Vec::with_capacity(references.len());
    for leaf in leaves {
        met.clear();
        met.extend(branches_of.iter().map(|branches| leaf.met(branches)));
        met.sort_unstable();
        for same in met.chunk_by(|one, other| one == other) {
            let share = same.len() as f64 / references.len() as f64;
            leaf.patterns.push(Pattern {
                met: same[0],
                share,
            });
        }
    }
}

/// For every node of the tree, whether the row would go left there.
fn decide_all(tree: &Tree, row: &[f64], branches: &mut Vec<bool>) {
    branches.clear();
    branches.extend(
        tree.nodes
            .iter()
            .map(|node| tree.goes_left(&node.test, row[node.column as usize])),
    );
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
