//! What a model was built on, in bins that are frozen with it, and the bins that an application falls into. Counts over
//! the same bins can be compared and added up; that is what drift is measured on.

use crate::features::FeatureRow;
use crate::manifest::{Feature, FeatureKind, Manifest};

/// What stands for "no value" among the bins of an application. Bin `n` is `n + 1`.
pub const NO_VALUE: u16 = 0;

/// The name of the score among the variables; features are in lower snake case, so none is called so.
pub const SCORE: &str = "(score)";

/// Bins of the score where the package does not have its distribution.
const SCORE_BINS: i64 = 100;

/// A feature or the score, with its bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Name of the feature, or [`SCORE`].
    pub name: String,
    /// What the bins are.
    pub bins: VariableBins,
    /// Rows of the reference in each bin; none at all for the score of a package without its distribution.
    pub reference: Vec<u64>,
    /// Rows of the reference without a value.
    pub reference_missing: u64,
}

/// What the bins of a variable are.
#[derive(Debug, Clone, PartialEq)]
pub enum VariableBins {
    /// The limits of a number, one more than there are bins, ascending; a bin holds its lower limit. Values beyond the
    /// first and the last are in the end bins.
    Edges(Vec<f64>),
    /// One bin for each category.
    Categories(Vec<String>),
}

impl Manifest {
    /// The features and then the score, in the order of [`Manifest::bins_of`]. Features count the training rows, the
    /// score those of its own data.
    pub fn profile(&self) -> Vec<Variable> {
        let rows = self.training.rows;
        let features = self.features.iter();
        let features = features.map(|feature| of_feature(feature, rows));
        features.chain([self.score_variable()]).collect()
    }

    /// The bin of every variable for a row that fits this manifest, and its score: [`NO_VALUE`], or one more than the
    /// number of the bin.
    pub fn bins_of(&self, row: &FeatureRow, score: i32) -> Vec<u16> {
        let features = self.features.iter().zip(row.values());
        let features = features.map(|(feature, value)| place(feature, *value));
        let edges = self.score_edges();
        let inner = &edges[1..edges.len() - 1];
        let score = code(inner.partition_point(|edge| *edge <= score));
        features.chain([score]).collect()
    }

    /// The limits of the bins of the score: those of its distribution, else equal steps over the scale.
    fn score_edges(&self) -> Vec<i32> {
        if let Some(table) = &self.score_distribution {
            return table.edges.clone();
        }
        let (low, high) = (i64::from(self.score.minimum), i64::from(self.score.maximum));
        let steps = (high - low).min(SCORE_BINS);
        let edge = |step: i64| low + (high - low) * step / steps;
        (0..=steps)
            .filter_map(|step| i32::try_from(edge(step)).ok())
            .collect()
    }

    fn score_variable(&self) -> Variable {
        let edges = self.score_edges();
        let reference = match &self.score_distribution {
            Some(table) => table.rows.iter().map(|rows| u64::from(*rows)).collect(),
            None => vec![0; edges.len() - 1],
        };
        Variable {
            name: SCORE.to_owned(),
            bins: VariableBins::Edges(edges.into_iter().map(f64::from).collect()),
            reference,
            reference_missing: 0,
        }
    }
}

/// The bin of a value: the number of inner edges that are not above it.
fn place(feature: &Feature, value: f64) -> u16 {
    if value.is_nan() {
        return NO_VALUE;
    }
    match &feature.kind {
        FeatureKind::Number(_) | FeatureKind::Integer(_) => {
            code(feature.bins.edges.partition_point(|edge| *edge <= value))
        }
        FeatureKind::Category(categories) => categories
            .iter()
            .position(|category| f64::from(category.code).total_cmp(&value).is_eq())
            .map_or(NO_VALUE, code),
    }
}

fn code(bin: usize) -> u16 {
    u16::try_from(bin + 1).unwrap_or(u16::MAX)
}

fn of_feature(feature: &Feature, rows: u32) -> Variable {
    let missing = f64::from(rows) * feature.bins.missing_share;
    let present = f64::from(rows) - missing;
    let bins = match &feature.kind {
        FeatureKind::Number(range) | FeatureKind::Integer(range) => {
            let inner = feature.bins.edges.iter().copied();
            let limits = std::iter::once(range.minimum).chain(inner);
            VariableBins::Edges(limits.chain([range.maximum]).collect())
        }
        FeatureKind::Category(categories) => {
            VariableBins::Categories(categories.iter().map(|it| it.name.clone()).collect())
        }
    };
    Variable {
        name: feature.name.clone(),
        bins,
        reference: feature
            .bins
            .shares
            .iter()
            .map(|share| count(share * present))
            .collect(),
        reference_missing: count(missing),
    }
}

/// Shares are counts divided by rows, so this is the count again.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of at most 2^32 rows, from 0"
)]
fn count(rows: f64) -> u64 {
    rows.round().max(0.0) as u64
}
