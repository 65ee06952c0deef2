//! The metrics of all shown groups together.

use super::own::inequality;
use super::{Metric, Name};
use crate::error_rates::Rate;
use crate::inequality::{Entropy, between_groups};
use crate::scores::Population;
use crate::tally::Tally;
use crate::{Confidence, Evidence, extremes, significance};

pub(super) fn metrics(
    shown: &[&Evidence],
    everyone: &Evidence,
    confidence: Confidence,
) -> Vec<Metric> {
    let tallies: Vec<&Tally> = shown.iter().map(|evidence| &evidence.tally).collect();
    let mut metrics = Vec::new();
    of_decisions(shown, &tallies, confidence, &mut metrics);
    of_outcomes(shown, &tallies, confidence, &mut metrics);
    metrics.extend(inequality(everyone, confidence));
    metrics
}

fn covered(shown: &[&Evidence], population: Population) -> i64 {
    let sizes = shown.iter().map(|evidence| evidence.members(population));
    sizes.fold(0, i64::saturating_add)
}

fn of_decisions(
    shown: &[&Evidence],
    tallies: &[&Tally],
    confidence: Confidence,
    metrics: &mut Vec<Metric>,
) {
    let population = Population::AllDecisions;
    let count = covered(shown, population);
    metrics.push(Metric::own(
        Name::DemographicParityDifference,
        population,
        count,
        extremes::demographic_parity_difference(tallies, confidence),
    ));
    metrics.push(Metric::own(
        Name::DemographicParityRatio,
        population,
        count,
        extremes::demographic_parity_ratio(tallies, confidence),
    ));
    metrics.push(Metric::own(
        Name::ChiSquare,
        population,
        count,
        significance::chi_square_of_all(tallies),
    ));
}

fn of_outcomes(
    shown: &[&Evidence],
    tallies: &[&Tally],
    confidence: Confidence,
    metrics: &mut Vec<Metric>,
) {
    let population = Population::KnownOutcome;
    let count = covered(shown, population);
    for (name, rate) in [
        (Name::EqualOpportunityDifference, Rate::TruePositive),
        (Name::FalsePositiveRateDifference, Rate::FalsePositive),
    ] {
        let result = extremes::rate_difference(rate, tallies, confidence);
        metrics.push(Metric::own(name, population, count, result));
    }
    for (name, rate) in [
        (Name::EqualOpportunityRatio, Rate::TruePositive),
        (Name::FalsePositiveRateRatio, Rate::FalsePositive),
    ] {
        let result = extremes::rate_ratio(rate, tallies, confidence);
        metrics.push(Metric::own(name, population, count, result));
    }
    for (name, result) in [
        (
            Name::EqualisedOddsDifference,
            extremes::equalised_odds_difference(tallies, confidence),
        ),
        (
            Name::EqualisedOddsRatio,
            extremes::equalised_odds_ratio(tallies, confidence),
        ),
    ] {
        metrics.push(Metric::own(name, population, count, result));
    }
    for (name, entropy) in [
        (Name::BetweenGroupTheilIndex, Entropy::Theil),
        (Name::BetweenGroupGeneralisedEntropyIndex, Entropy::Squared),
    ] {
        let result = between_groups(entropy, tallies);
        metrics.push(Metric::own(name, population, count, result));
    }
}
