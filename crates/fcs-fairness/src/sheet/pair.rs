//! The metrics of a group beside its reference group.

use std::collections::BTreeMap;

use super::member::Member;
use super::{Metric, Name, Request};
use crate::error_rates::{self, Rate};
use crate::scores::{Population, Sample};
use crate::strata::{Stratum, conditional_demographic_disparity};
use crate::tally::Tally;
use crate::{Confidence, Interval, Measured, Test, Undefined, parity, score_gap, significance};

type OfTallies = fn(&Tally, &Tally, Confidence) -> Result<Interval, Undefined>;
type OfScores = fn(&Sample, &Sample, Confidence) -> Result<Interval, Undefined>;
type TestOfTallies = fn(&Tally, &Tally) -> Result<Test, Undefined>;

const OF_DECISIONS: [(Name, OfTallies); 5] = [
    (Name::AdverseImpactRatio, parity::adverse_impact_ratio),
    (
        Name::DemographicParityDifference,
        parity::demographic_parity_difference,
    ),
    (
        Name::DemographicParityRatio,
        parity::demographic_parity_ratio,
    ),
    (Name::Shortfall, parity::shortfall),
    (Name::DenialOddsRatio, parity::denial_odds_ratio),
];

const TESTS: [(Name, TestOfTallies); 4] = [
    (Name::FisherExact, significance::fisher_exact),
    (Name::ChiSquare, significance::chi_square),
    (Name::ZTest, significance::z_test),
    (
        Name::TwoStandardDeviations,
        significance::two_standard_deviations,
    ),
];

const OF_SCORES: [(Name, OfScores); 2] = [
    (
        Name::StandardisedMeanDifference,
        score_gap::standardised_mean_difference,
    ),
    (
        Name::KolmogorovSmirnovDistance,
        score_gap::kolmogorov_smirnov_distance,
    ),
];

const OF_ODDS: [(Name, OfTallies); 4] = [
    (
        Name::EqualisedOddsDifference,
        error_rates::equalised_odds_difference,
    ),
    (Name::EqualisedOddsRatio, error_rates::equalised_odds_ratio),
    (
        Name::AverageOddsDifference,
        error_rates::average_odds_difference,
    ),
    (
        Name::AverageAbsoluteOddsDifference,
        error_rates::average_absolute_odds_difference,
    ),
];

const RATE_DIFFERENCES: [(Name, Rate); 5] = [
    (Name::EqualOpportunityDifference, Rate::TruePositive),
    (Name::FalsePositiveRateDifference, Rate::FalsePositive),
    (Name::PredictiveParityDifference, Rate::PositivePredictive),
    (
        Name::NegativePredictiveValueDifference,
        Rate::NegativePredictive,
    ),
    (Name::AccuracyDifference, Rate::Accuracy),
];

const RATE_RATIOS: [(Name, Rate); 3] = [
    (Name::EqualOpportunityRatio, Rate::TruePositive),
    (Name::FalsePositiveRateRatio, Rate::FalsePositive),
    (Name::PredictiveParityRatio, Rate::PositivePredictive),
];

/// A group and what it is compared with.
pub(super) struct Pair<'a> {
    pub(super) group: &'a Member<'a>,
    /// Or why there is none.
    pub(super) reference: Result<&'a Member<'a>, Undefined>,
    pub(super) everyone: &'a Member<'a>,
    pub(super) strata: BTreeMap<String, Stratum>,
}

impl Pair<'_> {
    pub(super) fn metrics(&self, request: &Request, metrics: &mut Vec<Metric>) {
        let confidence = request.confidence;
        let everyone = Population::AllDecisions;
        for (name, measure) in OF_DECISIONS {
            metrics.push(
                self.of_tallies(name, everyone, |one, other| measure(one, other, confidence)),
            );
        }
        for (name, test) in TESTS {
            metrics.push(self.of_tallies(name, everyone, test));
        }
        metrics.push(self.conditional_disparity(confidence));
        for (name, measure) in OF_SCORES {
            metrics.push(self.of_scores(name, |one, other| measure(one, other, confidence)));
        }
        let test = score_gap::kolmogorov_smirnov_test;
        metrics.push(self.of_scores(Name::KolmogorovSmirnovTest, test));
        for share in &request.quantiles {
            metrics.push(self.at_quantile(*share, confidence));
        }
        self.outcomes(confidence, metrics);
    }

    /// Everything that needs outcomes.
    fn outcomes(&self, confidence: Confidence, metrics: &mut Vec<Metric>) {
        for (name, rate) in RATE_DIFFERENCES {
            metrics.push(self.of_tallies(name, rate.population(), |one, other| {
                error_rates::rate_difference(rate, one, other, confidence)
            }));
        }
        for (name, rate) in RATE_RATIOS {
            metrics.push(self.of_tallies(name, rate.population(), |one, other| {
                error_rates::rate_ratio(rate, one, other, confidence)
            }));
        }
        for (name, measure) in OF_ODDS {
            metrics.push(
                self.of_tallies(name, Population::KnownOutcome, |one, other| {
                    measure(one, other, confidence)
                }),
            );
        }
    }

    fn of_tallies<T>(
        &self,
        name: Name,
        population: Population,
        measure: impl Fn(&Tally, &Tally) -> Result<T, Undefined>,
    ) -> Metric
    where
        Result<T, Undefined>: Into<Measured>,
    {
        let group = self.group.evidence;
        let reference = self.reference.map(|reference| reference.evidence);
        let result = reference.and_then(|reference| measure(&group.tally, &reference.tally));
        let count = group.members(population);
        Metric {
            reference_count: reference.ok().map(|found| found.members(population)),
            ..Metric::own(name, population, count, result)
        }
    }

    fn of_scores<T>(
        &self,
        name: Name,
        measure: impl Fn(&Sample, &Sample) -> Result<T, Undefined>,
    ) -> Metric
    where
        Result<T, Undefined>: Into<Measured>,
    {
        let (reference, population) = (self.reference, Population::AllDecisions);
        let compared =
            |found: &Member<'_>| measure(self.group.sample(population)?, found.sample(population)?);
        let result = reference.and_then(compared);
        let count = self.group.scored(population);
        Metric {
            reference_count: reference.ok().map(|found| found.scored(population)),
            ..Metric::own(name, population, count, result)
        }
    }

    fn at_quantile(&self, share: f64, confidence: Confidence) -> Metric {
        let everyone = Population::AllDecisions;
        let at = self.reference.and_then(|reference| {
            score_gap::adverse_impact_ratio_at(
                share,
                self.group.sample(everyone)?,
                reference.sample(everyone)?,
                self.everyone.sample(everyone)?,
                confidence,
            )
        });
        Metric {
            share_asked: Some(share),
            share: at.ok().map(|at| at.share),
            ..self.of_scores(Name::AdverseImpactRatioAtQuantile, |_, _| at?.ratio)
        }
    }

    /// Of the group and everybody else: it needs no reference group.
    fn conditional_disparity(&self, confidence: Confidence) -> Metric {
        let found = conditional_demographic_disparity(&self.strata, confidence);
        let everyone = self.everyone.evidence.tally.decisions() as f64;
        Metric {
            share: found.ok().map(|found| found.compared as f64 / everyone),
            ..Metric::own(
                Name::ConditionalDemographicDisparity,
                Population::AllDecisions,
                self.group.evidence.tally.decisions(),
                found.map(|found| found.disparity),
            )
        }
    }
}
