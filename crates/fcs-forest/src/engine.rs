//! A model compiled for speed: the same bits as [`Model::margin`], many times faster.
//!
//! Rows become vectors of value classes, and a kernel finds each tree's leaf from those. Which kernel is a fixed
//! function of the model's shape alone, so that a replay anywhere runs the same one; and every kernel adds the same
//! leaf values in the same order, so that the bits would not change if it did not. Many rows at once go through
//! [`slices`] instead, whatever the kernel, where trees have at most 256 leaves.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

mod arena;
mod heaps;
mod masks;
mod slices;
mod sum;

use std::array;
use std::fmt;

use crate::answers::Answers;
use crate::classes::Classes;
use crate::ensemble::{Ensemble, Precision, Summation};
use crate::model::Model;
use crate::simd::{self, Job};
use crate::tree::Tree;
use arena::Arena;
use heaps::Heaps;
use masks::{NarrowMasks, WideMasks};
use slices::Slices;
use sum::{DoubleSum, SingleSum, Sum};

/// How a compiled model finds the leaves of a row. Rows in great numbers are worked through together, in one way for
/// all compiled models, and get the bits that the kernel gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Trees of at most 64 leaves: per column and value class, the leaves of each tree that are still possible.
    ClassMasks,
    /// Shallow trees without sets: complete heaps, eight trees in step.
    Heaps,
    /// Any other trees: flat nodes, eight trees in step.
    Arena,
    /// Node by node; for models past the limits of the compiler, and for models without trees.
    Plain,
}

impl Kernel {
    /// Every kernel.
    pub const ALL: [Self; 4] = [Self::ClassMasks, Self::Heaps, Self::Arena, Self::Plain];

    /// Its name in records and listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClassMasks => "class-masks",
            Self::Heaps => "heaps",
            Self::Arena => "arena",
            Self::Plain => "plain",
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A compiled model. Cloning a [`Model`] is cheap, so that the engine keeps one.
pub struct Engine {
    model: Model,
    compiled: Option<Compiled>,
}

struct Compiled {
    classes: Classes,
    trees: Trees,
    /// For many rows at once, where the trees are small enough.
    slices: Option<Slices>,
    summation: Summation,
}

/// The trees as the kernel of single rows takes them.
enum Trees {
    NarrowMasks(NarrowMasks),
    WideMasks(WideMasks),
    Heaps(Heaps),
    Arena(Arena),
}

impl Engine {
    /// Compiles a model with the kernel that suits its shape. Takes time and memory in proportion to nodes times
    /// value classes, and falls back to [`Kernel::Plain`] beyond
    /// [`COMPILE_STEPS_MAX`](crate::limits::COMPILE_STEPS_MAX).
    pub fn new(model: &Model) -> Self {
        Self::compiled(model, None)
    }

    /// Compiles a model with a certain kernel, as a record may ask for; `None` when the model's shape does not suit
    /// it.
    pub fn with_kernel(model: &Model, kernel: Kernel) -> Option<Self> {
        let engine = Self::compiled(model, Some(kernel));
        (engine.kernel() == kernel).then_some(engine)
    }

    fn compiled(model: &Model, wanted: Option<Kernel>) -> Self {
        let compiled = model
            .ensemble()
            .and_then(|ensemble| compile(ensemble, model.column_count(), wanted));
        Self {
            model: model.clone(),
            compiled,
        }
    }

    /// How it finds the leaves.
    pub fn kernel(&self) -> Kernel {
        match self.compiled.as_ref().map(|compiled| &compiled.trees) {
            None => Kernel::Plain,
            Some(Trees::NarrowMasks(_) | Trees::WideMasks(_)) => Kernel::ClassMasks,
            Some(Trees::Heaps(_)) => Kernel::Heaps,
            Some(Trees::Arena(_)) => Kernel::Arena,
        }
    }

    /// The model that was compiled.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The margin of a row: the bits of [`Model::margin`].
    ///
    /// # Panics
    /// When the row does not have one number per feature: rows are checked against the schema before they get here.
    pub fn margin(&self, row: &[f64]) -> f64 {
        let mut margin = [0.0];
        self.margins(row, &mut margin);
        margin[0]
    }

    /// The margins of several rows, one after the other in `rows`; row r has the bits that [`Self::margin`] gives it.
    ///
    /// # Panics
    /// When `rows` does not hold one number per feature for each of `margins`.
    pub fn margins(&self, rows: &[f64], margins: &mut [f64]) {
        let width = self.model.feature_names().len();
        assert_eq!(
            rows.len(),
            margins.len() * width,
            "a row has one number per feature"
        );
        let Some(compiled) = &self.compiled else {
            for (row, margin) in rows.chunks_exact(width).zip(margins) {
                *margin = self.model.margin(row);
            }
            return;
        };
        let job = Batch {
            model: &self.model,
            compiled,
            rows,
            margins,
        };
        match &compiled.trees {
            Trees::NarrowMasks(masks) => simd::run(With(job, masks)),
            Trees::WideMasks(masks) => simd::run(With(job, masks)),
            Trees::Heaps(heaps) => simd::run(With(job, heaps)),
            Trees::Arena(arena) => simd::run(With(job, arena)),
        }
    }
}

/// Compiles with the wanted kernel, or with the first that takes the ensemble; `None` when none does, or when there is
/// nothing to ask.
fn compile(ensemble: &Ensemble, column_count: usize, wanted: Option<Kernel>) -> Option<Compiled> {
    let classes = Classes::new(ensemble, column_count)?;
    if classes.columns().is_empty() {
        return None;
    }
    let answers = Answers::new(ensemble, &classes)?;
    let kernels = wanted.map_or_else(|| preference(ensemble, &classes).to_vec(), |one| vec![one]);
    let trees = kernels
        .iter()
        .find_map(|kernel| compile_for(*kernel, ensemble, &classes, &answers))?;
    Some(Compiled {
        slices: Slices::new(ensemble, &classes, &answers),
        classes,
        trees,
        summation: ensemble.summation,
    })
}

/// The kernels in the order in which they are tried, by their work for a row as measured: a heap takes a step per
/// level of each tree, masks one per column and eight trees, which costs three times as much with wide words.
fn preference(ensemble: &Ensemble, classes: &Classes) -> [Kernel; 3] {
    let trees = &ensemble.trees;
    let depth = trees.iter().map(Tree::depth).max().unwrap_or(0);
    let is_wide = trees.iter().any(|tree| tree.leaf_values.len() > 32);
    let mask_steps = trees.len() / 8 * classes.columns().len() * if is_wide { 3 } else { 1 };
    if depth * trees.len() <= mask_steps {
        [Kernel::Heaps, Kernel::ClassMasks, Kernel::Arena]
    } else {
        [Kernel::ClassMasks, Kernel::Heaps, Kernel::Arena]
    }
}

fn compile_for(
    kernel: Kernel,
    ensemble: &Ensemble,
    classes: &Classes,
    answers: &Answers,
) -> Option<Trees> {
    let leaf_counts = ensemble.trees.iter().map(|tree| tree.leaf_values.len());
    match (kernel, leaf_counts.max()?) {
        (Kernel::Heaps, _) => Heaps::new(ensemble, classes, answers).map(Trees::Heaps),
        (Kernel::ClassMasks, ..=32) => {
            NarrowMasks::new(ensemble, classes, answers).map(Trees::NarrowMasks)
        }
        (Kernel::ClassMasks, 33..=64) => {
            WideMasks::new(ensemble, classes, answers).map(Trees::WideMasks)
        }
        (Kernel::Arena, _) => Arena::new(ensemble, classes, answers).map(Trees::Arena),
        (Kernel::ClassMasks | Kernel::Plain, _) => None,
    }
}

/// Finds the leaves of a row and adds up their values in the order of the trees.
trait FindLeaves {
    /// Fewer rows than these are faster one by one than in a block, as measured.
    const SLICED_ROWS_MIN: usize;

    /// `classes` holds the class of each column.
    fn add<S: Sum>(&self, classes: &[u16], sum: &mut S);
}

/// Rows to score.
struct Batch<'a> {
    model: &'a Model,
    compiled: &'a Compiled,
    rows: &'a [f64],
    margins: &'a mut [f64],
}

/// Rows to score with a kernel.
struct With<'a, K>(Batch<'a>, &'a K);

impl<K: FindLeaves> Job for With<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.0.compiled.summation.precision {
            Precision::Double => self.score::<DoubleSum>(),
            Precision::Single => self.score::<SingleSum>(),
        }
    }
}

impl<K: FindLeaves> With<'_, K> {
    #[inline(always)]
    fn score<S: Sum>(self) {
        let Self(batch, kernel) = self;
        if let Some(slices) = &batch.compiled.slices
            && batch.margins.len() >= K::SLICED_ROWS_MIN
        {
            batch.score_in_blocks::<S, K>(slices, kernel);
        } else {
            batch.score_one_by_one::<S>(kernel);
        }
    }
}

impl Batch<'_> {
    /// Writes the classes of some rows to `found`, one row after the other.
    #[inline(always)]
    fn find_classes(&self, rows: &[f64], buffer: &mut Vec<f64>, found: &mut [u16]) {
        let classes = &self.compiled.classes;
        let rows = rows.chunks_exact(self.model.feature_names().len());
        for (row, found) in rows.zip(found.chunks_exact_mut(classes.columns().len())) {
            let columns = self.model.parts().front.columns(row, buffer);
            classes.find(columns, found);
        }
    }

    #[inline(always)]
    fn score_one_by_one<S: Sum>(self, kernel: &impl FindLeaves) {
        let summation = &self.compiled.summation;
        let width = self.model.feature_names().len();
        let mut found = vec![0; self.compiled.classes.columns().len()];
        let mut buffer = Vec::new();
        for (at, row) in self.rows.chunks_exact(width).enumerate() {
            self.find_classes(row, &mut buffer, &mut found);
            let mut sum = S::starting_at(summation.start);
            kernel.add(&found, &mut sum);
            self.margins[at] = sum.total() / summation.divisor;
        }
    }

    #[inline(always)]
    fn score_in_blocks<S: Sum, K: FindLeaves>(self, slices: &Slices, kernel: &K) {
        let summation = &self.compiled.summation;
        let width = self.model.feature_names().len();
        let column_count = self.compiled.classes.columns().len();
        let mut found = vec![0; column_count * slices::ROWS.min(self.margins.len())];
        let mut buffer = Vec::new();
        let mut decisions = slices.buffer();
        let blocks = self.rows.chunks(width * slices::ROWS);
        for (block, rows) in blocks.enumerate() {
            let count = rows.len() / width;
            let found = &mut found[..count * column_count];
            self.find_classes(rows, &mut buffer, found);
            let mut sums: [S; slices::ROWS] = array::from_fn(|_| S::starting_at(summation.start));
            let sums = &mut sums[..count];
            if count < K::SLICED_ROWS_MIN {
                for (found, sum) in found.chunks_exact(column_count).zip(&mut *sums) {
                    kernel.add(found, sum);
                }
            } else {
                slices.add(found, column_count, &mut decisions, sums);
            }
            let margins = &mut self.margins[block * slices::ROWS..][..count];
            for (margin, sum) in margins.iter_mut().zip(sums) {
                *margin = sum.total() / summation.divisor;
            }
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Engine")
            .field("kernel", &self.kernel())
            .finish_non_exhaustive()
    }
}
