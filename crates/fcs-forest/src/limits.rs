//! The largest model and population that this crate accepts. Beyond a limit there is an error, never a slow answer.

/// Bytes of a model file: 64 MiB. A model of 300 trees with 31 leaves has about 1 MB.
pub const FILE_BYTES_MAX: usize = 64 << 20;

/// Bytes of a linear model or a scorecard: 4 MiB, as their parsers take many times a file's size. One with 10,000
/// features has about 1 MB.
pub const PLAIN_FILE_BYTES_MAX: usize = 4 << 20;

/// Bytes that the messages of an ONNX file take when they are unpacked, over all of its layers: 512 MiB.
pub const UNPACKED_BYTES_MAX: usize = 512 << 20;

/// Trees of a model.
pub const TREES_MAX: usize = 10_000;

/// Features of a model.
pub const FEATURES_MAX: usize = 10_000;

/// Leaves of one tree.
pub const LEAVES_PER_TREE_MAX: usize = 1 << 16;

/// Nodes in the lists of one tree of XGBoost: its splits and leaves, and those that pruning has deleted.
pub const LISTED_NODES_MAX: usize = 1 << 18;

/// Categories in the list of one tree of XGBoost, which has those of all its sets.
pub const LISTED_CATEGORIES_MAX: usize = 1 << 22;

/// Splits between a root and its deepest leaf.
pub const DEPTH_MAX: usize = 512;

/// Lines of a header or of a tree.
pub const FIELDS_PER_BLOCK_MAX: usize = 64;

/// Words of 32 categories in all category sets of a model: 16 MiB. A set has words up to its largest category.
pub const CATEGORY_WORDS_MAX: usize = 1 << 22;

/// Distinct features on the way to one leaf, for attributions: one bit each in a 64-bit pattern.
pub const PATH_FEATURES_MAX: usize = 64;

/// How far the shares of the training data that each node on a path passes on may be from 1, multiplied with each other.
/// The products that a path-dependent attribution needs then stay far from the ends of 64-bit numbers.
pub const COVER_SPREAD_MAX: f64 = 1e200;

/// Conditions and reference patterns that a prepared [`Attributor`](crate::Attributor) keeps for leaves without a
/// table: at 16 bytes each at most, 512 MiB.
pub const ATTRIBUTION_ENTRIES_MAX: usize = 1 << 25;

/// Bytes of the tables of a prepared [`Attributor`](crate::Attributor). Leaves with many features on their paths go
/// without a table when there is not enough room for all.
pub const ATTRIBUTION_TABLE_BYTES_MAX: usize = 512 << 20;

/// Kinds of values that the trees of a compiled model tell apart in one column. A model with more is walked node by
/// node.
pub const CLASSES_PER_COLUMN_MAX: usize = 1 << 16;

/// Values at which the tests of a model change their answers, counted per node before equal ones become one: 128 MiB.
/// A model with more is walked node by node.
pub const TEST_EDGES_MAX: usize = 1 << 24;

/// Nodes times classes that are worked through when a model is compiled: at a byte each, 256 MiB. A model with more is
/// walked node by node.
pub const COMPILE_STEPS_MAX: usize = 1 << 28;

/// Bytes of the numbers, and separately of the rows, of one table of classes. A model past it is walked node by node,
/// or attributed without tables.
pub const CLASS_TABLE_BYTES_MAX: usize = 256 << 20;
