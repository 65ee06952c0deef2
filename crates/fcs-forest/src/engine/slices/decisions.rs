//! What many rows answer to the tests of all trees.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use std::array;
use std::collections::HashMap;

use super::{Mask, NO_ROW, ROWS, row_place, transpose};
use crate::answers::{Answers, Split};
use crate::classes::Classes;
use crate::ensemble::Ensemble;

/// The different tests of an ensemble.
#[derive(Debug)]
pub(super) struct Decisions {
    columns: Vec<Column>,
    count: usize,
}

/// The tests of one column.
#[derive(Debug)]
struct Column {
    /// The class of NaN, which is the last.
    missing: u16,
    splits: Vec<OrderedTest>,
    /// The numbers of all other tests.
    others: Vec<u32>,
    /// Which of the others go right: 64 of them in a word, by word and class.
    right_bits: Vec<u64>,
}

/// Right when the class is at least `split`; NaN as it says.
#[derive(Debug)]
struct OrderedTest {
    number: u32,
    split: u16,
    missing_left: bool,
}

/// Hands out the numbers of the tests.
pub(super) struct Numbering<'a> {
    classes: &'a Classes,
    answers: &'a Answers,
    decisions: Decisions,
    known: HashMap<(usize, &'a [bool]), u32>,
}

impl<'a> Numbering<'a> {
    pub(super) fn new(classes: &'a Classes, answers: &'a Answers) -> Self {
        let columns = classes.columns().iter().map(|column| Column {
            missing: column.missing(),
            splits: Vec::new(),
            others: Vec::new(),
            right_bits: Vec::new(),
        });
        Self {
            classes,
            answers,
            decisions: Decisions {
                columns: columns.collect(),
                count: 0,
            },
            known: HashMap::new(),
        }
    }

    /// The number of a node's test: the same for tests that answer alike.
    pub(super) fn number(&mut self, ensemble: &Ensemble, tree: usize, node: usize) -> Option<u32> {
        let slot = self.classes.slot(ensemble.trees[tree].nodes[node].column);
        let class_count = self.classes.columns()[slot].count();
        let answers = self.answers.of(tree, node, class_count);
        if let Some(number) = self.known.get(&(slot, answers)) {
            return Some(*number);
        }
        let number = u32::try_from(self.decisions.count).ok()?;
        self.known.insert((slot, answers), number);
        self.decisions.count += 1;
        let column = &mut self.decisions.columns[slot];
        match Split::of(answers) {
            Some(split) => column.splits.push(OrderedTest {
                number,
                split: split.split,
                missing_left: split.missing_left,
            }),
            None => column.add_other(number, answers),
        }
        Some(number)
    }

    /// All tests that have a number.
    pub(super) fn finish(self) -> Decisions {
        self.decisions
    }
}

impl Decisions {
    /// How many different tests there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Writes, by the numbers of the tests, which rows go right. `classes` holds `column_count` classes for each row.
    #[inline(always)]
    pub(super) fn decide(&self, classes: &[u16], column_count: usize, right: &mut [Mask]) {
        for (slot, column) in self.columns.iter().enumerate() {
            let mut classes_of_rows = [0; ROWS];
            for (class, classes) in classes_of_rows
                .iter_mut()
                .zip(classes.chunks_exact(column_count))
            {
                *class = classes[slot];
            }
            column.decide_splits(&classes_of_rows, right);
            column.decide_others(&classes_of_rows, right);
        }
    }
}

impl Column {
    fn add_other(&mut self, number: u32, answers: &[bool]) {
        if self.others.len().is_multiple_of(64) {
            self.right_bits
                .resize(self.right_bits.len() + answers.len(), 0);
        }
        let first = self.right_bits.len() - answers.len();
        let bit = self.others.len() % 64;
        for (word, goes_left) in self.right_bits[first..].iter_mut().zip(answers) {
            *word |= u64::from(!goes_left) << bit;
        }
        self.others.push(number);
    }

    #[inline(always)]
    fn decide_splits(&self, classes: &[u16; ROWS], right: &mut [Mask]) {
        if self.splits.is_empty() {
            return;
        }
        let class_count = usize::from(self.missing) + 1;
        let mut rows_of_class = vec![NO_ROW; class_count];
        for (row, class) in classes.iter().enumerate() {
            let (word, bit) = row_place(row);
            rows_of_class[usize::from(*class)][word] |= 1 << bit;
        }
        let Some((missing, rows_at_least)) = rows_of_class.split_last_mut() else {
            return;
        };
        let mut above = NO_ROW;
        for rows in rows_at_least.iter_mut().rev() {
            above = array::from_fn(|word| above[word] | rows[word]);
            *rows = above;
        }
        for test in &self.splits {
            let rows = rows_at_least
                .get(usize::from(test.split))
                .unwrap_or(&NO_ROW);
            let keep = u64::from(test.missing_left).wrapping_sub(1);
            right[test.number as usize] = array::from_fn(|word| rows[word] | missing[word] & keep);
        }
    }

    #[inline(always)]
    fn decide_others(&self, classes: &[u16; ROWS], right: &mut [Mask]) {
        let words = self.right_bits.chunks_exact(usize::from(self.missing) + 1);
        for (numbers, words) in self.others.chunks(64).zip(words) {
            let mut tests_of_rows = [NO_ROW; 64];
            for (row, class) in classes.iter().enumerate() {
                let (word, bit) = row_place(row);
                tests_of_rows[bit][word] = words[usize::from(*class)];
            }
            transpose(&mut tests_of_rows);
            for (number, rows) in numbers.iter().zip(tests_of_rows) {
                right[*number as usize] = rows;
            }
        }
    }
}
