//! Value classes: for each column, the finitely many kinds of values that the trees tell apart.
//!
//! Every test of a column is constant between neighbouring *edges*, so a value matters only through its class: the
//! number of edges below it, or one class of its own for NaN. What a class does at a test is found by asking the
//! test about one value of the class; no rule about missing values, zeros or categories is repeated here.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use crate::ensemble::Ensemble;
use crate::limits::{CLASSES_PER_COLUMN_MAX, TEST_EDGES_MAX};
use crate::tree::{Comparison, Missing, Test, Tree, ZERO_BAND};

/// Edges are compared in blocks of this many, which the compiler turns into vector instructions: first the separators
/// of the blocks, all of them, then the edges of one block.
const BLOCK: usize = 16;

/// Longest table of category classes; columns with greater categories are searched like numbers.
const TABLE_MAX: usize = 1 << 12;

/// The classes of the columns that the trees ask for.
#[derive(Debug)]
pub(crate) struct Classes {
    columns: Vec<ColumnClasses>,
    /// Of each column of the row, its place in `columns`; `u32::MAX` when no tree asks for it.
    slots: Vec<u32>,
}

/// The classes of one column.
#[derive(Debug)]
pub(crate) struct ColumnClasses {
    /// Position in a row of columns.
    column: u32,
    /// Ascending. Class c holds the values above edge c - 1 and at most edge c; the last class has no upper edge.
    edges: Vec<f64>,
    finder: Finder,
}

/// How the class of a number is found.
#[derive(Debug)]
enum Finder {
    /// Which block of edges, by the first edge of each but the first; then the place in the block.
    Search {
        separators: Vec<[f64; BLOCK]>,
        blocks: Vec<[f64; BLOCK]>,
    },
    /// All edges lie just below whole numbers: the class of the number that a value truncates to.
    Table {
        /// Class of each whole number from 0.
        classes: Vec<u16>,
        /// Class of the values in (-1, 0).
        negative_fraction: u16,
        /// Class of the values at most -1.
        negative: u16,
        /// Class of everything past the table.
        beyond: u16,
    },
}

impl Classes {
    /// The classes of an ensemble's columns; `None` when a column has more than [`CLASSES_PER_COLUMN_MAX`], or the
    /// tests have more than [`TEST_EDGES_MAX`] edges.
    pub(crate) fn new(ensemble: &Ensemble, column_count: usize) -> Option<Self> {
        let mut edges: Vec<Option<Vec<f64>>> = vec![None; column_count];
        let mut room = TEST_EDGES_MAX;
        for tree in &ensemble.trees {
            for node in &tree.nodes {
                let edges = edges[node.column as usize].get_or_insert_default();
                let known_count = edges.len();
                add_edges(tree, &node.test, room, edges);
                room = room.checked_sub(edges.len() - known_count)?;
            }
        }
        let mut columns = Vec::new();
        let mut slots = vec![u32::MAX; column_count];
        for (column, edges) in (0_u32..).zip(edges) {
            let Some(edges) = edges else { continue };
            slots[column as usize] = u32::try_from(columns.len()).ok()?;
            columns.push(ColumnClasses::new(column, edges)?);
        }
        Some(Self { columns, slots })
    }

    /// The columns that the trees ask for, in their order in the row.
    pub(crate) fn columns(&self) -> &[ColumnClasses] {
        &self.columns
    }

    /// The place in [`Self::columns`] of a column that some tree asks for.
    pub(crate) fn slot(&self, column: u32) -> usize {
        self.slots[column as usize] as usize
    }

    /// Writes the class of each asked column of a row.
    #[inline(always)]
    pub(crate) fn find(&self, columns: &[f64], found: &mut [u16]) {
        for (classes, found) in self.columns.iter().zip(found) {
            *found = classes.find(columns[classes.column as usize]);
        }
    }
}

impl ColumnClasses {
    fn new(column: u32, mut edges: Vec<f64>) -> Option<Self> {
        // Nothing lies above infinity or below its negative, and zero has one sign.
        edges.retain(|edge| *edge < f64::INFINITY);
        for edge in &mut edges {
            *edge += 0.0;
        }
        edges.sort_unstable_by(f64::total_cmp);
        edges.dedup();
        if edges.len() + 2 > CLASSES_PER_COLUMN_MAX {
            return None;
        }
        let finder = Finder::table(&edges).unwrap_or_else(|| Finder::search(&edges));
        Some(Self {
            column,
            edges,
            finder,
        })
    }

    /// Number of classes, with the one of NaN, which is the last.
    pub(crate) fn count(&self) -> usize {
        self.edges.len() + 2
    }

    /// The class of NaN.
    pub(crate) fn missing(&self) -> u16 {
        class_number(self.edges.len() + 1)
    }

    /// Position in a row of columns.
    pub(crate) fn column(&self) -> u32 {
        self.column
    }

    /// A value of a class.
    pub(crate) fn representative(&self, class: u16) -> f64 {
        let class = usize::from(class);
        match self.edges.get(class) {
            Some(edge) => *edge,
            None if class > self.edges.len() => f64::NAN,
            None => self.edges.last().map_or(0.0, |edge| edge.next_up()),
        }
    }

    /// The class of a value.
    #[inline(always)]
    fn find(&self, value: f64) -> u16 {
        let class = match &self.finder {
            Finder::Search { separators, blocks } => search(separators, blocks, value),
            Finder::Table {
                classes,
                negative_fraction,
                negative,
                beyond,
            } => {
                if value >= 0.0 {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "not negative; a value past the integers saturates and is beyond the table"
                    )]
                    let whole = value as usize;
                    classes.get(whole).copied().unwrap_or(*beyond)
                } else if value > -1.0 {
                    *negative_fraction
                } else {
                    *negative
                }
            }
        };
        if value.is_nan() {
            self.missing()
        } else {
            class
        }
    }
}

impl Finder {
    fn search(edges: &[f64]) -> Self {
        let block = |edges: &[f64]| {
            let mut block = [f64::INFINITY; BLOCK];
            block[..edges.len()].copy_from_slice(edges);
            block
        };
        let firsts: Vec<f64> = edges.chunks(BLOCK).skip(1).map(|chunk| chunk[0]).collect();
        Self::Search {
            separators: firsts.chunks(BLOCK).map(block).collect(),
            blocks: edges.chunks(BLOCK).map(block).collect(),
        }
    }

    /// A table, when every edge lies just below a whole number, or at -1.
    fn table(edges: &[f64]) -> Option<Self> {
        let last = *edges.last()?;
        let is_whole =
            |edge: f64| edge.next_up().fract() == 0.0 || edge.to_bits() == (-1.0_f64).to_bits();
        let fits =
            (-1.0..TABLE_MAX as f64).contains(&last) && edges.iter().all(|edge| is_whole(*edge));
        if !fits || edges[0] < -1.0 {
            return None;
        }
        let class_of = |value: f64| class_number(edges.partition_point(|edge| *edge < value));
        let mut classes = Vec::new();
        // The first whole number above the last edge has the class of all greater ones.
        while classes.len() as f64 <= last {
            classes.push(class_of(classes.len() as f64));
        }
        Some(Self::Table {
            classes,
            negative_fraction: class_of(-0.5),
            negative: class_of(-1.0),
            beyond: class_number(edges.len()),
        })
    }
}

/// The number of edges below a value; anything for NaN.
#[inline(always)]
fn search(separators: &[[f64; BLOCK]], blocks: &[[f64; BLOCK]], value: f64) -> u16 {
    let mut at = 0;
    for separators in separators {
        at += count_below(separators, value);
    }
    // A separator below the value is the first edge of a block whose predecessors all lie below the value.
    blocks.get(at).map_or(0, |block| {
        class_number(at * BLOCK + count_below(block, value))
    })
}

#[inline(always)]
fn count_below(edges: &[f64; BLOCK], value: f64) -> usize {
    // A count per lane of a vector register.
    let mut counts = [0_u64; 4];
    for edges in edges.as_chunks::<4>().0 {
        for (count, edge) in counts.iter_mut().zip(edges) {
            *count += u64::from(*edge < value);
        }
    }
    let count: u64 = counts.iter().sum();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a block has few edges, and saying so spares the caller a check"
    )]
    let count = count as u8;
    usize::from(count)
}

fn class_number(class: usize) -> u16 {
    debug_assert!(
        class < CLASSES_PER_COLUMN_MAX,
        "classes are counted before they are numbered"
    );
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked when the edges were counted"
    )]
    let number = class as u16;
    number
}

/// Adds the edges between which a test gives one answer: a value above an edge may be treated otherwise than the
/// edge itself. Stops soon after `room` edges.
fn add_edges(tree: &Tree, test: &Test, room: usize, edges: &mut Vec<f64>) {
    match *test {
        Test::LightGbm {
            threshold, missing, ..
        } => {
            // Values in the zero band are zero, so that a threshold in the band is one of its ends.
            let (below_band, band_end) = ((-ZERO_BAND).next_down(), ZERO_BAND);
            edges.push(match threshold {
                threshold if threshold.abs() > ZERO_BAND => threshold,
                threshold if threshold >= 0.0 => band_end,
                _ => below_band,
            });
            if missing == Missing::Zero {
                edges.extend([below_band, band_end]);
            }
        }
        Test::Compare {
            comparison,
            threshold,
            ..
        } => match comparison {
            Comparison::Below => edges.push(threshold.next_down()),
            Comparison::AtMost => edges.push(threshold),
            Comparison::Equal => edges.extend([threshold.next_down(), threshold]),
        },
        Test::Category {
            first_word,
            word_count,
            truncates_to_zero,
            ..
        } => {
            let words = &tree.category_words[first_word as usize..][..word_count as usize];
            let edge = |category| match category {
                0 if truncates_to_zero => -1.0,
                category => f64::from(category).next_down(),
            };
            edges.extend(membership_changes(words).take(room + 1).map(edge));
        }
    }
}

/// Words of a set that are skipped together when they are empty: a set of few great categories has long gaps.
const WORDS_AT_ONCE: usize = 64;

/// The categories that are in a set while the one before is not, or the other way round.
fn membership_changes(words: &[u32]) -> impl Iterator<Item = u32> {
    // The word behind the last ends a set that reaches so far.
    let word_count = words.len() + 1;
    let word = |index: usize| words.get(index).copied().unwrap_or(0);
    let carry = move |index: usize| index.checked_sub(1).map_or(0, |before| word(before) >> 31);
    (0..word_count)
        .step_by(WORDS_AT_ONCE)
        .map(move |start| start..word_count.min(start + WORDS_AT_ONCE))
        .filter(move |block| {
            let members = &words[block.start..block.end.min(words.len())];
            members
                .iter()
                .fold(carry(block.start), |all, word| all | word)
                != 0
        })
        .flatten()
        .flat_map(move |index| {
            let mut changes = word(index) ^ (word(index) << 1 | carry(index));
            std::iter::from_fn(move || {
                let is_change = changes != 0;
                let bit = changes.trailing_zeros();
                changes &= changes.wrapping_sub(1);
                is_change.then(|| category_number(index) + bit)
            })
        })
}

/// The first category of a word.
fn category_number(word: usize) -> u32 {
    u32::try_from(32 * word).expect("categories are below 2^32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::Summation;
    use crate::tree::{Child, Node};

    fn classes(edges: &[f64]) -> ColumnClasses {
        ColumnClasses::new(0, edges.to_vec()).expect("few classes")
    }

    #[test]
    fn a_class_is_the_number_of_edges_below() {
        for count in [0, 1, 15, 16, 17, 32, 255, 256, 257, 300, 5000] {
            let edges: Vec<f64> = (0..count)
                .map(|edge| f64::from(edge) * 0.5 - 3.25)
                .collect();
            let found = classes(&edges);
            assert!(matches!(found.finder, Finder::Search { .. }));
            for value in [
                f64::NEG_INFINITY,
                -3.25,
                -3.24,
                0.0,
                -0.0,
                1.0,
                4.25,
                1e9,
                f64::INFINITY,
            ] {
                let expected = edges.iter().filter(|edge| **edge < value).count();
                assert_eq!(usize::from(found.find(value)), expected, "{count} {value}");
            }
            assert_eq!(found.find(f64::NAN), found.missing());
        }
    }

    #[test]
    fn whole_edges_make_a_table_with_the_same_classes() {
        let edges = [
            -1.0,
            0.0_f64.next_down(),
            1.0_f64.next_down(),
            64.0_f64.next_down(),
        ];
        let table = classes(&edges);
        assert!(matches!(table.finder, Finder::Table { .. }));
        for value in [
            f64::NEG_INFINITY,
            -2.0,
            -1.0,
            -0.999,
            -1e-300,
            -0.0,
            0.0,
            0.3,
            0.999,
            1.0,
            63.0,
            63.999,
            64.0,
            65.5,
            1e300,
            f64::INFINITY,
        ] {
            let expected = edges.iter().filter(|edge| **edge < value).count();
            assert_eq!(usize::from(table.find(value)), expected, "{value}");
        }
        assert_eq!(table.find(f64::NAN), table.missing());
    }

    #[test]
    fn a_set_has_an_edge_at_each_end_of_a_run_of_categories() {
        let changes = |words: &[u32]| membership_changes(words).collect::<Vec<u32>>();
        assert_eq!(changes(&[]), [0; 0]);
        assert_eq!(changes(&[0, 0]), [0; 0]);
        assert_eq!(changes(&[0b0110_0101]), [0, 1, 2, 3, 5, 7]);
        assert_eq!(changes(&[1 << 31, 0b11]), [31, 34]);
        assert_eq!(changes(&[u32::MAX, u32::MAX]), [0, 64]);
        // Gaps are skipped, the ends of blocks are not.
        for (place, bit) in [(0, 0), (63, 31), (64, 0), (127, 31), (500, 7)] {
            let mut words = vec![0; 501];
            words[place] = 1 << bit;
            let first = 32 * u32::try_from(place).expect("a small number") + bit;
            assert_eq!(changes(&words), [first, first + 1], "{place}");
            assert_eq!(changes(&words[..=place]), [first, first + 1], "{place}");
        }
    }

    #[test]
    fn edges_are_counted_before_they_are_kept() {
        // Every other category: as many edges as categories, in each of some nodes.
        let words_per_set = 1 << 10;
        let ensemble = |node_count: usize| {
            let test = Test::Category {
                first_word: 0,
                word_count: words_per_set,
                missing_left: false,
                truncates_to_zero: true,
            };
            let node = Node {
                column: 0,
                test,
                left: Child::Leaf(0),
                right: Child::Leaf(1),
            };
            let tree = Tree {
                nodes: vec![node; node_count],
                leaf_values: vec![0.0, 1.0],
                leaf_ids: vec![0, 1],
                category_words: vec![0x5555_5555; words_per_set as usize],
                cover: None,
            };
            Ensemble {
                trees: vec![tree],
                summation: Summation::BOOSTED_DOUBLE,
            }
        };
        let nodes_max = TEST_EDGES_MAX / (32 * words_per_set as usize);
        let classes = Classes::new(&ensemble(nodes_max), 1).expect("as many edges as allowed");
        assert_eq!(
            classes.columns()[0].count(),
            32 * words_per_set as usize + 2
        );
        assert!(Classes::new(&ensemble(nodes_max + 1), 1).is_none());
    }

    #[test]
    fn a_representative_lies_in_its_class() {
        for edges in [
            &[][..],
            &[f64::MAX][..],
            &[-0.0, 0.0, 7.0][..],
            &[f64::NEG_INFINITY, 2.0][..],
        ] {
            let found = classes(edges);
            for class in 0..found.count() {
                let class = u16::try_from(class).expect("few classes");
                assert_eq!(found.find(found.representative(class)), class, "{edges:?}");
            }
        }
    }
}
