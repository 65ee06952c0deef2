//! Lines, and blocks of `key=value` lines with their line numbers.

use std::str::FromStr;

use super::error::Problem;
use crate::limits;

/// Characters of a foreign value that an error repeats.
const QUOTED_CHARACTERS_MAX: usize = 40;

/// A line without its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: usize,
    pub(super) text: &'a str,
}

/// The lines of a text that end in a line feed: a last line without one was cut off and is not given out.
pub(super) struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            number: 0,
        }
    }

    pub(super) fn next(&mut self) -> Option<Line<'a>> {
        let (text, rest) = self.rest.split_once('\n')?;
        self.rest = rest;
        self.number += 1;
        Some(Line {
            number: self.number,
            text,
        })
    }

    /// The next line that is not empty.
    pub(super) fn next_filled(&mut self) -> Option<Line<'a>> {
        loop {
            let line = self.next()?;
            if !line.text.is_empty() {
                return Some(line);
            }
        }
    }

    /// Whether something without a line feed is left when the lines are used up.
    pub(super) fn ends_inside_a_line(&self) -> bool {
        !self.rest.is_empty()
    }
}

/// One `key=value` line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    line: usize,
}

impl Field<'_> {
    /// The value as one number.
    pub(super) fn number<T: FromStr>(&self) -> Result<T, Problem> {
        self.value
            .parse()
            .map_err(|_| self.not_a_number(0, self.value))
    }

    /// The value as a list with white space between its entries, of a length that is known.
    pub(super) fn list<T: FromStr>(&self, expected: usize) -> Result<Vec<T>, Problem> {
        let found = self.value.split_ascii_whitespace().count();
        if found != expected {
            let field = self.name.to_owned();
            return Err(Problem::WrongLength {
                line: self.line,
                field,
                expected,
                found,
            });
        }
        let parse = |(position, text): (usize, &str)| {
            text.parse().map_err(|_| self.not_a_number(position, text))
        };
        self.value
            .split_ascii_whitespace()
            .enumerate()
            .map(parse)
            .collect()
    }

    fn not_a_number(&self, position: usize, value: &str) -> Problem {
        let field = self.name.to_owned();
        Problem::NotANumber {
            line: self.line,
            field,
            position,
            value: shortened(value),
        }
    }

    /// The value is understood, but asks for something else than what is `supported`.
    pub(super) fn unsupported(&self, supported: &'static str) -> Problem {
        let (field, value) = (self.name.to_owned(), shortened(self.value));
        Problem::Unsupported {
            line: self.line,
            field,
            value,
            supported,
        }
    }

    /// An entry of the value is not `expected`.
    pub(super) fn out_of_range(&self, position: usize, expected: &'static str) -> Problem {
        Problem::OutOfRange {
            line: self.line,
            field: self.name.to_owned(),
            position,
            expected,
        }
    }
}

/// The fields of a block, each name once.
pub(super) struct Fields<'a>(Vec<Field<'a>>);

impl<'a> Fields<'a> {
    /// Reads up to an empty line. A line without `=` is a field with an empty value, like LightGBM's
    /// `average_output`.
    pub(super) fn read(lines: &mut Lines<'a>) -> Result<Self, Problem> {
        let mut fields: Vec<Field<'a>> = Vec::new();
        loop {
            let line = lines.next().ok_or(Problem::Truncated)?;
            if line.text.is_empty() {
                return Ok(Self(fields));
            }
            if fields.len() == limits::FIELDS_PER_BLOCK_MAX {
                return Err(Problem::TooManyFields { line: line.number });
            }
            let (name, value) = line.text.split_once('=').unwrap_or((line.text, ""));
            if fields.iter().any(|field| field.name == name) {
                let field = shortened(name);
                return Err(Problem::Repeated {
                    line: line.number,
                    field,
                });
            }
            fields.push(Field {
                name,
                value,
                line: line.number,
            });
        }
    }

    /// An error for the first field whose name is not in the list.
    pub(super) fn refuse_unknown(&self, known: &[&str]) -> Result<(), Problem> {
        match self.0.iter().find(|field| !known.contains(&field.name)) {
            Some(field) => Err(Problem::Unknown {
                line: field.line,
                field: shortened(field.name),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn optional(&self, name: &str) -> Option<Field<'a>> {
        self.0.iter().find(|field| field.name == name).copied()
    }

    pub(super) fn required(&self, name: &'static str) -> Result<Field<'a>, Problem> {
        self.optional(name).ok_or(Problem::Missing { field: name })
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(QUOTED_CHARACTERS_MAX).collect()
}
