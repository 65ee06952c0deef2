//! What happens to a row before the trees or the weights see it: from features to columns.
//!
//! Every column depends on one feature, so that what a column adds to a margin belongs to that feature.

/// How the columns of the model come from the features of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Front {
    /// The columns are the features.
    Identity,
    /// The columns are the features, rounded to single precision as XGBoost stores them.
    Single,
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
        }
    }

    /// The feature that a column depends on.
    pub(crate) fn feature_of(&self, column: u32) -> u32 {
        match self {
            Self::Identity | Self::Single => column,
        }
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
