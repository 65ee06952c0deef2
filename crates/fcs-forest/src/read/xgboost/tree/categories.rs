//! The category sets of a tree. XGBoost lists the categories of all sets in a row, and for each categorical split
//! where its part begins and how long it is.

use std::collections::BTreeMap;

use super::at;
use crate::limits;
use crate::read::document::{Once, Read, Refusal, Source};
use crate::read::error::FieldProblem;
use crate::read::xgboost::{same_length, unknown};
use crate::tree::Test;

/// First number that XGBoost takes for no category, whatever a set says: 2^24 (`OutOfRangeCat` in its
/// `src/common/categorical.h`).
const CATEGORY_END: u32 = 1 << 24;

/// The lists as they stand in the model.
pub(super) struct CategoryLists {
    categories: Vec<u32>,
    nodes: Vec<u32>,
    segments: Vec<usize>,
    sizes: Vec<usize>,
}

/// The fields of the lists.
pub(super) struct CategoryFields {
    categories: Once<Vec<u32>>,
    nodes: Once<Vec<u32>>,
    segments: Once<Vec<usize>>,
    sizes: Once<Vec<usize>>,
}

impl CategoryLists {
    pub(super) fn fields() -> CategoryFields {
        CategoryFields {
            categories: Once::new("categories"),
            nodes: Once::new("categories_nodes"),
            segments: Once::new("categories_segments"),
            sizes: Once::new("categories_sizes"),
        }
    }
}

impl CategoryFields {
    /// Reads a field of a tree if it is one of these.
    pub(super) fn read<S: Source>(&mut self, source: &mut S, name: &str) -> Read<()> {
        match name {
            "categories" => self
                .categories
                .set(source.integers(limits::LISTED_CATEGORIES_MAX, "a category")?),
            "categories_nodes" => self
                .nodes
                .set(source.integers(limits::LISTED_NODES_MAX, "the number of a node")?),
            "categories_segments" => self
                .segments
                .set(source.integers(limits::LISTED_NODES_MAX, "a position")?),
            "categories_sizes" => self
                .sizes
                .set(source.integers(limits::LISTED_NODES_MAX, "a length")?),
            _ => Err(unknown()),
        }
    }

    pub(super) fn required(self) -> Read<CategoryLists> {
        let lists = CategoryLists {
            categories: self.categories.required()?,
            nodes: self.nodes.required()?,
            segments: self.segments.required()?,
            sizes: self.sizes.required()?,
        };
        let count = lists.nodes.len();
        same_length("categories_segments", count, lists.segments.len())?;
        same_length("categories_sizes", count, lists.sizes.len())?;
        Ok(lists)
    }
}

/// Makes bit sets of the lists, split by split.
pub(super) struct CategorySets<'a> {
    lists: &'a [u32],
    /// By the number of its node: the categories of a set.
    sets: BTreeMap<u32, std::ops::Range<usize>>,
    /// The bit sets made so far.
    pub(super) words: Vec<u32>,
    /// Words that the model may still use.
    words_left: &'a mut usize,
}

impl<'a> CategorySets<'a> {
    pub(super) fn new(lists: &'a CategoryLists, words_left: &'a mut usize) -> Read<Self> {
        let mut sets = BTreeMap::new();
        let mut position = 0;
        for (index, &node) in lists.nodes.iter().enumerate() {
            // One after the other, so that the work is no more than the list is long.
            if lists.segments[index] != position {
                let expected = "the end of the set before";
                let problem = FieldProblem::OutOfRange { expected };
                return Err(Refusal::at_item("categories_segments", index, problem));
            }
            let size = lists.sizes[index];
            if size == 0 || size > lists.categories.len() - position {
                let expected = "the length of a set that is not empty and within `categories`";
                let problem = FieldProblem::OutOfRange { expected };
                return Err(Refusal::at_item("categories_sizes", index, problem));
            }
            if sets.insert(node, position..position + size).is_some() {
                let problem = FieldProblem::Repeated;
                return Err(Refusal::at_item("categories_nodes", index, problem));
            }
            position += size;
        }
        same_length("categories", position, lists.categories.len())?;
        Ok(Self {
            lists: &lists.categories,
            sets,
            words: Vec::new(),
            words_left,
        })
    }

    /// The test whether a value is in the set of a node.
    pub(super) fn test(&mut self, node: u32, missing_left: bool) -> Read<Test> {
        // Taken out: a part of the list that two nodes claimed could be copied more often than the file has bytes.
        let Some(range) = self.sets.remove(&node) else {
            return Err(at(
                "split_type",
                node,
                "0 where `categories_nodes` has no set",
            ));
        };
        let start = range.start;
        let categories = &self.lists[range];
        let mut largest = 0;
        for (index, &category) in categories.iter().enumerate() {
            if category >= CATEGORY_END {
                let expected = "below 16,777,216";
                let problem = FieldProblem::OutOfRange { expected };
                return Err(Refusal::at_item("categories", start + index, problem));
            }
            largest = largest.max(category);
        }
        let word_count = largest / 32 + 1;
        let Some(left) = self.words_left.checked_sub(word_count as usize) else {
            let expected = "smaller: the sets of the model have too many words";
            let problem = FieldProblem::OutOfRange { expected };
            return Err(Refusal::at_item("categories", start, problem));
        };
        *self.words_left = left;
        let first_word = super::index(&self.words);
        self.words.resize(self.words.len() + word_count as usize, 0);
        let words = &mut self.words[first_word as usize..];
        for &category in categories {
            words[category as usize / 32] |= 1 << (category % 32);
        }
        Ok(Test::Category {
            first_word,
            word_count,
            missing_left,
            truncates_to_zero: false,
        })
    }
}
