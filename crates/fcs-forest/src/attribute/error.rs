//! Why attributions could not be prepared.

use crate::limits::{ATTRIBUTION_ENTRIES_MAX, PATH_FEATURES_MAX};

/// Why attributions could not be prepared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributionError {
    /// The reference population is empty.
    #[error("the reference population is empty")]
    NoReferences,
    /// A reference row does not have one number per feature.
    #[error("reference row {row} has {found} values, the model has {expected} features")]
    RowLength {
        /// Row of the population, from 0.
        row: usize,
        /// Features of the model.
        expected: usize,
        /// Values of the row.
        found: usize,
    },
    /// A path has more features than [`PATH_FEATURES_MAX`].
    #[error(
        "tree {tree}: {features} features on the way to leaf {leaf}, at most {PATH_FEATURES_MAX} are supported"
    )]
    PathFeatures {
        /// Number of the tree, from 0.
        tree: usize,
        /// Number of the leaf in its tree, from 0.
        leaf: u32,
        /// Distinct features on its path.
        features: usize,
    },
    /// Past [`ATTRIBUTION_ENTRIES_MAX`].
    #[error(
        "tree {tree}: attributions need more than {ATTRIBUTION_ENTRIES_MAX} conditions or patterns"
    )]
    TooLarge {
        /// Tree at which the limit was reached, from 0.
        tree: usize,
    },
    /// More kinds of values, or more tests times kinds, than are compiled
    /// ([`COMPILE_STEPS_MAX`](crate::limits::COMPILE_STEPS_MAX)).
    #[error(
        "the model tells more kinds of values apart than path-dependent attributions are compiled for"
    )]
    NotCompiled,
    /// Path-dependent attributions of a model that has no trees.
    #[error("the model has no trees, and path-dependent attributions follow their paths")]
    NoTrees,
    /// The format of the model does not tell how much of the training data passed each node.
    #[error(
        "tree {tree}: the model file does not tell the cover of its nodes, which path-dependent attributions need"
    )]
    NoCover {
        /// Number of the tree, from 0.
        tree: usize,
    },
    /// A branch that no training data took has no path-dependent attribution.
    #[error("tree {tree}: the cover of a node or leaf is not above zero")]
    EmptyCover {
        /// Number of the tree, from 0.
        tree: usize,
    },
    /// The training data thins out beyond [`COVER_SPREAD_MAX`](crate::limits::COVER_SPREAD_MAX) on the way to a leaf: numbers of 64 bits would not hold
    /// its attributions.
    #[error("tree {tree}: the covers on the way to leaf {leaf} are too far apart")]
    CoverSpread {
        /// Number of the tree, from 0.
        tree: usize,
        /// Number of the leaf in its tree, from 0.
        leaf: u32,
    },
}
