//! Rows that come together, eight at a time.
//!
//! All state is eight numbers wide, and points are no part of that width, so that each tree gets nearly as few as are
//! exact. Trees are visited depth first: what a walk has to remember stays in the nearest cache.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

mod build;
mod lanes;
mod pack;

use super::super::quadrature::{GaussLegendre, Rule};
use super::super::rows::Attribution;
use super::PathAttributor;
use super::build::Build;
use crate::class_table::{ClassTable, LANES as WORDS};
use crate::classes::Classes;
use crate::model::Model;
use lanes::{LANES, Lanes};
use pack::{Pack, Scratch};

/// Attributes rows that come together.
pub(super) struct Together<'a>(pub(super) &'a PathAttributor);

/// Trees that are integrated with N points.
pub(super) struct Plan<const N: usize> {
    pub(super) packs: Vec<Pack<N>>,
    /// What a row says about the nodes of the packs.
    table: ClassTable<u32, u16>,
}

/// Rows on their way through the packs.
struct Eights<'a> {
    /// One row after the other.
    classes: &'a [u16],
    /// Classes of a row.
    columns: usize,
    /// By eight rows and feature.
    values: Vec<Lanes>,
    /// Features.
    width: usize,
}

impl Eights<'_> {
    /// Copies the values, one row after the other.
    fn copy_to(&self, totals: &mut [f64]) {
        let rows = self.values.chunks_exact(self.width);
        for (totals, values) in totals.chunks_mut(self.width * LANES).zip(rows) {
            for (lane, totals) in totals.chunks_exact_mut(self.width).enumerate() {
                for (total, values) in totals.iter_mut().zip(values) {
                    *total = values.0[lane];
                }
            }
        }
    }
}

/// A plan for each number of points: N of them are exact for twice as many features on a path.
macro_rules! plans {
    ($($name:ident: $points:literal),+) => {
        pub(super) struct Plans {
            $(pub(super) $name: Plan<$points>,)+
        }

        /// Numbers of trees.
        #[derive(Default)]
        pub(super) struct TreesByPoints {
            $($name: Vec<usize>,)+
        }

        impl TreesByPoints {
            /// Adds a tree that has so many features on a path.
            pub(super) fn add(&mut self, tree: usize, features: usize) {
                $(if features <= 2 * $points {
                    return self.$name.push(tree);
                })+
                unreachable!("paths with more features are refused");
            }
        }

        impl Plans {
            /// `None` when the trees do not suit a [`ClassTable`].
            pub(super) fn new(build: &Build<'_>, trees: &TreesByPoints) -> Option<Self> {
                Some(Self { $($name: build.plan_of_eight(&trees.$name)?,)+ })
            }

            /// Adds the values of some rows.
            #[inline(always)]
            fn add(&self, rows: &mut Eights<'_>, scratch: &mut PlansScratch) {
                let PlansScratch { words, $($name,)+ } = scratch;
                $(if let Some(scratch) = $name {
                    self.$name.add(rows, words, scratch);
                })+
            }
        }

        /// State of all plans; `None` for a plan without trees.
        pub(in super::super) struct PlansScratch {
            /// What a table says about rows.
            words: Vec<[u32; WORDS]>,
            $($name: Option<Scratch<$points>>,)+
        }

        impl PlansScratch {
            fn new(plans: &Plans) -> Self {
                Self {
                    words: Vec::new(),
                    $($name: plans.$name.scratch(),)+
                }
            }
        }
    };
}

plans!(three: 3, four: 4, five: 5, six: 6, eight: 8, sixteen: 16, thirty_two: 32);

impl<const N: usize> Plan<N>
where
    GaussLegendre: Rule<N>,
{
    fn scratch(&self) -> Option<Scratch<N>> {
        let states = self.packs.iter().map(Pack::state_count);
        Some(Scratch::new(states.max()?))
    }

    /// Adds the values of some rows. The packs are the outer loop, so that what is known of them stays near while the
    /// rows pass by.
    #[inline(always)]
    fn add(&self, rows: &mut Eights<'_>, words: &mut Vec<[u32; WORDS]>, scratch: &mut Scratch<N>) {
        let mut block = 0;
        for pack in &self.packs {
            let count = pack.block_count();
            let eights = rows.classes.chunks(rows.columns * LANES);
            for (classes, values) in eights.zip(rows.values.chunks_exact_mut(rows.width)) {
                // Rows that are missing meet every condition, and nobody reads their values.
                words.clear();
                words.resize(count * LANES, [u32::MAX; WORDS]);
                let classes = classes.chunks_exact(rows.columns);
                for (classes, words) in classes.zip(words.chunks_exact_mut(count)) {
                    self.table.intersect(classes, block, words);
                }
                scratch.take_answers(words);
                pack.add(scratch, values);
            }
            block += count;
        }
    }
}

impl Attribution for Together<'_> {
    type Scratch = PlansScratch;

    const WIDE: bool = true;

    const ROWS_AT_ONCE: usize = 64;

    fn model(&self) -> &Model {
        &self.0.model
    }

    fn classes(&self) -> Option<&Classes> {
        Some(&self.0.classes)
    }

    fn scratch(&self) -> PlansScratch {
        PlansScratch::new(&self.0.together)
    }

    #[inline(always)]
    fn add(&self, _: &[f64], classes: &[u16], totals: &mut [f64], scratch: &mut PlansScratch) {
        let width = self.0.model.feature_names().len();
        let mut rows = Eights {
            classes,
            columns: self.0.classes.columns().len(),
            values: vec![Lanes::ZERO; (totals.len() / width).div_ceil(LANES) * width],
            width,
        };
        self.0.together.add(&mut rows, scratch);
        rows.copy_to(totals);
        for total in totals {
            *total /= self.0.divisor;
        }
    }
}
