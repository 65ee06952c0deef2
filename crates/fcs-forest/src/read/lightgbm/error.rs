//! Why a LightGBM text was refused.

use crate::limits;
use crate::tree::ShapeError;

/// The text is not a model that this crate reads. Where there is a line, it counts from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LightGbmError {
    /// Bytes that are not UTF-8.
    #[error("not a LightGBM text model: byte {offset} is not UTF-8")]
    NotUtf8 {
        /// Position from 0.
        offset: usize,
    },
    /// The first line is not `tree`.
    #[error("not a LightGBM text model: its first line is not `tree`")]
    NotLightGbm,
    /// The text ends too early.
    #[error("model text is cut off before `{missing}`")]
    Truncated {
        /// What should have followed.
        missing: &'static str,
    },
    /// A line that belongs neither to a tree nor to the ends of the text.
    #[error("line {line}: neither the next tree nor the end of the model")]
    UnexpectedLine {
        /// Line number.
        line: usize,
    },
    /// The header's `tree_sizes` and the trees disagree.
    #[error("the header announces {announced} trees, the text has {found}")]
    TreeCount {
        /// Entries of `tree_sizes`.
        announced: usize,
        /// Trees in the text.
        found: usize,
    },
    /// The header is wrong.
    #[error("model header: {problem}")]
    Header {
        /// What is wrong.
        problem: Problem,
    },
    /// A tree is wrong.
    #[error("tree {tree}: {problem}")]
    Tree {
        /// Number of the tree, from 0 as in the text.
        tree: usize,
        /// What is wrong.
        problem: Problem,
    },
}

/// What is wrong with a header or a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text ends before the empty line that closes the header or the tree.
    #[error("the text is cut off here")]
    Truncated,
    /// A field that must be there is not.
    #[error("field `{field}` is missing")]
    Missing {
        /// Name of the field.
        field: &'static str,
    },
    /// A field is there twice.
    #[error("line {line}: field `{field}` is repeated")]
    Repeated {
        /// Line of the second one.
        line: usize,
        /// Name of the field.
        field: String,
    },
    /// A field that this crate does not know, and so might mean anything.
    #[error("line {line}: field `{field}` is unknown")]
    Unknown {
        /// Line number.
        line: usize,
        /// Name of the field, shortened.
        field: String,
    },
    /// More lines than [`limits::FIELDS_PER_BLOCK_MAX`].
    #[error("line {line}: more than {} fields", limits::FIELDS_PER_BLOCK_MAX)]
    TooManyFields {
        /// Line of the first one too many.
        line: usize,
    },
    /// A field asks for something that this crate does not do.
    #[error("line {line}: `{field}={value}` is not supported; supported: {supported}")]
    Unsupported {
        /// Line number.
        line: usize,
        /// Name of the field.
        field: String,
        /// Its value, shortened.
        value: String,
        /// What could stand there.
        supported: &'static str,
    },
    /// A value is not a number, or does not fit its type.
    #[error("line {line}: value {position} of `{field}` is not a valid number: `{value}`")]
    NotANumber {
        /// Line number.
        line: usize,
        /// Name of the field.
        field: String,
        /// Position in the list, from 0.
        position: usize,
        /// The value, shortened.
        value: String,
    },
    /// A list is too long or too short.
    #[error("line {line}: `{field}` has {found} values, expected {expected}")]
    WrongLength {
        /// Line number.
        line: usize,
        /// Name of the field.
        field: String,
        /// Values that there should be.
        expected: usize,
        /// Values that there are.
        found: usize,
    },
    /// A value is a number, but not one that can stand there.
    #[error("line {line}: value {position} of `{field}` must be {expected}")]
    OutOfRange {
        /// Line number.
        line: usize,
        /// Name of the field.
        field: String,
        /// Position in the list, from 0.
        position: usize,
        /// What could stand there.
        expected: &'static str,
    },
    /// Nodes and leaves do not form a tree.
    #[error("{0}")]
    Shape(ShapeError),
}
