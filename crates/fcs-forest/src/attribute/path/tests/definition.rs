//! Values by their definition: every coalition, and coalitions of one size together.

use super::FEATURES;
use crate::attribute::path::cover::share;
use crate::tree::{Child, Tree};

/// What a coalition is worth: below a node both ways in proportion, unless the coalition has its feature.
pub(super) fn worth(tree: &Tree, child: Child, row: &[f64], coalition: &[bool]) -> f64 {
    let index = match child {
        Child::Leaf(leaf) => return tree.leaf_values[leaf as usize],
        Child::Node(index) => index,
    };
    let node = &tree.nodes[index as usize];
    let column = node.column as usize;
    let below = |child| worth(tree, child, row, coalition);
    if coalition[column] {
        let goes_left = tree.goes_left(&node.test, row[column]);
        below(if goes_left { node.left } else { node.right })
    } else {
        [node.left, node.right]
            .map(|child| share(tree, index, child) * below(child))
            .iter()
            .sum()
    }
}

/// `s! (d - s - 1)! / d!`.
fn weight(size: usize, count: usize) -> f64 {
    let product = |range: std::ops::RangeInclusive<usize>| range.map(|k| k as f64).product::<f64>();
    // The binomial coefficient of d - 1 and s.
    let binomial = product(count - size..=count - 1) / product(1..=size);
    1.0 / (count as f64 * binomial)
}

/// By enumerating the coalitions.
pub(super) fn enumerated(tree: &Tree, row: &[f64]) -> Vec<f64> {
    let mut players: Vec<usize> = tree.nodes.iter().map(|node| node.column as usize).collect();
    players.sort_unstable();
    players.dedup();
    let coalitions = 0..1_usize << players.len();
    let worths: Vec<f64> = coalitions
        .clone()
        .map(|coalition| {
            let mut has = [false; FEATURES];
            for (bit, player) in players.iter().enumerate() {
                has[*player] = coalition >> bit & 1 == 1;
            }
            worth(tree, tree.root(), row, &has)
        })
        .collect();
    let mut values = vec![0.0; FEATURES];
    for (bit, player) in players.iter().enumerate() {
        for without in coalitions
            .clone()
            .filter(|coalition| coalition >> bit & 1 == 0)
        {
            let weight = weight(without.count_ones() as usize, players.len());
            values[*player] += weight * (worths[without | 1 << bit] - worths[without]);
        }
    }
    values
}

/// Leaf by leaf, coalitions of one size together.
pub(super) fn by_size(tree: &Tree, row: &[f64]) -> Vec<f64> {
    let mut values = vec![0.0; FEATURES];
    for (leaf, value) in (0..).zip(&tree.leaf_values) {
        // Feature, whether the row meets its conditions, and the share of the training data that does.
        let mut factors: Vec<(usize, f64, f64)> = Vec::new();
        for (index, child) in tree.path_to(leaf) {
            let node = &tree.nodes[index as usize];
            let column = node.column as usize;
            let side = if tree.goes_left(&node.test, row[column]) {
                node.left
            } else {
                node.right
            };
            let met = f64::from(u8::from(side == child));
            let share = share(tree, index, child);
            match factors.iter_mut().find(|(feature, ..)| *feature == column) {
                Some((_, met_before, share_before)) => {
                    *met_before *= met;
                    *share_before *= share;
                }
                None => factors.push((column, met, share)),
            }
        }
        for (feature, met, share) in &factors {
            let mut by_size = vec![1.0];
            for (_, met, share) in factors.iter().filter(|(other, ..)| other != feature) {
                by_size.push(0.0);
                for size in (0..by_size.len()).rev() {
                    let smaller = if size > 0 { by_size[size - 1] } else { 0.0 };
                    by_size[size] = share * by_size[size] + met * smaller;
                }
            }
            let worth: f64 = by_size
                .iter()
                .enumerate()
                .map(|(size, worth)| weight(size, factors.len()) * worth)
                .sum();
            values[*feature] += value * (met - share) * worth;
        }
    }
    values
}
