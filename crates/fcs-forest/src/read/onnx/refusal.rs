//! Why a part of a graph is refused, and where.

use crate::format::Format;
use crate::read::error::{FieldError, FieldProblem};

/// Characters of a name from the file that an error repeats.
const QUOTED_CHARACTERS_MAX: usize = 60;

/// A field that is refused; its path grows on the way out.
#[derive(Debug)]
pub(super) struct Refusal {
    path: String,
    problem: FieldProblem,
}

pub(super) type Read<T> = Result<T, Refusal>;

impl Refusal {
    pub(super) fn new(path: impl Into<String>, problem: FieldProblem) -> Self {
        Self {
            path: path.into(),
            problem,
        }
    }

    /// It has a value that cannot stand there.
    pub(super) fn out_of_range(path: impl Into<String>, expected: &'static str) -> Self {
        Self::new(path, FieldProblem::OutOfRange { expected })
    }

    pub(super) fn missing(path: impl Into<String>) -> Self {
        Self::new(path, FieldProblem::Missing)
    }

    pub(super) fn wrong_length(path: impl Into<String>, expected: usize, found: usize) -> Self {
        Self::new(path, FieldProblem::WrongLength { expected, found })
    }

    /// It asks for something that is not done here.
    pub(super) fn unsupported(
        path: impl Into<String>,
        value: &str,
        supported: &'static str,
    ) -> Self {
        let value = shortened(value);
        Self::new(path, FieldProblem::Unsupported { value, supported })
    }

    pub(super) fn within(self, outer: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            path: format!("{outer}{dot}{}", self.path),
            ..self
        }
    }

    /// The same problem elsewhere.
    pub(super) fn moved_to(self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self
        }
    }

    pub(super) fn into_error(self) -> FieldError {
        FieldError {
            format: Format::Onnx,
            field: self.path,
            problem: self.problem,
        }
    }
}

pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
