//! Path-dependent Shapley values: what LightGBM calls `pred_contrib` and XGBoost `pred_contribs`.
//!
//! In this game a coalition of features is worth the margin that a tree gives when it follows the row at splits on
//! the coalition's features, and at the others goes both ways in proportion to the training data there (Lundberg,
//! Erion and Lee, "Consistent individualized feature attribution for tree ensembles", arXiv 1802.03888, 2018).
//!
//! A leaf's part in it is a product with one factor per feature of its path. When each feature joins with the same
//! probability x, the factor is `x a + (1 - x) c`, with a = 1 or 0 for whether the row meets all the path's
//! conditions on that feature and c the share of the training data that does. A Shapley value is the integral over x
//! of the derivative in one factor (Owen, "Multilinear extensions of games", Management Science 18(5), 1972): a
//! polynomial of a degree below the number of the path's features, which Gauss-Legendre integrates exactly with half
//! as many points (Wettenstein, Mitchell and Yu, arXiv 2605.04497, 2026). So no subset is ever enumerated.
//!
//! Factors are divided by c and leaf values multiplied by it, which leaves `1 + e x`, where e = 1/c - 1 for a met
//! factor and -1 for one that is not. One pass down multiplies the factors above each node, one pass up collects the
//! leaves below it, and at each node the two meet as that node's part of its feature's value. A feature that was
//! asked before on the path has a factor already: it is divided out, and only the difference counts. What happens in
//! the small subtrees at the ends of a tree is worked out beforehand ([`twig`]). Rows that come together go through the
//! trees [`eight`] at a time instead.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

mod build;
mod cover;
mod draft;
mod eight;
mod group;
#[cfg(test)]
mod tests;
mod twig;

use std::fmt;

use super::error::AttributionError;
use super::quadrature::{GaussLegendre, Rule};
use super::rows::{Attribution, Rows};
use crate::answers::Answers;
use crate::class_table::ClassTable;
use crate::classes::Classes;
use crate::model::Model;
use crate::simd;
use build::Build;
use cover::mean_value;
use draft::{drafts_of, path_features_max};
use eight::{Together, TreesByPoints};
use group::{FAR_PLACES, Group, NEAR_PLACES, Scratch};

/// Bytes of a twig's table.
const TWIG_BYTES_MAX: usize = 2 << 10;

/// Bytes for each leaf, times the leaves of the model. A twig has at least three leaves, so that tables take a third of
/// this at most: with more, single rows would wait for memory longer than they save.
const TWIGS_BYTES_MAX: usize = 16 << 20;

/// From so many rows on they go through the trees eight at a time, which takes as long as some rows one by one.
const ROWS_TOGETHER_MIN: usize = 6;

/// Attributes margins of one model to its features by the paths of its trees, without a reference population.
pub struct PathAttributor {
    model: Model,
    classes: Classes,
    plans: Plans,
    /// For rows that come together.
    together: eight::Plans,
    /// What the sum of the trees is divided by.
    divisor: f64,
    base_margin: f64,
}

/// The trees by how many points their integrals need.
#[derive(Debug)]
struct Plans {
    four: Plan<4>,
    eight: Plan<8>,
    sixteen: Plan<16>,
    thirty_two: Plan<32>,
}

/// Trees that are integrated with N points.
#[derive(Debug)]
struct Plan<const N: usize> {
    groups: Vec<Group<N>>,
    /// What a row says about the nodes and twigs of the groups.
    table: ClassTable<u32, u16>,
}

impl PathAttributor {
    /// Prepares the attributions of a model. Takes time and memory in proportion to its nodes.
    ///
    /// # Errors
    /// [`AttributionError`] when the model file does not tell the cover of its nodes, when a path has more features
    /// than [`PATH_FEATURES_MAX`], or when the model is too large to compile.
    pub fn new(model: &Model) -> Result<Self, AttributionError> {
        let room = TWIGS_BYTES_MAX / model.leaf_count().max(1);
        Self::with_twigs(model, room.min(TWIG_BYTES_MAX))
    }

    /// Prepares with tables of at most some bytes for each twig.
    fn with_twigs(model: &Model, table_bytes_max: usize) -> Result<Self, AttributionError> {
        let ensemble = model.ensemble().ok_or(AttributionError::NoTrees)?;
        let classes =
            Classes::new(ensemble, model.column_count()).ok_or(AttributionError::NotCompiled)?;
        let answers = Answers::new(ensemble, &classes).ok_or(AttributionError::NotCompiled)?;
        let mut by_points: [Vec<usize>; 4] = Default::default();
        let mut together = TreesByPoints::default();
        let mut base_margin = ensemble.summation.start;
        for (index, tree) in ensemble.trees.iter().enumerate() {
            base_margin += mean_value(tree, index)?;
            let features = path_features_max(tree, index, &drafts_of(model, tree))?;
            if features > 0 {
                together.add(index, features);
            }
            match features {
                0 => {}
                1..=8 => by_points[0].push(index),
                9..=16 => by_points[1].push(index),
                17..=32 => by_points[2].push(index),
                _ => by_points[3].push(index),
            }
        }
        let build = Build {
            model,
            trees: &ensemble.trees,
            classes: &classes,
            answers: &answers,
            table_bytes_max,
        };
        let plans = Plans::new(&build, &by_points).ok_or(AttributionError::NotCompiled)?;
        let together = eight::Plans::new(&build, &together).ok_or(AttributionError::NotCompiled)?;
        Ok(Self {
            divisor: ensemble.summation.divisor,
            model: model.clone(),
            classes,
            plans,
            together,
            base_margin: base_margin / ensemble.summation.divisor,
        })
    }

    /// The margin of the empty coalition: the mean margin of the training data as the trees remember them.
    pub fn base_margin(&self) -> f64 {
        self.base_margin
    }

    /// The Shapley value of each feature, in the order of the row and in units of the margin. Added to
    /// [`Self::base_margin`] they give the row's margin, but for rounding.
    ///
    /// # Panics
    /// When the row does not have one number per feature: rows are checked against the schema before they get here.
    pub fn contributions(&self, row: &[f64]) -> Vec<f64> {
        let mut contributions = vec![0.0; row.len()];
        self.contributions_of(row, &mut contributions);
        contributions
    }

    /// The values of several rows, one row after the other in both. Those of a row do not depend on the others, but
    /// differ by rounding between calls of few rows and of many.
    ///
    /// # Panics
    /// When `rows` does not hold whole rows, or `contributions` not one number for each of `rows`.
    pub fn contributions_of(&self, rows: &[f64], contributions: &mut [f64]) {
        if rows.len() < ROWS_TOGETHER_MIN * self.model.feature_names().len() {
            simd::run(Rows::new(self, rows, contributions));
        } else {
            simd::run(Rows::new(&Together(self), rows, contributions));
        }
    }
}

impl Attribution for PathAttributor {
    type Scratch = PlansScratch;

    const WIDE: bool = false;

    const ROWS_AT_ONCE: usize = 16;

    fn model(&self) -> &Model {
        &self.model
    }

    fn classes(&self) -> Option<&Classes> {
        Some(&self.classes)
    }

    fn scratch(&self) -> PlansScratch {
        let plans = &self.plans;
        PlansScratch {
            four: plans.four.scratch(),
            eight: plans.eight.scratch(),
            sixteen: plans.sixteen.scratch(),
            thirty_two: plans.thirty_two.scratch(),
        }
    }

    #[inline(always)]
    fn add(&self, _: &[f64], classes: &[u16], totals: &mut [f64], scratch: &mut PlansScratch) {
        let plans = &self.plans;
        let width = self.classes.columns().len();
        plans.four.add(classes, width, &mut scratch.four, totals);
        plans.eight.add(classes, width, &mut scratch.eight, totals);
        plans
            .sixteen
            .add(classes, width, &mut scratch.sixteen, totals);
        plans
            .thirty_two
            .add(classes, width, &mut scratch.thirty_two, totals);
        for total in totals {
            *total /= self.divisor;
        }
    }
}

/// State of all plans; `None` for a plan without trees.
pub(super) struct PlansScratch {
    four: Option<PlanScratch<4>>,
    eight: Option<PlanScratch<8>>,
    sixteen: Option<PlanScratch<16>>,
    thirty_two: Option<PlanScratch<32>>,
}

/// State of a plan.
struct PlanScratch<const N: usize> {
    /// By row and feature.
    values: Vec<[f64; N]>,
    places: Places<N>,
}

/// State of a plan's groups.
enum Places<const N: usize> {
    /// No group has more than these.
    Near(Scratch<N, NEAR_PLACES>),
    Far(Scratch<N, FAR_PLACES>),
}

impl Plans {
    /// The plans of the trees that need 4, 8, 16 and 32 points.
    fn new(build: &Build<'_>, by_points: &[Vec<usize>; 4]) -> Option<Self> {
        let [four, eight, sixteen, thirty_two] = by_points;
        Some(Self {
            four: build.plan(four)?,
            eight: build.plan(eight)?,
            sixteen: build.plan(sixteen)?,
            thirty_two: build.plan(thirty_two)?,
        })
    }
}

impl<const N: usize> Plan<N>
where
    GaussLegendre: Rule<N>,
{
    /// `None` when there is nothing to do.
    fn scratch(&self) -> Option<PlanScratch<N>> {
        let places = self.groups.iter().map(Group::place_count).max()?;
        Some(PlanScratch {
            values: Vec::new(),
            places: if places <= NEAR_PLACES {
                Places::Near(Scratch::new())
            } else {
                Places::Far(Scratch::new())
            },
        })
    }

    /// Adds the values of some rows, each of so many classes, to their features' totals.
    #[inline(always)]
    fn add(
        &self,
        classes: &[u16],
        width: usize,
        scratch: &mut Option<PlanScratch<N>>,
        totals: &mut [f64],
    ) {
        let Some(PlanScratch { values, places }) = scratch else {
            return;
        };
        values.clear();
        values.resize(totals.len(), [0.0; N]);
        match places {
            Places::Near(scratch) => self.add_values(classes, width, scratch, values),
            Places::Far(scratch) => self.add_values(classes, width, scratch, values),
        }
        for (total, values) in totals.iter_mut().zip(values) {
            *total += values.iter().sum::<f64>();
        }
    }

    /// The groups are the outer loop, so that what is known of them stays near while the rows pass by.
    #[inline(always)]
    fn add_values<const PLACES: usize>(
        &self,
        classes: &[u16],
        width: usize,
        scratch: &mut Scratch<N, PLACES>,
        values: &mut [[f64; N]],
    ) {
        let feature_count = values.len() / (classes.len() / width);
        let mut block = 0;
        for group in &self.groups {
            let rows = classes.chunks_exact(width);
            for (classes, values) in rows.zip(values.chunks_exact_mut(feature_count)) {
                scratch.words.clear();
                scratch.words.resize(group.block_count(), [u32::MAX; 8]);
                self.table.intersect(classes, block, &mut scratch.words);
                group.add(scratch, values);
            }
            block += group.block_count();
        }
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("a group has fewer places and entries than 2^32")
}

impl fmt::Debug for PathAttributor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PathAttributor")
            .field("base_margin", &self.base_margin)
            .finish_non_exhaustive()
    }
}
