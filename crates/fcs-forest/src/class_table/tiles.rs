//! A class table for one row at a time: blocks in tiles, whose words stay in registers while the columns pass by.
//!
//! Columns with few different words are *joined*: what their classes allow together is intersected beforehand, so that
//! one look does for all of them. Which columns are joined is a function of the table's size alone.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::{array, iter};

use super::{ClassTable, LANES, Row, Word};

/// Rows of words may take this many bytes, or half as much again as they do for columns of their own: more looks are
/// saved by then than more distant memory costs.
const JOINED_BYTES: usize = 256 << 10;

/// Blocks whose row numbers fill a vector register.
const PANEL: usize = 16;

/// Panels of joined columns whose numbers need no memory but the stack's.
const PANELS_ON_STACK: usize = 64;

/// The table. The numbers that the classes of joined columns have for a block add up to that of its row, without a base
/// to add: the fewer instructions there are to a row, the more rows are on their way from the far caches at the same
/// time.
#[derive(Debug)]
pub(crate) struct Tiles<W: Word, const BLOCKS: usize> {
    panel_count: usize,
    /// The columns, those together that are joined.
    joined: Vec<Vec<Column>>,
    /// By class and panel.
    row_numbers: Vec<[u16; PANEL]>,
    /// By tile. The first of each allows everything.
    rows: Vec<Vec<Row<W>>>,
}

/// A column of the table.
#[derive(Debug, Clone, Copy)]
struct Column {
    slot: usize,
    /// The number of its first class among the classes of all columns.
    first_class: usize,
}

impl<W: Word, const BLOCKS: usize> Tiles<W, BLOCKS> {
    /// Tiles of a table; `None` when a tile has more rows than can be numbered.
    pub(crate) fn new(table: &ClassTable<W, u8>) -> Option<Self> {
        let on_their_own = || {
            (0..table.first_classes.len())
                .map(|slot| vec![slot])
                .collect()
        };
        Self::with_joined(table, joined_slots(table))
            .or_else(|| Self::with_joined(table, on_their_own()))
    }

    fn with_joined(table: &ClassTable<W, u8>, joined: Vec<Vec<usize>>) -> Option<Self> {
        let panel_count = table.block_count.div_ceil(PANEL);
        let mut tiles = Self {
            panel_count,
            joined: Vec::with_capacity(joined.len()),
            row_numbers: vec![[0; PANEL]; table.class_count * panel_count],
            rows: vec![vec![Row::ALL]; table.block_count.div_ceil(BLOCKS)],
        };
        for slots in joined {
            for block in 0..table.block_count {
                tiles.add_rows(table, &slots, block)?;
            }
            let column = |slot| Column {
                slot,
                first_class: table.first_classes[slot],
            };
            tiles.joined.push(slots.into_iter().map(column).collect());
        }
        Some(tiles)
    }

    /// Adds the rows of some columns in a block, one for each combination of theirs.
    fn add_rows(&mut self, table: &ClassTable<W, u8>, slots: &[usize], block: usize) -> Option<()> {
        let rows = &mut self.rows[block / BLOCKS];
        let first_number = rows.len();
        // Where nothing is asked, everything is allowed, which is the first row.
        let mut combined = vec![Row::ALL];
        let mut strides = Vec::with_capacity(slots.len());
        for slot in slots {
            strides.push(combined.len());
            if let Some(own) = table.rows_of(*slot, block) {
                let own = own.iter();
                combined = own
                    .flat_map(|own| combined.iter().map(|row| row.and(own)))
                    .collect();
            }
        }
        if combined.len() == 1 && combined[0] == Row::ALL {
            return Some(());
        }
        rows.extend(combined);
        u16::try_from(rows.len()).ok()?;
        for (position, (slot, stride)) in iter::zip(slots, strides).enumerate() {
            let base = if position == 0 { first_number } else { 0 };
            for class in table.classes_of(*slot) {
                let own = usize::from(table.row_numbers[class * table.block_count + block]);
                let numbers = &mut self.row_numbers[class * self.panel_count + block / PANEL];
                numbers[block % PANEL] = u16::try_from(base + own * stride).ok()?;
            }
        }
        Some(())
    }

    /// How many tiles there are.
    pub(crate) fn count(&self) -> usize {
        self.rows.len()
    }

    /// Finds the words of all tiles for a row of classes, tile by tile. All bits are set to begin with.
    #[inline(always)]
    pub(crate) fn intersect(&self, classes: &[u16], mut take: impl FnMut(&[[W; LANES]; BLOCKS])) {
        let count = self.joined.len() * self.panel_count;
        let mut on_stack = [[0; PANEL]; PANELS_ON_STACK];
        let mut elsewhere = Vec::new();
        let numbers = if count <= PANELS_ON_STACK {
            &mut on_stack[..count]
        } else {
            elsewhere.resize(count, [0; PANEL]);
            &mut elsewhere[..]
        };
        self.add_numbers(classes, numbers);
        let panels = numbers.chunks_exact(self.joined.len());
        for (numbers, rows) in panels.zip(self.rows.chunks(PANEL / BLOCKS)) {
            for (tile, rows) in rows.iter().enumerate() {
                take(&intersection(rows, numbers, tile));
            }
        }
    }

    /// Adds up the numbers of joined columns, by panel and joined columns: first of all and for all panels, as they may
    /// come from far away.
    #[inline(always)]
    fn add_numbers(&self, classes: &[u16], sums: &mut [[u16; PANEL]]) {
        for (place, columns) in self.joined.iter().enumerate() {
            for column in columns {
                let class = column.first_class + usize::from(classes[column.slot]);
                let own = &self.row_numbers[class * self.panel_count..][..self.panel_count];
                let sums = sums[place..].iter_mut().step_by(self.joined.len());
                for (sum, own) in sums.zip(own) {
                    *sum = array::from_fn(|block| sum[block].wrapping_add(own[block]));
                }
            }
        }
    }
}

/// The words of a tile of a panel. They are not in memory before all columns have passed by.
#[inline(always)]
fn intersection<W: Word, const BLOCKS: usize>(
    rows: &[Row<W>],
    numbers: &[[u16; PANEL]],
    tile: usize,
) -> [[W; LANES]; BLOCKS] {
    let mut words = [[W::ALL; LANES]; BLOCKS];
    for numbers in numbers {
        let numbers: &[[u16; BLOCKS]] = numbers.as_chunks().0;
        for (words, number) in words.iter_mut().zip(&numbers[tile]) {
            let row = &rows[usize::from(*number)].words;
            *words = array::from_fn(|lane| words[lane] & row[lane]);
        }
    }
    words
}

/// Which columns are joined: the two with the fewest rows become one as long as there is room.
fn joined_slots<W: Word>(table: &ClassTable<W, u8>) -> Vec<Vec<usize>> {
    let row_counts = |slot: usize| -> Vec<usize> {
        let blocks = 0..table.block_count;
        blocks
            .map(|block| table.rows_of(slot, block).map_or(1, <[Row<W>]>::len))
            .collect()
    };
    let mut groups = BinaryHeap::new();
    let mut row_count = 0;
    for slot in 0..table.first_classes.len() {
        let counts = row_counts(slot);
        let total: usize = counts.iter().sum();
        row_count += total;
        groups.push(Reverse((total, vec![slot], counts)));
    }
    let room = (row_count + row_count / 2).max(JOINED_BYTES / size_of::<Row<W>>());
    while let Some(Reverse(one)) = groups.pop() {
        let Some(Reverse(other)) = groups.pop() else {
            groups.push(Reverse(one));
            break;
        };
        let counts: Vec<usize> = iter::zip(&one.2, &other.2)
            .map(|(one, other)| one.saturating_mul(*other))
            .collect();
        let total = counts
            .iter()
            .fold(0, |total: usize, count| total.saturating_add(*count));
        let grown = (row_count - one.0 - other.0).saturating_add(total);
        if grown > room {
            groups.extend([Reverse(one), Reverse(other)]);
            break;
        }
        row_count = grown;
        groups.push(Reverse((total, [one.1, other.1].concat(), counts)));
    }
    groups
        .into_sorted_vec()
        .into_iter()
        .map(|Reverse((_, slots, _))| slots)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::Classes;
    use crate::ensemble::{Ensemble, Summation};
    use crate::tree::{Child, Comparison, Node, Test, Tree};

    const LANE_COUNT: usize = 300;

    /// Classes of eight columns, of 3 to 10 classes each.
    fn classes() -> Classes {
        let nodes = (0..8_u32).flat_map(|column| {
            (0..=column).map(move |threshold| Node {
                column,
                test: Test::Compare {
                    comparison: Comparison::AtMost,
                    threshold: f64::from(threshold),
                    missing_left: false,
                },
                left: Child::Leaf(0),
                right: Child::Leaf(1),
            })
        });
        let tree = Tree {
            nodes: nodes.collect(),
            leaf_values: vec![0.0, 1.0],
            leaf_ids: vec![0, 1],
            category_words: Vec::new(),
            cover: None,
        };
        let ensemble = Ensemble {
            trees: vec![tree],
            summation: Summation::BOOSTED_DOUBLE,
        };
        Classes::new(&ensemble, 8).expect("few classes")
    }

    fn scrambled(number: usize) -> usize {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
    }

    /// Each lane asks some columns, and each class of those clears some bits.
    fn table(classes: &Classes) -> ClassTable<u32, u8> {
        let table = ClassTable::new(
            classes,
            LANE_COUNT,
            |lane| (0..8).filter(|slot| (lane + slot) % 3 > 0).collect(),
            |slot, lane, words| {
                for (class, word) in words.iter_mut().enumerate() {
                    let cleared = scrambled(1 + class + 16 * (slot + 8 * lane));
                    *word &= !(1 << (cleared % 32));
                }
            },
        );
        table.expect("few classes")
    }

    fn check(tiles: &Tiles<u32, 4>, table: &ClassTable<u32, u8>, classes: &Classes) {
        for row in 0..200 {
            let columns = classes.columns().iter().enumerate();
            let row: Vec<u16> = columns
                .map(|(slot, column)| {
                    let class = scrambled(1 + slot + 8 * row) % column.count();
                    u16::try_from(class).expect("few classes")
                })
                .collect();
            let mut expected = vec![[u32::MAX; LANES]; table.block_count];
            table.intersect(&row, 0, &mut expected);
            let mut found = Vec::new();
            tiles.intersect(&row, |words| found.extend_from_slice(words));
            assert_eq!(found[..expected.len()], expected);
        }
    }

    #[test]
    fn joined_columns_allow_what_all_of_them_allow() {
        let classes = classes();
        let table = table(&classes);
        let tiles = Tiles::new(&table).expect("few rows");
        assert!(tiles.joined.len() < 8);
        check(&tiles, &table, &classes);
    }

    #[test]
    fn columns_need_not_be_joined() {
        let classes = classes();
        let table = table(&classes);
        let own = (0..8).map(|slot| vec![slot]).collect();
        let tiles = Tiles::with_joined(&table, own).expect("few rows");
        check(&tiles, &table, &classes);
        let all = vec![(0..8).collect()];
        assert!(
            Tiles::<u32, 4>::with_joined(&table, all).is_none(),
            "too many rows for their numbers"
        );
    }
}
