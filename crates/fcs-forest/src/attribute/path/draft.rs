//! The nodes of a tree on their way into a group: what the paths above them say.

use super::super::error::AttributionError;
use super::cover::share;
use crate::limits::{COVER_SPREAD_MAX, PATH_FEATURES_MAX};
use crate::model::Model;
use crate::tree::{Child, Tree};

/// A node on its way into a group.
pub(super) struct Draft {
    pub(super) feature: u32,
    pub(super) depth: usize,
    /// Whether both children are leaves.
    pub(super) is_bottom: bool,
    /// Distinct features on the path down to this node, its own among them.
    pub(super) feature_count: usize,
    /// The nearest node above with the same feature, and the side of it.
    pub(super) above: Option<(u32, u8)>,
    /// One divided by the shares of the conditions on the feature so far.
    pub(super) inverse_share: f64,
    /// Of all training data, the part at this node.
    pub(super) share_of_all: f64,
    /// The parts that went left and right.
    pub(super) shares: [f64; 2],
    /// The product of the shares on the path, each turned so that it is at least 1.
    spread: f64,
    /// The node above, and the side of it.
    parent: Option<(u32, u8)>,
}

impl Draft {
    /// The e of the feature's factor (see [`path`](super)) in the left and in the right branch, when it is met there.
    pub(super) fn factors(&self) -> [f64; 2] {
        self.shares.map(|share| self.inverse_share / share - 1.0)
    }

    /// The e of the feature's factor so far; 0 when it is new.
    pub(super) fn factor_before(&self) -> f64 {
        self.inverse_share - 1.0
    }

    /// The value of a leaf of this node, times the part of all training data that it holds.
    pub(super) fn part_of_leaf(&self, tree: &Tree, leaf: u32, side: usize) -> f64 {
        tree.leaf_values[leaf as usize] * (self.share_of_all * self.shares[side])
    }

    /// What the feature's value changes by towards each child, when the row goes left, when it goes right, and when
    /// the feature is not met above.
    pub(super) fn changes(&self) -> [[f64; 2]; 3] {
        let [left, right] = self.factors();
        let before = self.factor_before();
        let unmet = -self.inverse_share;
        [[left - before, unmet], [unmet, right - before], [0.0; 2]]
    }
}

/// The nodes of a tree by their numbers.
pub(super) fn drafts_of(model: &Model, tree: &Tree) -> Vec<Draft> {
    let mut order = tree.children_first();
    order.reverse();
    let mut parents = vec![None; tree.nodes.len()];
    let mut drafts: Vec<Option<Draft>> = Vec::new();
    drafts.resize_with(tree.nodes.len(), || None);
    for node in order {
        let branches = &tree.nodes[node as usize];
        for (child, side) in [(branches.left, 0), (branches.right, 1)] {
            if let Child::Node(child) = child {
                parents[child as usize] = Some((node, side));
            }
        }
        let draft = draft_of(model, tree, node, parents[node as usize], &drafts);
        drafts[node as usize] = Some(draft);
    }
    drafts.into_iter().flatten().collect()
}

/// The draft of a node below others.
fn draft_of(
    model: &Model,
    tree: &Tree,
    node: u32,
    parent: Option<(u32, u8)>,
    drafts: &[Option<Draft>],
) -> Draft {
    let branches = &tree.nodes[node as usize];
    let of = |node: u32| drafts[node as usize].as_ref();
    let mut draft = Draft {
        feature: model.parts().front.feature_of(branches.column),
        depth: 0,
        is_bottom: matches!(
            (branches.left, branches.right),
            (Child::Leaf(_), Child::Leaf(_))
        ),
        feature_count: 1,
        above: None,
        inverse_share: 1.0,
        share_of_all: 1.0,
        shares: [branches.left, branches.right].map(|child| share(tree, node, child)),
        spread: 1.0,
        parent,
    };
    if let Some((parent, side)) = parent
        && let Some(above) = of(parent)
    {
        let share = above.shares[usize::from(side)];
        draft.depth = above.depth + 1;
        draft.feature_count = above.feature_count + 1;
        draft.share_of_all = above.share_of_all * share;
        draft.spread = above.spread * share.max(1.0 / share);
    }
    let mut step = parent;
    while let Some((ancestor, side)) = step
        && let Some(above) = of(ancestor)
    {
        if above.feature == draft.feature {
            draft.above = Some((ancestor, side));
            draft.inverse_share = above.inverse_share / above.shares[usize::from(side)];
            draft.feature_count -= 1;
            break;
        }
        step = above.parent;
    }
    draft
}

/// The most distinct features on a path of the tree; 0 without nodes.
pub(super) fn path_features_max(
    tree: &Tree,
    index: usize,
    drafts: &[Draft],
) -> Result<usize, AttributionError> {
    for (node, draft) in tree.nodes.iter().zip(drafts) {
        for (child, share) in [node.left, node.right].into_iter().zip(draft.shares) {
            let Child::Leaf(leaf) = child else { continue };
            if draft.feature_count > PATH_FEATURES_MAX {
                return Err(AttributionError::PathFeatures {
                    tree: index,
                    leaf,
                    features: draft.feature_count,
                });
            }
            if draft.spread * share.max(1.0 / share) > COVER_SPREAD_MAX {
                return Err(AttributionError::CoverSpread { tree: index, leaf });
            }
        }
    }
    let counts = drafts.iter().map(|draft| draft.feature_count);
    Ok(counts.max().unwrap_or(0))
}
