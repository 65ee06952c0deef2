//! The metrics of one group by itself.

use super::{Metric, Name};
use crate::error_rates::{Rate, rate};
use crate::inequality::{Entropy, coefficient_of_variation, generalised_entropy};
use crate::scores::{Population, Scores};
use crate::{
    Confidence, Evidence, Interval, Undefined, calibration_within, discrimination, parity,
};

type OfScores = fn(&Scores, Population, Confidence) -> Result<Interval, Undefined>;

const RATES: [(Name, Rate); 7] = [
    (Name::TruePositiveRate, Rate::TruePositive),
    (Name::FalsePositiveRate, Rate::FalsePositive),
    (Name::TrueNegativeRate, Rate::TrueNegative),
    (Name::FalseNegativeRate, Rate::FalseNegative),
    (Name::PositivePredictiveValue, Rate::PositivePredictive),
    (Name::NegativePredictiveValue, Rate::NegativePredictive),
    (Name::Accuracy, Rate::Accuracy),
];

const OF_SCORES: [(Name, OfScores); 6] = [
    (Name::AreaUnderCurve, discrimination::area_under_curve),
    (Name::Gini, discrimination::gini),
    (
        Name::KolmogorovSmirnovSeparation,
        discrimination::kolmogorov_smirnov,
    ),
    (
        Name::ExpectedCalibrationError,
        calibration_within::expected_calibration_error,
    ),
    (Name::BrierScore, calibration_within::brier_score),
    (
        Name::CalibrationInTheLarge,
        calibration_within::calibration_in_the_large,
    ),
];

pub(super) fn metrics(evidence: &Evidence, confidence: Confidence) -> Vec<Metric> {
    let mut metrics = Vec::new();
    let members = |population| evidence.members(population);
    let everyone = Population::AllDecisions;
    let selection = parity::selection_rate(&evidence.tally, confidence);
    metrics.push(Metric::own(
        Name::SelectionRate,
        everyone,
        members(everyone),
        selection,
    ));
    for (name, which) in RATES {
        let population = which.population();
        let result = rate(which, &evidence.tally, confidence);
        metrics.push(Metric::own(name, population, members(population), result));
    }
    metrics.extend(inequality(evidence, confidence));
    for (name, measure) in OF_SCORES {
        let approved = Population::ApprovedWithKnownOutcome;
        metrics.push(of_scores(name, measure, evidence, approved, confidence));
        metrics.push(of_scores(
            name,
            measure,
            evidence,
            Population::KnownOutcome,
            confidence,
        ));
    }
    metrics
}

/// Theil index, generalised entropy index and coefficient of variation.
pub(super) fn inequality(evidence: &Evidence, confidence: Confidence) -> [Metric; 3] {
    let (tally, population) = (&evidence.tally, Population::KnownOutcome);
    let results = [
        (
            Name::TheilIndex,
            generalised_entropy(Entropy::Theil, tally, confidence),
        ),
        (
            Name::GeneralisedEntropyIndex,
            generalised_entropy(Entropy::Squared, tally, confidence),
        ),
        (
            Name::CoefficientOfVariation,
            coefficient_of_variation(tally, confidence),
        ),
    ];
    let count = evidence.members(population);
    results.map(|(name, result)| Metric::own(name, population, count, result))
}

/// A metric of scores and outcomes. Over all known outcomes it is undefined where they are known for
/// the approved alone: it would repeat the metric of the approved under a wrong name.
fn of_scores(
    name: Name,
    measure: OfScores,
    evidence: &Evidence,
    population: Population,
    confidence: Confidence,
) -> Metric {
    let declined = evidence.tally.declined();
    let selective = declined.known() == 0 && declined.total() > 0;
    let result = if population == Population::KnownOutcome && selective {
        Err(Undefined::SelectiveLabels)
    } else {
        measure(&evidence.scores, population, confidence)
    };
    Metric::own(name, population, evidence.scored(population), result)
}
