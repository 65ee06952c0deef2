//! Documents of named fields, read once from front to back: a caller takes the fields it knows and skips the rest,
//! so that nothing is held in memory but what it keeps.
//!
//! Each error carries the path of its field, put together on the way out of the nested callbacks.

pub(super) mod json;
pub(super) mod ubjson;

use super::error::{FieldError, FieldProblem};
use crate::format::Format;

/// Maps and lists within each other. XGBoost's models use eight levels.
const NESTING_MAX: usize = 32;

/// Characters of a value or name from the document that an error repeats.
const EXCERPT_CHARACTERS_MAX: usize = 60;

/// A field that is refused, inside a document whose format is known further out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    path: String,
    problem: FieldProblem,
}

/// What reading a part of a document gives.
pub(super) type Read<T> = Result<T, Refusal>;

impl Refusal {
    /// About the value that is being read.
    pub(super) fn here(problem: FieldProblem) -> Self {
        Self {
            path: String::new(),
            problem,
        }
    }

    /// About a field of the map that is being read.
    pub(super) fn at(name: &str, problem: FieldProblem) -> Self {
        Self::here(problem).inside_field(name)
    }

    /// About an item of a field's list.
    pub(super) fn at_item(name: &str, index: usize, problem: FieldProblem) -> Self {
        Self::here(problem).inside_item(index).inside_field(name)
    }

    /// The document breaks its syntax.
    pub(super) fn syntax(offset: usize, what: &'static str) -> Self {
        Self::here(FieldProblem::Syntax { offset, what })
    }

    fn inside_field(mut self, name: &str) -> Self {
        let needs_dot = !(self.path.is_empty() || self.path.starts_with('['));
        let dot = if needs_dot { "." } else { "" };
        self.path = format!("{}{dot}{}", excerpt(name), self.path);
        self
    }

    fn inside_item(mut self, index: usize) -> Self {
        let needs_dot = !(self.path.is_empty() || self.path.starts_with('['));
        let dot = if needs_dot { "." } else { "" };
        self.path = format!("[{index}]{dot}{}", self.path);
        self
    }

    /// The error that leaves this crate.
    pub(super) fn in_format(self, format: Format) -> FieldError {
        let is_document = self.path.is_empty();
        FieldError {
            format,
            field: if is_document {
                "document".to_owned()
            } else {
                self.path
            },
            problem: self.problem,
        }
    }
}

/// The beginning of a text from the document, for an error.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_CHARACTERS_MAX).collect()
}

/// A cursor over a document. Each function reads the next value, whole.
pub(super) trait Source: Sized {
    /// A map: `field` is called for each of its names in their order, and must read the value.
    fn map(&mut self, field: impl FnMut(&mut Self, &str) -> Read<()>) -> Read<()>;

    /// A list: `item` is called for each of its positions, and must read the value.
    fn list(&mut self, item: impl FnMut(&mut Self, usize) -> Read<()>) -> Read<()>;

    /// A text.
    fn text(&mut self) -> Read<String>;

    /// The single-precision number nearest to a number; may be infinite or NaN.
    fn single(&mut self) -> Read<f32>;

    /// An integer; `false` is 0 and `true` is 1.
    fn integer(&mut self) -> Read<i64>;

    /// Any value.
    fn skip(&mut self) -> Read<()>;

    /// Checks that the document ends here.
    fn end(&mut self) -> Read<()>;

    /// A list of at most `max` numbers.
    fn singles(&mut self, max: usize) -> Read<Vec<f32>> {
        self.values(max, Self::single)
    }

    /// A list of at most `max` integers of a type, which `expected` describes.
    fn integers<T: TryFrom<i64>>(&mut self, max: usize, expected: &'static str) -> Read<Vec<T>> {
        self.values(max, |source| {
            let value = T::try_from(source.integer()?);
            value.map_err(|_| out_of_range(expected))
        })
    }

    /// A list of at most `max` texts.
    fn texts(&mut self, max: usize) -> Read<Vec<String>> {
        self.values(max, Self::text)
    }

    /// A list of at most `max` values. What is kept of a value can be much larger than the value in the document.
    fn values<T>(
        &mut self,
        max: usize,
        mut value: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Vec<T>> {
        let mut values = Vec::new();
        self.list(|source, index| {
            if index == max {
                return Err(Refusal::here(FieldProblem::TooMany { max }));
            }
            values.push(value(source)?);
            Ok(())
        })?;
        Ok(values)
    }
}

/// The problem of the value that was just read.
pub(super) fn out_of_range(expected: &'static str) -> Refusal {
    Refusal::here(FieldProblem::OutOfRange { expected })
}

/// Runs the callback for a field and tells its errors where they are.
fn in_field<S>(
    source: &mut S,
    name: &str,
    field: &mut impl FnMut(&mut S, &str) -> Read<()>,
) -> Read<()> {
    field(source, name).map_err(|refusal| refusal.inside_field(name))
}

/// Runs the callback for an item and tells its errors where they are.
fn in_item<S>(
    source: &mut S,
    index: usize,
    item: &mut impl FnMut(&mut S, usize) -> Read<()>,
) -> Read<()> {
    item(source, index).map_err(|refusal| refusal.inside_item(index))
}

/// A field that may stand in its map once.
#[derive(Debug)]
pub(super) struct Once<T> {
    name: &'static str,
    value: Option<T>,
}

impl<T> Once<T> {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, value: None }
    }

    /// Keeps the field's value.
    pub(super) fn set(&mut self, value: T) -> Read<()> {
        match self.value.replace(value) {
            None => Ok(()),
            Some(_) => Err(Refusal::here(FieldProblem::Repeated)),
        }
    }

    /// The value of a field that must be there.
    pub(super) fn required(self) -> Read<T> {
        let missing = || Refusal::at(self.name, FieldProblem::Missing);
        self.value.ok_or_else(missing)
    }

    /// The value of a field that may be absent.
    pub(super) fn optional(self) -> Option<T> {
        self.value
    }
}
