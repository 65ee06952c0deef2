//! A class table for one row at a time: blocks in tiles, whose words stay in registers while the columns pass by.

use std::array;
use std::ops::Range;

use super::{ClassTable, LANES, Word};

/// The table. A class refers to the rows of a tile's blocks by one number each, without a base to add: the fewer
/// instructions there are to a row, the more rows are on their way from the far caches at the same time.
#[derive(Debug)]
pub(crate) struct Tiles<W, const BLOCKS: usize> {
    tile_count: usize,
    /// Of each column, the number of its first class among the classes of all columns.
    first_classes: Vec<usize>,
    /// By class and tile.
    row_numbers: Vec<[u16; BLOCKS]>,
    /// By tile. The first of each allows everything.
    rows: Vec<Vec<[W; LANES]>>,
}

impl<W: Word, const BLOCKS: usize> Tiles<W, BLOCKS> {
    /// Tiles of a table; `None` when a tile has more rows than can be numbered.
    pub(crate) fn new(table: &ClassTable<W, u8>) -> Option<Self> {
        let tile_count = table.block_count.div_ceil(BLOCKS);
        let class_count = table.row_numbers.len() / table.block_count.max(1);
        let mut tiles = Self {
            tile_count,
            first_classes: table.first_classes.clone(),
            row_numbers: vec![[0; BLOCKS]; class_count * tile_count],
            rows: vec![vec![[W::ALL; LANES]]; tile_count],
        };
        let ends = table.first_classes.iter().skip(1).chain([&class_count]);
        for (slot, (first_class, end)) in table.first_classes.iter().zip(ends).enumerate() {
            for block in 0..table.block_count {
                tiles.add_rows(table, slot, *first_class..*end, block)?;
            }
        }
        Some(tiles)
    }

    /// Takes over the rows of a column in a block.
    fn add_rows(
        &mut self,
        table: &ClassTable<W, u8>,
        slot: usize,
        classes: Range<usize>,
        block: usize,
    ) -> Option<()> {
        let first_row = table.first_rows[slot * table.block_count + block] as usize;
        if first_row == 0 {
            // Nothing is asked, and everything is allowed.
            return Some(());
        }
        let rows = &mut self.rows[block / BLOCKS];
        let first_number = rows.len();
        for class in classes {
            let number = usize::from(table.row_numbers[class * table.block_count + block]);
            if first_number + number == rows.len() {
                rows.push(table.rows[first_row + number]);
            }
            let numbers = &mut self.row_numbers[class * self.tile_count + block / BLOCKS];
            numbers[block % BLOCKS] = u16::try_from(first_number + number).ok()?;
        }
        Some(())
    }

    /// How many tiles there are.
    pub(crate) fn count(&self) -> usize {
        self.tile_count
    }

    /// The words of a tile for a row of classes, all bits set to begin with.
    #[inline(always)]
    pub(crate) fn intersection(&self, classes: &[u16], tile: usize) -> [[W; LANES]; BLOCKS] {
        let rows = &self.rows[tile][..];
        let mut words = [[W::ALL; LANES]; BLOCKS];
        for (class, first_class) in classes.iter().zip(&self.first_classes) {
            let class = first_class + usize::from(*class);
            let numbers = &self.row_numbers[class * self.tile_count + tile];
            for (words, number) in words.iter_mut().zip(numbers) {
                let row = &rows[usize::from(*number)];
                *words = array::from_fn(|lane| words[lane] & row[lane]);
            }
        }
        words
    }
}
