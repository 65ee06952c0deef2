//! What happens to a row before the trees or the weights see it: from features to columns.
//!
//! Every column depends on one feature, so that what a column adds to a margin belongs to that feature.

mod step;

pub(crate) use step::{Lookup, Operation, Step};

/// How the columns of the model come from the features of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Front {
    /// The columns are the features.
    Identity,
    /// The columns are the features, rounded to single precision as XGBoost stores them.
    Single,
    /// Each column is a feature after some steps.
    Columns(Vec<Column>),
}

/// A column and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    /// Index of the feature.
    pub(crate) feature: u32,
    /// What happens to its number, first to last.
    pub(crate) steps: Vec<Step>,
}

impl Front {
    /// The columns of a row. `buffer` holds them when they are not the row itself.
    pub(crate) fn columns<'a>(&self, row: &'a [f64], buffer: &'a mut Vec<f64>) -> &'a [f64] {
        match self {
            Self::Identity => row,
            Self::Single => {
                buffer.clear();
                buffer.extend(row.iter().map(|&value| single(value)));
                buffer
            }
            Self::Columns(columns) => {
                buffer.clear();
                buffer.extend(columns.iter().map(|column| column.value(row)));
                buffer
            }
        }
    }

    /// The feature that a column depends on.
    pub(crate) fn feature_of(&self, column: u32) -> u32 {
        match self {
            Self::Identity | Self::Single => column,
            Self::Columns(columns) => columns[column as usize].feature,
        }
    }

    /// Number of columns for a number of features.
    pub(crate) fn column_count(&self, feature_count: usize) -> usize {
        match self {
            Self::Identity | Self::Single => feature_count,
            Self::Columns(columns) => columns.len(),
        }
    }
}

impl Column {
    fn value(&self, row: &[f64]) -> f64 {
        let value = row[self.feature as usize];
        self.steps.iter().fold(value, |value, step| step.of(value))
    }
}

/// The nearest single-precision number; infinite past its range, NaN for NaN.
pub(crate) fn single(value: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to single precision is what is meant"
    )]
    let rounded = value as f32;
    f64::from(rounded)
}
