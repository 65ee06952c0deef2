//! What the covers of a tree say: which part of the training data went where.

use super::super::error::AttributionError;
use crate::tree::{Child, Tree};

/// The mean of a tree's leaves by their cover, which is checked on the way.
pub(super) fn mean_value(tree: &Tree, index: usize) -> Result<f64, AttributionError> {
    let Some(cover) = &tree.cover else {
        return if tree.nodes.is_empty() {
            Ok(tree.leaf_values[0])
        } else {
            Err(AttributionError::NoCover { tree: index })
        };
    };
    let is_usable = |cover: &f64| cover.is_finite() && *cover > 0.0;
    if !tree.nodes.is_empty() && !cover.nodes.iter().chain(&cover.leaves).all(is_usable) {
        return Err(AttributionError::EmptyCover { tree: index });
    }
    let mut means = vec![0.0; tree.nodes.len()];
    for node in tree.children_first() {
        let branches = &tree.nodes[node as usize];
        let part = |child| {
            let value = match child {
                Child::Leaf(leaf) => tree.leaf_values[leaf as usize],
                Child::Node(node) => means[node as usize],
            };
            value * share(tree, node, child)
        };
        means[node as usize] = part(branches.left) + part(branches.right);
    }
    Ok(means.first().copied().unwrap_or(tree.leaf_values[0]))
}

/// The part of a node's training data that went on to a child; 1 without cover.
pub(super) fn share(tree: &Tree, node: u32, child: Child) -> f64 {
    let Some(cover) = &tree.cover else { return 1.0 };
    let below = match child {
        Child::Leaf(leaf) => cover.leaves[leaf as usize],
        Child::Node(node) => cover.nodes[node as usize],
    };
    below / cover.nodes[node as usize]
}
