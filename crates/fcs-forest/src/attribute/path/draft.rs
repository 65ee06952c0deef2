//! The nodes of a tree on their way into a group: what the paths above them say.

use super::share;
use crate::model::Model;
use crate::tree::{Child, Tree};

/// A node on its way into a group.
pub(super) struct Draft {
    pub(super) tree: usize,
    pub(super) node: u32,
    pub(super) depth: usize,
    /// Whether both children are leaves.
    pub(super) is_bottom: bool,
    /// The nearest node above with the same feature, and the side of it.
    pub(super) above: Option<(u32, u8)>,
    /// One divided by the shares of the conditions on the feature so far.
    pub(super) inverse_share: f64,
    /// Of all training data, the part at this node.
    pub(super) share_of_all: f64,
}

impl Draft {
    /// What the nodes of one run have in common, in the order of the runs: bottom nodes last.
    pub(super) fn run(&self) -> (bool, usize, bool) {
        let is_repeated = self.above.is_some();
        let level = if self.is_bottom { 0 } else { self.depth };
        (self.is_bottom, level, is_repeated)
    }
}

/// The nodes of a tree, each after the nodes above it.
pub(super) fn drafts_of(model: &Model, tree: &Tree, index: usize) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    // A node to visit, its draft's parent in `drafts`, and the side of it.
    let mut pending: Vec<(u32, Option<(usize, u8)>)> = vec![(0, None)];
    let feature = |node: u32| {
        model
            .parts()
            .front
            .feature_of(tree.nodes[node as usize].column)
    };
    // Of each draft, the draft above it and the side of it.
    let mut parents: Vec<Option<(usize, u8)>> = Vec::new();
    while let Some((node, parent)) = pending.pop() {
        let branches = &tree.nodes[node as usize];
        let is_bottom = matches!(
            (branches.left, branches.right),
            (Child::Leaf(_), Child::Leaf(_))
        );
        let depth = parent.map_or(0, |(parent, _)| drafts[parent].depth + 1);
        let mut draft = Draft {
            tree: index,
            node,
            depth,
            is_bottom,
            above: None,
            inverse_share: 1.0,
            share_of_all: 1.0,
        };
        if let Some((parent, side)) = parent {
            draft.share_of_all =
                drafts[parent].share_of_all * share_of_side(tree, &drafts[parent], side);
        }
        let mut step = parent;
        while let Some((ancestor, side)) = step {
            if feature(drafts[ancestor].node) == feature(node) {
                draft.above = Some((drafts[ancestor].node, side));
                draft.inverse_share =
                    drafts[ancestor].inverse_share / share_of_side(tree, &drafts[ancestor], side);
                break;
            }
            step = parents[ancestor];
        }
        let place = drafts.len();
        for (side, child) in [
            tree.nodes[node as usize].left,
            tree.nodes[node as usize].right,
        ]
        .into_iter()
        .enumerate()
        {
            if let Child::Node(child) = child {
                pending.push((child, Some((place, u8::from(side == 1)))));
            }
        }
        drafts.push(draft);
        parents.push(parent);
    }
    drafts
}

/// The part of a node's training data in its left (0) or right (1) branch.
fn share_of_side(tree: &Tree, draft: &Draft, side: u8) -> f64 {
    let node = &tree.nodes[draft.node as usize];
    share(
        tree,
        draft.node,
        if side == 0 { node.left } else { node.right },
    )
}
