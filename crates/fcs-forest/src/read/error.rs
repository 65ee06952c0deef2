//! Why a model file was refused.

use super::lightgbm::LightGbmError;
use crate::format::Format;
use crate::limits;
use crate::tree::ShapeError;

/// The bytes are not a model that this crate reads.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// More bytes than [`limits::FILE_BYTES_MAX`].
    #[error(
        "model file has {bytes} bytes, at most {} are read",
        limits::FILE_BYTES_MAX
    )]
    TooLarge {
        /// Length of the file.
        bytes: usize,
    },
    /// A LightGBM text is refused.
    #[error("{0}")]
    LightGbm(#[from] LightGbmError),
    /// A field of a structured format is refused.
    #[error("{0}")]
    Field(#[from] FieldError),
}

/// A field of a structured document (JSON, UBJSON, protobuf, TOML) that is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{format}: `{field}` {problem}")]
pub struct FieldError {
    /// Format of the document.
    pub format: Format,
    /// Path of the field, for example `learner.gradient_booster.model.trees[3].left_children[7]`.
    pub field: String,
    /// What is wrong with it.
    pub problem: FieldProblem,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FieldProblem {
    /// The document breaks its own syntax, or is cut off, at a byte.
    #[error("cannot be read at byte {offset}: {what}")]
    Syntax {
        /// Position from 0.
        offset: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// It must be there and is not.
    #[error("is missing")]
    Missing,
    /// It is there twice.
    #[error("is repeated")]
    Repeated,
    /// It is not known, and might change a prediction.
    #[error("is unknown")]
    Unknown,
    /// It has another type.
    #[error("must be {expected}")]
    WrongType {
        /// The type that it should have.
        expected: &'static str,
    },
    /// It has the right type, but a value that cannot stand there.
    #[error("must be {expected}")]
    OutOfRange {
        /// What could stand there.
        expected: &'static str,
    },
    /// A list is too long or too short.
    #[error("has {found} values, expected {expected}")]
    WrongLength {
        /// Values that there should be.
        expected: usize,
        /// Values that there are.
        found: usize,
    },
    /// It is a value of a list that is long enough without it.
    #[error("is one too many: at most {max} values are read")]
    TooMany {
        /// Values that are read.
        max: usize,
    },
    /// It asks for something that this crate does not do.
    #[error("asks for `{value}`, which is not supported; supported: {supported}")]
    Unsupported {
        /// Its value, shortened.
        value: String,
        /// What could stand there.
        supported: &'static str,
    },
    /// The parser of the document refuses it.
    #[error("is refused: {why}")]
    Refused {
        /// The parser's words, shortened.
        why: String,
    },
    /// Nodes and leaves do not form a tree.
    #[error("is not a tree: {0}")]
    Shape(ShapeError),
}
