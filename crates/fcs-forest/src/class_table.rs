//! A table of bit words by column and value class, intersected for a row.
//!
//! Each *lane* is one word whose bits mean something to the caller: the leaves of a tree, or the branches taken at
//! some nodes. A column says for each of its classes which bits may stay; the intersection over the columns is the
//! answer for a row. Nothing branches on the data, so that the time does not depend on the row.
//! (QuickScorer, Lucchese et al., SIGIR 2015, with all nodes of a column merged per class.)
//!
//! Eight lanes form a block. A column has few distinct rows of words per block, at most one more than it has nodes
//! there, and its classes refer to them by number: the table stays small enough for the near caches.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use std::array;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::{BitAnd, BitAndAssign, BitOr, Not};

use crate::classes::Classes;

/// Lanes per block.
pub(crate) const LANES: usize = 8;

/// A word of a lane.
pub(crate) trait Word:
    Copy + Eq + Hash + BitAnd<Output = Self> + BitAndAssign + BitOr<Output = Self> + Not<Output = Self>
{
    /// Every bit.
    const ALL: Self;
    /// No bit.
    const NONE: Self;
    /// Bits that fit.
    const BITS: usize;

    /// The word of one bit.
    fn of(bit: usize) -> Self;

    /// The least bit; `BITS` when there is none.
    fn first(self) -> usize;
}

macro_rules! word {
    ($word:ty) => {
        impl Word for $word {
            const ALL: Self = <$word>::MAX;
            const NONE: Self = 0;
            const BITS: usize = <$word>::BITS as usize;

            fn of(bit: usize) -> Self {
                1 << bit
            }

            #[inline(always)]
            fn first(self) -> usize {
                self.trailing_zeros() as usize
            }
        }
    };
}

word!(u16);
word!(u32);
word!(u64);

/// The table.
#[derive(Debug)]
pub(crate) struct ClassTable<W> {
    block_count: usize,
    /// By column and class, the number of the row for each block.
    row_numbers: Vec<u8>,
    /// The same by block, column and class: of a block everything lies together.
    row_numbers_by_block: Vec<u8>,
    class_count: usize,
    /// Of each column, the number of its first class among the classes of all columns.
    first_classes: Vec<usize>,
    /// By column and block, the first of its rows.
    first_rows: Vec<u32>,
    /// The same by block and column.
    first_rows_by_block: Vec<u32>,
    rows: Vec<[W; LANES]>,
}

impl<W: Word> ClassTable<W> {
    /// Makes a table. `restrict` is called for each column (by its place in `classes`) and each lane with one word
    /// per class, all bits set, and clears those that must go. `None` when a column has more than 256 distinct rows
    /// in a block.
    pub(crate) fn new(
        classes: &Classes,
        lane_count: usize,
        restrict: impl Fn(usize, usize, &mut [W]),
    ) -> Option<Self> {
        let block_count = lane_count.div_ceil(LANES);
        let mut first_classes = Vec::with_capacity(classes.columns().len());
        let mut class_count = 0;
        for column in classes.columns() {
            first_classes.push(class_count);
            class_count += column.count();
        }
        let mut table = Self {
            block_count,
            row_numbers: vec![0; class_count * block_count],
            row_numbers_by_block: vec![0; class_count * block_count],
            class_count,
            first_classes,
            first_rows: vec![0; classes.columns().len() * block_count],
            first_rows_by_block: vec![0; classes.columns().len() * block_count],
            rows: Vec::new(),
        };
        for block in 0..block_count {
            let lanes = block * LANES..lane_count.min((block + 1) * LANES);
            for (slot, column) in classes.columns().iter().enumerate() {
                let mut words = vec![[W::ALL; LANES]; column.count()];
                let mut lane_words = vec![W::ALL; column.count()];
                for (position, lane) in lanes.clone().enumerate() {
                    lane_words.fill(W::ALL);
                    restrict(slot, lane, &mut lane_words);
                    for (words, word) in words.iter_mut().zip(&lane_words) {
                        words[position] = *word;
                    }
                }
                table.add_rows(block, slot, &words)?;
            }
        }
        Some(table)
    }

    /// Blocks of lanes.
    pub(crate) fn block_count(&self) -> usize {
        self.block_count
    }

    /// Stores the distinct rows of a column in a block, and which class has which.
    fn add_rows(&mut self, block: usize, slot: usize, words: &[[W; LANES]]) -> Option<()> {
        let first = self.rows.len();
        let first_row = u32::try_from(first).ok()?;
        self.first_rows[slot * self.block_count + block] = first_row;
        self.first_rows_by_block[block * self.first_classes.len() + slot] = first_row;
        let mut numbers = HashMap::new();
        for (class, words) in words.iter().enumerate() {
            let next = self.rows.len() - first;
            let number = *numbers.entry(*words).or_insert(next);
            if number == next {
                self.rows.push(*words);
            }
            let class = self.first_classes[slot] + class;
            let number = u8::try_from(number).ok()?;
            self.row_numbers[class * self.block_count + block] = number;
            self.row_numbers_by_block[block * self.class_count + class] = number;
        }
        Some(())
    }

    /// Clears the bits of some blocks, from `block` on, that a row of classes does not allow. The words come with
    /// the bits set that may be answered.
    #[inline(always)]
    pub(crate) fn intersect(&self, classes: &[u16], block: usize, words: &mut [[W; LANES]]) {
        let count = words.len();
        for (slot, class) in classes.iter().enumerate() {
            let class = self.first_classes[slot] + usize::from(*class);
            let numbers = &self.row_numbers[class * self.block_count + block..][..count];
            let firsts = &self.first_rows[slot * self.block_count + block..][..count];
            for ((words, number), first) in words.iter_mut().zip(numbers).zip(firsts) {
                let row = &self.rows[*first as usize + usize::from(*number)];
                *words = array::from_fn(|lane| words[lane] & row[lane]);
            }
        }
    }

    /// The words of one block for a row of classes: for many rows in turn, as long as the block stays near.
    #[inline(always)]
    pub(crate) fn intersection(&self, classes: &[u16], block: usize) -> [W; LANES] {
        let numbers = &self.row_numbers_by_block[block * self.class_count..][..self.class_count];
        let firsts = &self.first_rows_by_block[block * classes.len()..][..classes.len()];
        let mut words = [W::ALL; LANES];
        let columns = classes.iter().zip(&self.first_classes).zip(firsts);
        for ((class, first_class), first_row) in columns {
            let number = numbers[first_class + usize::from(*class)];
            let row = &self.rows[*first_row as usize + usize::from(number)];
            words = array::from_fn(|lane| words[lane] & row[lane]);
        }
        words
    }
}
