//! A table of bit words by column and value class, intersected for a row.
//!
//! Each *lane* is one word whose bits mean something to the caller: the leaves of a tree, or the branches taken at
//! some nodes. A column says for each of its classes which bits may stay; the intersection over the columns is the
//! answer for a row. Nothing branches on the data, so that the time does not depend on the row.
//! (QuickScorer, Lucchese et al., SIGIR 2015, with all nodes of a column merged per class.)
//!
//! Eight lanes form a block. A column has few distinct rows of words per block, and its classes refer to them by
//! number: the table stays small enough for the near caches.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

mod tiles;

use std::array;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::Hash;
use std::ops::{BitAnd, BitAndAssign, BitOr, Not, Range};

use crate::classes::Classes;
use crate::limits::CLASS_TABLE_BYTES_MAX;
pub(crate) use tiles::Tiles;

/// Lanes per block.
pub(crate) const LANES: usize = 8;

/// A word of a lane.
pub(crate) trait Word:
    Copy
    + Debug
    + Eq
    + Hash
    + BitAnd<Output = Self>
    + BitAndAssign
    + BitOr<Output = Self>
    + Not<Output = Self>
{
    /// Aligned to the size of [`LANES`] words.
    type Alignment: Copy + Debug + Eq + Hash;
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
    ($word:ty, $alignment:ident, $bytes:literal) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(align($bytes))]
        pub(crate) struct $alignment;

        impl Word for $word {
            type Alignment = $alignment;

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

word!(u16, Align16, 16);
word!(u32, Align32, 32);
word!(u64, Align64, 64);

/// The words of a block's lanes: in one line of a cache, so that a row takes one load from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Row<W: Word> {
    alignment: [W::Alignment; 0],
    pub(crate) words: [W; LANES],
}

impl<W: Word> Row<W> {
    /// Allows everything.
    const ALL: Self = Self::new([W::ALL; LANES]);

    const fn new(words: [W; LANES]) -> Self {
        Self {
            alignment: [],
            words,
        }
    }

    /// What both allow.
    fn and(&self, other: &Self) -> Self {
        Self::new(array::from_fn(|lane| self.words[lane] & other.words[lane]))
    }
}

/// The table. `N` numbers the distinct rows of a column in a block.
#[derive(Debug)]
pub(crate) struct ClassTable<W: Word, N> {
    block_count: usize,
    /// Classes of all columns.
    class_count: usize,
    /// Of each column, the number of its first class among the classes of all columns.
    first_classes: Vec<usize>,
    /// By class and block.
    row_numbers: Vec<N>,
    /// By column and block, the first of its rows.
    first_rows: Vec<u32>,
    /// The first allows everything: it serves the columns that no lane of a block asks.
    rows: Vec<Row<W>>,
}

impl<W: Word, N: Copy + Default + TryFrom<usize> + Into<usize>> ClassTable<W, N> {
    /// Makes a table. `asked` gives the columns that a lane asks, by their places in `classes`, in any order; for each of them
    /// `restrict` is called with column, lane and one word per class, all bits set, and clears those that must go.
    ///
    /// `None` past [`CLASS_TABLE_BYTES_MAX`], or when a column has more distinct rows in a block than `N` can number:
    /// it has at most as many as classes, and one more than ordered tests there.
    pub(crate) fn new(
        classes: &Classes,
        lane_count: usize,
        asked: impl Fn(usize) -> Vec<usize>,
        restrict: impl Fn(usize, usize, &mut [W]),
    ) -> Option<Self> {
        let column_count = classes.columns().len();
        let block_count = lane_count.div_ceil(LANES);
        let mut first_classes = Vec::with_capacity(column_count);
        let mut class_count = 0;
        for column in classes.columns() {
            first_classes.push(class_count);
            class_count += column.count();
        }
        let bytes_per_block = class_count * size_of::<N>() + column_count * size_of::<u32>();
        if bytes_per_block.checked_mul(block_count)? > CLASS_TABLE_BYTES_MAX {
            return None;
        }
        let mut table = Self {
            block_count,
            class_count,
            first_classes,
            row_numbers: vec![N::default(); class_count * block_count],
            first_rows: vec![0; column_count * block_count],
            rows: vec![Row::ALL],
        };
        for block in 0..block_count {
            let lanes = block * LANES..lane_count.min((block + 1) * LANES);
            let mut columns: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for lane in lanes {
                let mut slots = asked(lane);
                slots.sort_unstable();
                slots.dedup();
                for slot in slots {
                    columns.entry(slot).or_default().push(lane);
                }
            }
            for (slot, lanes) in columns {
                let class_count = classes.columns()[slot].count();
                let mut words = vec![Row::ALL; class_count];
                let mut lane_words = vec![W::ALL; class_count];
                for lane in lanes {
                    lane_words.fill(W::ALL);
                    restrict(slot, lane, &mut lane_words);
                    for (words, word) in words.iter_mut().zip(&lane_words) {
                        words.words[lane % LANES] = *word;
                    }
                }
                table.add_rows(block, slot, &words)?;
            }
            if table.rows.len() * size_of::<Row<W>>() > CLASS_TABLE_BYTES_MAX {
                return None;
            }
        }
        Some(table)
    }

    /// Stores the distinct rows of a column in a block, and which class has which.
    fn add_rows(&mut self, block: usize, slot: usize, words: &[Row<W>]) -> Option<()> {
        let first = self.rows.len();
        self.first_rows[slot * self.block_count + block] = u32::try_from(first).ok()?;
        let mut numbers = HashMap::new();
        for (class, words) in words.iter().enumerate() {
            let next = self.rows.len() - first;
            let number = *numbers.entry(*words).or_insert(next);
            if number == next {
                self.rows.push(*words);
            }
            let class = self.first_classes[slot] + class;
            self.row_numbers[class * self.block_count + block] = N::try_from(number).ok()?;
        }
        Some(())
    }

    /// The classes of a column among those of all columns.
    fn classes_of(&self, slot: usize) -> Range<usize> {
        let next = self.first_classes.get(slot + 1).copied();
        self.first_classes[slot]..next.unwrap_or(self.class_count)
    }

    /// The rows of a column in a block; `None` when no lane of the block asks the column.
    fn rows_of(&self, slot: usize, block: usize) -> Option<&[Row<W>]> {
        let first = self.first_rows[slot * self.block_count + block] as usize;
        let numbers = self.classes_of(slot).map(|class| {
            let number: usize = self.row_numbers[class * self.block_count + block].into();
            number
        });
        let last = first + numbers.max()?;
        (first > 0).then(|| &self.rows[first..=last])
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
                let row = &self.rows[*first as usize + (*number).into()].words;
                *words = array::from_fn(|lane| words[lane] & row[lane]);
            }
        }
    }
}
