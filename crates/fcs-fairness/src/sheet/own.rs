//! The metrics of one group by itself.

use super::member::Member;
use super::{Metric, Name};
use crate::error_rates::{Rate, rate};
use crate::inequality::{Entropy, coefficient_of_variation, generalised_entropy};
use crate::scores::{Population, Sample};
use crate::{
    Confidence, Evidence, Interval, Undefined, calibration_within, discrimination, parity,
};

type OfScores = fn(&Sample, Confidence) -> Result<Interval, Undefined>;

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

pub(super) fn metrics(member: &Member<'_>, confidence: Confidence) -> Vec<Metric> {
    let evidence = member.evidence;
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
        for population in [
            Population::ApprovedWithKnownOutcome,
            Population::KnownOutcome,
        ] {
            let sample = member.sample(population);
            let result = sample.and_then(|sample| measure(sample, confidence));
            let count = member.scored(population);
            metrics.push(Metric::own(name, population, count, result));
        }
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
