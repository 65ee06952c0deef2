use serde::{Deserialize, Serialize};

use crate::Interval;

/// Why a metric has no value. An undefined metric is never a number: neither NaN nor 0 nor 1.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum Undefined {
    /// The group has no decisions.
    #[error("the group has no decisions")]
    NoDecisions,
    /// No decision of the chosen reference group was counted, or no group could be chosen.
    #[error("there is no reference group to compare with")]
    NoReferenceGroup,
    /// The reference group is smaller than the minimum size of a cell.
    #[error("the reference group is too small to be compared with")]
    ReferenceSuppressed,
    /// The formula divides zero by zero, or by zero: for example a ratio to a rate of zero.
    #[error("the denominator is zero")]
    ZeroDenominator,
    /// No outcome is known.
    #[error("no outcome is known")]
    NoOutcomes,
    /// Outcomes are known for approved applicants only, so the metric cannot be observed.
    #[error("outcomes are known for approved applicants only")]
    SelectiveLabels,
    /// The metric needs applicants who repaid and applicants who defaulted.
    #[error("only one of the two outcomes occurs")]
    OneOutcomeOnly,
    /// No score was counted.
    #[error("no score is known")]
    NoScores,
    /// The metric needs scores that are probabilities of repayment.
    #[error("the scores are not probabilities")]
    NotProbabilities,
    /// The scores of two groups were counted in bins with different edges, or one exactly.
    #[error("the scores of the groups were counted in different ways")]
    DifferentBins,
    /// All scores are equal, so there is no measure of chance.
    #[error("the scores do not vary")]
    NoSpread,
    /// No stratum holds both approved and not approved applicants of the group and of others.
    #[error("no stratum allows a comparison")]
    NoContrast,
    /// The probabilities of the groups do not tell them apart.
    #[error("the probabilities do not tell the groups apart")]
    Inseparable,
    /// More was taken back than was counted: a correction arrived before what it corrects.
    #[error("a count is negative")]
    NegativeCount,
    /// The counts are too large for an exact test; one for large samples is as good.
    #[error("the counts are too large for an exact test")]
    TooLarge,
    /// The numbers exceed what floating point can hold.
    #[error("the result is not a finite number")]
    NotFinite,
}

/// The value of a metric, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Measured {
    /// A value with its confidence interval.
    Interval(Interval),
    /// A value for which no interval is known that keeps its confidence.
    Point {
        /// The measured value.
        value: f64,
    },
    /// The result of a test of equality.
    Test(Test),
    /// No value.
    Undefined {
        /// Why.
        reason: Undefined,
    },
}

/// A test of equality of a group with its reference group, or of all groups.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// The test statistic; `None` for a test that goes by counts alone (Fisher's).
    pub statistic: Option<f64>,
    /// The two-sided probability, under equality, of a result at least this extreme; within `[0, 1]`.
    pub p_value: f64,
}

impl Measured {
    /// The value: of a metric, or the statistic of a test.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Interval(interval) => Some(interval.value),
            Self::Point { value } => Some(*value),
            Self::Test(test) => test.statistic,
            Self::Undefined { .. } => None,
        }
    }

    /// Why there is no value.
    pub fn undefined(&self) -> Option<Undefined> {
        match self {
            Self::Undefined { reason } => Some(*reason),
            Self::Interval(_) | Self::Point { .. } | Self::Test(_) => None,
        }
    }
}

impl From<Result<Interval, Undefined>> for Measured {
    fn from(result: Result<Interval, Undefined>) -> Self {
        match result {
            Ok(interval) => Self::Interval(interval),
            Err(reason) => Self::Undefined { reason },
        }
    }
}

impl From<Result<Test, Undefined>> for Measured {
    fn from(result: Result<Test, Undefined>) -> Self {
        match result {
            Ok(test) => Self::Test(test),
            Err(reason) => Self::Undefined { reason },
        }
    }
}

impl From<Result<f64, Undefined>> for Measured {
    fn from(result: Result<f64, Undefined>) -> Self {
        match result {
            Ok(value) => Self::Point { value },
            Err(reason) => Self::Undefined { reason },
        }
    }
}
