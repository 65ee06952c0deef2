//! What a name in the graph stands for.

use std::rc::Rc;

use super::constant::Constant;
use super::refusal::{Read, Refusal};
use super::unpack::Unpacking;
use crate::front::{Column, Step};
use crate::model::{Body, Link};

/// Steps of one column.
const STEPS_PER_COLUMN_MAX: usize = 64;

/// Columns and steps that all nodes together may make: some 50 MiB.
const STEPS_MAX: usize = 1 << 20;

/// The type of a tensor's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Float,
    Double,
    /// int32 or int64.
    Whole,
    /// Texts, each of which has a code.
    Text,
}

/// A value while the graph is followed. Copies are cheap.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Columns(Columns),
    Constant(Rc<Constant>),
    /// The class that a classifier chooses: the decision is made elsewhere.
    Labels,
    Scores(Scores),
    /// One minus a probability.
    Complement(Scores),
    /// The sum of two probabilities, which is one.
    Certainty,
}

/// One row of numbers, each of which comes from one feature.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) element: Element,
    /// 2, or 3 between a one-hot encoder and the reshaping after it.
    pub(super) rank: usize,
    /// Of three dimensions, whether the second is one: the encoding of one column.
    pub(super) is_one_group: bool,
    pub(super) columns: Rc<Vec<Column>>,
}

/// What a model operator gives.
#[derive(Debug, Clone)]
pub(super) struct Scores {
    pub(super) columns: Columns,
    pub(super) body: Rc<Body>,
    pub(super) link: Link,
    pub(super) width: Width,
}

/// The numbers that a model operator gives for a row, of which the last is the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// A regression's target.
    One,
    /// A number for each of two classes.
    Two,
    /// The same, where the first is the negative of the second, before the link.
    Opposites,
}

impl Scores {
    /// Whether there are two numbers that add up to one by construction: the logistic of a number and of its negative.
    pub(super) fn sums_to_one(&self) -> bool {
        self.width == Width::Opposites && self.link != Link::Identity
    }
}

/// What may still be made and unpacked.
pub(super) struct Budget {
    steps: usize,
    pub(super) unpacking: Unpacking,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            steps: STEPS_MAX,
            unpacking: Unpacking::new(),
        }
    }

    /// Columns that are made of others, with their steps counted.
    pub(super) fn columns(
        &mut self,
        element: Element,
        rank: usize,
        columns: impl Iterator<Item = Column>,
    ) -> Read<Columns> {
        let mut made = Vec::new();
        for column in columns {
            let cost = 1 + column.steps.len();
            if cost > STEPS_PER_COLUMN_MAX || cost > self.steps {
                return Err(Refusal::out_of_range(
                    "",
                    "at most 64 steps per column, and a million in all",
                ));
            }
            self.steps -= cost;
            made.push(column);
        }
        if made.is_empty() {
            return Err(Refusal::out_of_range("", "at least one column"));
        }
        Ok(Columns {
            element,
            rank,
            is_one_group: false,
            columns: Rc::new(made),
        })
    }
}

impl Columns {
    /// Its columns, each with some more steps; `steps` is asked by position.
    pub(super) fn then<'a, S>(
        &'a self,
        steps: impl Fn(usize) -> S + 'a,
    ) -> impl Iterator<Item = Column> + 'a
    where
        S: IntoIterator<Item = Step>,
    {
        self.columns
            .iter()
            .enumerate()
            .map(move |(index, column)| Column {
                feature: column.feature,
                steps: column.steps.iter().cloned().chain(steps(index)).collect(),
            })
    }

    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }
}
