use serde::{Deserialize, Serialize};

use crate::Measured;
use crate::scores::Population;

/// The name of a metric; `_difference` and `_ratio` are of the group and the reference group, or of
/// the extremes of all groups among the overall metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "each is documented at the function that computes it"
)]
pub enum Name {
    SelectionRate,
    TruePositiveRate,
    FalsePositiveRate,
    TrueNegativeRate,
    FalseNegativeRate,
    PositivePredictiveValue,
    NegativePredictiveValue,
    Accuracy,
    TheilIndex,
    GeneralisedEntropyIndex,
    CoefficientOfVariation,
    AreaUnderCurve,
    Gini,
    KolmogorovSmirnovSeparation,
    ExpectedCalibrationError,
    BrierScore,
    CalibrationInTheLarge,

    AdverseImpactRatio,
    DemographicParityDifference,
    DemographicParityRatio,
    Shortfall,
    DenialOddsRatio,
    FisherExact,
    ChiSquare,
    ZTest,
    TwoStandardDeviations,
    StandardisedMeanDifference,
    KolmogorovSmirnovDistance,
    KolmogorovSmirnovTest,
    AdverseImpactRatioAtQuantile,
    ConditionalDemographicDisparity,
    EqualOpportunityDifference,
    EqualOpportunityRatio,
    FalsePositiveRateDifference,
    FalsePositiveRateRatio,
    EqualisedOddsDifference,
    EqualisedOddsRatio,
    AverageOddsDifference,
    AverageAbsoluteOddsDifference,
    PredictiveParityDifference,
    PredictiveParityRatio,
    NegativePredictiveValueDifference,
    AccuracyDifference,

    BetweenGroupTheilIndex,
    BetweenGroupGeneralisedEntropyIndex,
}

/// One metric with its counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Which metric.
    pub name: Name,
    /// Whose decisions it is about: names selective labels.
    pub population: Population,
    /// For a metric by score quantile: the share of everybody that was asked for.
    pub share_asked: Option<f64>,
    /// The share of everybody that the metric rests on. By score quantile: whom the cut approves, more
    /// than asked for with ties. For conditional disparity: decisions in strata that allow the
    /// comparison.
    pub share: Option<f64>,
    /// People of the group, or of all groups, that the metric covers.
    pub group_count: i64,
    /// People of the reference group that the metric covers; `None` without comparison.
    pub reference_count: Option<i64>,
    /// The result.
    pub result: Measured,
}

impl Metric {
    pub(super) fn own(
        name: Name,
        population: Population,
        group_count: i64,
        result: impl Into<Measured>,
    ) -> Self {
        Self {
            name,
            population,
            share_asked: None,
            share: None,
            group_count,
            reference_count: None,
            result: result.into(),
        }
    }
}
