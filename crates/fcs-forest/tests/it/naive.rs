//! A second implementation that shares nothing with the crate: it reads only well-formed text, walks the arrays as
//! they are printed, and gets Shapley values by enumerating coalitions from the definition. Values are additive over
//! trees, and features that a tree does not ask for have none in it, so that 2^features of the tree are enough.

use std::collections::{BTreeSet, HashMap};

pub(crate) struct NaiveModel {
    feature_count: usize,
    trees: Vec<NaiveTree>,
}

struct NaiveTree {
    split_feature: Vec<usize>,
    threshold: Vec<f64>,
    decision_type: Vec<u8>,
    left_child: Vec<i64>,
    right_child: Vec<i64>,
    leaf_value: Vec<f64>,
    cat_boundaries: Vec<usize>,
    cat_threshold: Vec<u32>,
}

impl NaiveModel {
    pub(crate) fn new(text: &str) -> Self {
        let (header, rest) = text.split_once("\n\nTree=0\n").unwrap();
        let names = header
            .lines()
            .find_map(|line| line.strip_prefix("feature_names="))
            .unwrap();
        let (trees, _) = rest.split_once("\nend of trees\n").unwrap();
        Self {
            feature_count: names.split(' ').count(),
            trees: trees.split("\nTree=").map(NaiveTree::new).collect(),
        }
    }

    pub(crate) fn margin(&self, row: &[f64]) -> f64 {
        self.trees.iter().map(|tree| tree.value(row)).sum()
    }

    pub(crate) fn shapley_values(&self, row: &[f64], references: &[Vec<f64>]) -> Vec<f64> {
        let mut totals = vec![0.0; self.feature_count];
        for tree in &self.trees {
            tree.add_shapley_values(row, references, &mut totals);
        }
        totals
    }
}

impl NaiveTree {
    fn new(block: &str) -> Self {
        let fields: HashMap<&str, &str> = block
            .lines()
            .filter_map(|line| line.split_once('='))
            .collect();
        let list = |name: &str| {
            fields
                .get(name)
                .copied()
                .unwrap_or("")
                .split_whitespace()
                .collect::<Vec<_>>()
        };
        Self {
            split_feature: list("split_feature")
                .iter()
                .map(|v| v.parse().unwrap())
                .collect(),
            threshold: list("threshold")
                .iter()
                .map(|v| v.parse().unwrap())
                .collect(),
            decision_type: list("decision_type")
                .iter()
                .map(|v| v.parse().unwrap())
                .collect(),
            left_child: list("left_child")
                .iter()
                .map(|v| v.parse().unwrap())
                .collect(),
            right_child: list("right_child")
                .iter()
                .map(|v| v.parse().unwrap())
                .collect(),
            leaf_value: list("leaf_value")
                .iter()
                .map(|v| v.parse().unwrap())
                .collect(),
            cat_boundaries: list("cat_boundaries")
                .iter()
                .map(|v| v.parse().unwrap())
                .collect(),
            cat_threshold: list("cat_threshold")
                .iter()
                .map(|v| v.parse().unwrap())
                .collect(),
        }
    }

    fn value(&self, row: &[f64]) -> f64 {
        if self.split_feature.is_empty() {
            return self.leaf_value[0];
        }
        let mut at = 0_i64;
        while let Ok(node) = usize::try_from(at) {
            at = if self.is_left(node, row) {
                self.left_child[node]
            } else {
                self.right_child[node]
            };
        }
        self.leaf_value[usize::try_from(-at - 1).unwrap()]
    }

    fn is_left(&self, node: usize, row: &[f64]) -> bool {
        let value = row[self.split_feature[node]];
        let bits = self.decision_type[node];
        if bits & 1 == 1 {
            return self.is_in_set(self.threshold[node], value);
        }
        let default_left = bits & 2 == 2;
        let value = if value.abs() <= f64::from(1e-35_f32) {
            0.0
        } else {
            value
        };
        match bits / 4 {
            0 => (if value.is_nan() { 0.0 } else { value }) <= self.threshold[node],
            1 if value.is_nan() || value == 0.0 => default_left,
            2 if value.is_nan() => default_left,
            _ => value <= self.threshold[node],
        }
    }

    fn is_in_set(&self, set: f64, value: f64) -> bool {
        let whole = value.trunc();
        if whole.is_nan() || whole < 0.0 || whole > f64::from(i32::MAX) {
            return false;
        }
        let set = (0..self.cat_boundaries.len())
            .find(|&at| at as f64 == set)
            .unwrap();
        let words = &self.cat_threshold[self.cat_boundaries[set]..self.cat_boundaries[set + 1]];
        words.iter().enumerate().any(|(word, bits)| {
            (0..32).any(|bit| bits >> bit & 1 == 1 && (word * 32 + bit) as f64 == whole)
        })
    }

    fn add_shapley_values(&self, row: &[f64], references: &[Vec<f64>], totals: &mut [f64]) {
        let players: BTreeSet<usize> = self.split_feature.iter().copied().collect();
        let players: Vec<usize> = players.into_iter().collect();
        assert!(
            players.len() <= 15,
            "too many features for plain enumeration"
        );
        let coalitions = 1_usize << players.len();
        let mut worth = vec![0.0; coalitions];
        let mut hybrid = vec![0.0; row.len()];
        for reference in references {
            for (coalition, worth) in worth.iter_mut().enumerate() {
                hybrid.copy_from_slice(reference);
                for (player, &feature) in players.iter().enumerate() {
                    if coalition >> player & 1 == 1 {
                        hybrid[feature] = row[feature];
                    }
                }
                *worth += self.value(&hybrid) / references.len() as f64;
            }
        }
        let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
        for (player, &feature) in players.iter().enumerate() {
            for coalition in (0..coalitions).filter(|coalition| coalition >> player & 1 == 0) {
                let size = coalition.count_ones() as usize;
                let weight = factorial(size) * factorial(players.len() - size - 1)
                    / factorial(players.len());
                totals[feature] += weight * (worth[coalition | 1 << player] - worth[coalition]);
            }
        }
    }
}
