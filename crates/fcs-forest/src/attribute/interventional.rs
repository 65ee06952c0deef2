//! Exact interventional Shapley values of a margin against a reference population.
//!
//! The game of an applicant x and a reference z: a coalition S of features is worth the model's margin on the row
//! that has x's values on S and z's elsewhere. Its Shapley values say how much each feature moved x's margin away
//! from z's; averaged over the references they add up to margin(x) minus the mean margin of the population.
//!
//! A forest's game is the sum of its leaves' games, and all that a leaf's game needs to know of an applicant is which
//! conditions of its path he meets. So the games are solved once per population for every such pattern
//! ([`game`](super::game)), and the solutions of neighbouring leaves are added up in one table
//! ([`grouping`](super::grouping)). A request finds its place in each table and adds a few numbers: its cost does not
//! depend on the size of the population.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

mod deep;

use std::fmt;

use super::error::AttributionError;
use super::game::add_supersets;
use super::grouping::Grouping;
use super::rows::{Attribution, Rows};
use super::tables::{Indices, LeafOfGroup, Member, Tables};
use crate::answers::Answers;
use crate::classes::Classes;
use crate::engine::Engine;
use crate::ensemble::Ensemble;
use crate::limits::ATTRIBUTION_TABLE_BYTES_MAX;
use crate::linear::Linear;
use crate::model::{Body, Model};
use crate::simd;
use crate::tree::Tree;
use deep::DeepLeaves;

/// Features of a path whose games are solved for every pattern, at most and when room is short.
const FEATURES_MAX: usize = 12;
const FEATURES_MIN: usize = 4;

/// Attributes margins of one model to its features, against one reference population.
pub struct Attributor {
    model: Model,
    prepared: Prepared,
    base_margin: f64,
}

/// What is known beforehand.
enum Prepared {
    /// The solved games of a model of trees.
    Trees(Box<Games>),
    /// The means of the columns of a linear model: a column moves the margin by its weight times its distance from
    /// its mean.
    Linear(Vec<f64>),
}

/// The games of the leaves.
struct Games {
    /// Solved beforehand; `None` for a model that is too large to compile.
    solved: Option<(Classes, Tables)>,
    /// The others.
    deep: DeepLeaves,
}

impl Attributor {
    /// Solves the games of the leaves against a population. Rows have one number per feature, NaN for missing.
    ///
    /// Takes time in proportion to trees times references, and to the leaves times two to the power of the features
    /// on their paths. A leaf with so many features that a table would be too large keeps the distinct patterns of
    /// the references instead, and costs a request a step for each.
    ///
    /// # Errors
    /// [`AttributionError`] for an empty population, a row of a wrong length, or a model past a limit.
    pub fn new(model: &Model, references: &[Vec<f64>]) -> Result<Self, AttributionError> {
        check(model, references)?;
        let mut buffer = Vec::new();
        let columns: Vec<Vec<f64>> = references
            .iter()
            .map(|row| model.columns(row, &mut buffer).to_vec())
            .collect();
        let prepared = match &model.parts().body {
            Body::Trees(ensemble) => {
                Prepared::Trees(Box::new(Games::new(model, ensemble, &columns)?))
            }
            Body::Linear(_) => Prepared::Linear(means(&columns)),
        };
        Ok(Self {
            base_margin: mean_margin(model, references),
            model: model.clone(),
            prepared,
        })
    }

    /// Mean margin of the reference population.
    pub fn base_margin(&self) -> f64 {
        self.base_margin
    }

    /// Bytes of the prepared solutions.
    pub fn table_bytes(&self) -> usize {
        match &self.prepared {
            Prepared::Trees(games) => games
                .solved
                .as_ref()
                .map_or(0, |(_, tables)| tables.bytes()),
            Prepared::Linear(means) => size_of_val(&means[..]),
        }
    }

    /// The Shapley value of each feature, in the order of the row and in units of the margin. Added to
    /// [`Self::base_margin`] they give the row's margin, but for rounding. A feature that no tree asks for has
    /// exactly 0.
    ///
    /// # Panics
    /// When the row does not have one number per feature: rows are checked against the schema before they get here.
    pub fn contributions(&self, row: &[f64]) -> Vec<f64> {
        let mut contributions = vec![0.0; row.len()];
        self.contributions_of(row, &mut contributions);
        contributions
    }

    /// The values of several rows, one row after the other in both.
    ///
    /// # Panics
    /// When `rows` does not hold whole rows, or `contributions` not one number for each of `rows`.
    pub fn contributions_of(&self, rows: &[f64], contributions: &mut [f64]) {
        simd::run(Rows::new(self, rows, contributions));
    }
}

impl Attribution for Attributor {
    /// The columns of a row.
    type Scratch = Vec<f64>;

    const WIDE: bool = false;

    const ROWS_AT_ONCE: usize = 16;

    fn model(&self) -> &Model {
        &self.model
    }

    fn classes(&self) -> Option<&Classes> {
        match &self.prepared {
            Prepared::Trees(games) => games.solved.as_ref().map(|(classes, _)| classes),
            Prepared::Linear(_) => None,
        }
    }

    fn scratch(&self) -> Vec<f64> {
        Vec::new()
    }

    #[inline(always)]
    fn add(&self, rows: &[f64], classes: &[u16], totals: &mut [f64], buffer: &mut Vec<f64>) {
        let width = self.model.feature_names().len().max(1);
        if let Prepared::Trees(games) = &self.prepared {
            if let Some((_, tables)) = &games.solved {
                tables.add(classes, totals, width);
            }
            if games.deep.is_empty() {
                return;
            }
        }
        for (row, totals) in rows.chunks(width).zip(totals.chunks_mut(width)) {
            let columns = self.model.columns(row, buffer);
            match (&self.prepared, &self.model.parts().body) {
                (Prepared::Trees(games), Body::Trees(ensemble)) => {
                    games.deep.add(&ensemble.trees, columns, totals);
                }
                (Prepared::Linear(means), Body::Linear(linear)) => {
                    add_linear(&self.model, linear, [columns, means], totals);
                }
                _ => unreachable!("what is prepared is of the model's kind"),
            }
        }
    }
}

impl Games {
    fn new(
        model: &Model,
        ensemble: &Ensemble,
        columns: &[Vec<f64>],
    ) -> Result<Self, AttributionError> {
        let (solved, deep) = match solve(model, ensemble, columns) {
            Some((classes, tables, deep)) => (Some((classes, tables)), deep),
            None => (None, every_leaf(ensemble)),
        };
        Ok(Self {
            solved,
            deep: DeepLeaves::new(model, ensemble, &deep, columns)?,
        })
    }
}

/// Solves the games of a model against rows of columns; also, by tree, the leaves that have no table. `None` when the
/// model is too large to compile.
fn solve(
    model: &Model,
    ensemble: &Ensemble,
    columns: &[Vec<f64>],
) -> Option<(Classes, Tables, Vec<Vec<u32>>)> {
    let classes = Classes::new(ensemble, model.column_count())?;
    let answers = Answers::new(ensemble, &classes)?;
    let (members, deep) = choose_groups(model, &ensemble.trees, &classes, &answers)?;
    let indices = Indices::new(&classes, &members)?;
    let counts = indices.count(&classes, &members, columns);
    let front = &model.parts().front;
    let tables = Tables::new(front, ensemble, indices, &members, |group, leaf| {
        shares_that_meet(leaf, &counts[group], columns.len())
    });
    Some((classes, tables, deep))
}

/// By tree, all leaves of the trees that have tests.
fn every_leaf(ensemble: &Ensemble) -> Vec<Vec<u32>> {
    let leaves = ensemble.trees.iter().map(|tree| match tree.nodes.len() {
        0 => Vec::new(),
        nodes => (0..).take(nodes + 1).collect(),
    });
    leaves.collect()
}

fn add_linear(model: &Model, linear: &Linear, [columns, means]: [&[f64]; 2], totals: &mut [f64]) {
    let front = &model.parts().front;
    let terms = linear.weights.iter().zip(columns).zip(means);
    for (column, ((weight, value), mean)) in (0_u32..).zip(terms) {
        totals[front.feature_of(column) as usize] += weight * (value - mean);
    }
}

/// The mean of each column over some rows, of which there is at least one.
fn means(rows: &[Vec<f64>]) -> Vec<f64> {
    let mut means = vec![0.0; rows[0].len()];
    for row in rows {
        for (mean, value) in means.iter_mut().zip(row) {
            *mean += value / rows.len() as f64;
        }
    }
    means
}

/// The groups of all trees, and by tree the leaves without a table. Paths with many features go without when the
/// tables would not fit otherwise; `None` when they do not fit at all.
fn choose_groups(
    model: &Model,
    trees: &[Tree],
    classes: &Classes,
    answers: &Answers,
) -> Option<(Vec<Member>, Vec<Vec<u32>>)> {
    let mut features_max = FEATURES_MAX;
    loop {
        let mut members = Vec::new();
        let mut deep = Vec::with_capacity(trees.len());
        for (index, tree) in trees.iter().enumerate() {
            let grouping = Grouping {
                front: &model.parts().front,
                classes,
                answers,
                tree,
                index,
                features_max,
            };
            let groups = grouping.groups();
            members.extend(
                groups
                    .tabled
                    .into_iter()
                    .map(|plan| Member { tree: index, plan }),
            );
            deep.push(groups.deep);
        }
        let numbers: usize = members.iter().map(|member| member.plan.table_len()).sum();
        if numbers * size_of::<f64>() <= ATTRIBUTION_TABLE_BYTES_MAX {
            return Some((members, deep));
        }
        if features_max == FEATURES_MIN {
            return None;
        }
        features_max -= 1;
    }
}

/// The share of references that meet a leaf's conditions on each set of its features, from how many have each index.
fn shares_that_meet(leaf: &LeafOfGroup<'_>, counts: &[u32], reference_count: usize) -> Vec<f64> {
    let mut shares = vec![0.0; 1 << leaf.features.len()];
    for (index, count) in counts.iter().enumerate() {
        if let Some(pattern) = leaf.pattern(index) {
            shares[pattern] += f64::from(*count);
        }
    }
    add_supersets(&mut shares);
    for share in &mut shares {
        *share /= reference_count as f64;
    }
    shares
}

fn check(model: &Model, references: &[Vec<f64>]) -> Result<(), AttributionError> {
    let expected = model.feature_names().len();
    if references.is_empty() {
        return Err(AttributionError::NoReferences);
    }
    match references.iter().position(|row| row.len() != expected) {
        None => Ok(()),
        Some(row) => Err(AttributionError::RowLength {
            row,
            expected,
            found: references[row].len(),
        }),
    }
}

fn mean_margin(model: &Model, references: &[Vec<f64>]) -> f64 {
    let engine = Engine::new(model);
    let total: f64 = references.iter().map(|row| engine.margin(row)).sum();
    total / references.len() as f64
}

impl fmt::Debug for Attributor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Attributor")
            .field("base_margin", &self.base_margin)
            .field("table_bytes", &self.table_bytes())
            .finish_non_exhaustive()
    }
}
