//! Explanations on the wire.

use fcs_core::Probability;
use fcs_decision::features::FeatureInput;
use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::feature_value::Kind;

use super::convert;
use crate::app::explain::{Explanation, FamilyPart, FeaturePart, Population, ReasonPart};

pub(super) fn response(explanation: Explanation) -> wire::ExplainDecisionResponse {
    let record = explanation.record;
    wire::ExplainDecisionResponse {
        decision_id: record.decision_id.to_string(),
        outcome: convert::outcome(record.outcome).into(),
        score: record.score.unwrap_or_default(),
        probability: record.probability.map_or(0.0, Probability::get),
        margin: record.margin.unwrap_or_default(),
        base_margin: record.base_margin.unwrap_or_default(),
        features: explanation.features.into_iter().map(feature).collect(),
        families: explanation.families.into_iter().map(family).collect(),
        reasons: explanation.reasons.into_iter().map(reason).collect(),
        reference_population: Some(population(explanation.population)),
    }
}

fn feature(part: FeaturePart) -> wire::FeatureContribution {
    let kind = match part.value {
        FeatureInput::Number(number) => Some(Kind::Number(number)),
        FeatureInput::Category(category) => Some(Kind::Category(category)),
        FeatureInput::Missing => None,
    };
    wire::FeatureContribution {
        name: part.name,
        description: part.description,
        unit: part.unit,
        value: Some(wire::FeatureValue {
            kind,
            ..wire::FeatureValue::default()
        }),
        contribution: part.contribution,
        reason_code: part.reason_code,
    }
}

fn family(part: FamilyPart) -> wire::FamilyContribution {
    wire::FamilyContribution {
        family: part.family,
        contribution: part.contribution,
    }
}

fn reason(part: ReasonPart) -> wire::ReasonContribution {
    wire::ReasonContribution {
        code: part.code,
        text: part.text,
        features: part.features,
        contribution: part.contribution,
    }
}

fn population(population: Population) -> wire::ReferencePopulation {
    wire::ReferencePopulation {
        id: population.id,
        description: population.description,
        rows: population.rows,
        score_from: population.score_from,
        score_to: population.score_to,
        digest: population.digest.to_string(),
    }
}
