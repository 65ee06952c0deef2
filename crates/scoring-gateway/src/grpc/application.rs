//! Requests for a decision from the wire, and what is passed through to the answer.

use std::collections::{BTreeMap, HashMap};

use fcs_core::{ApiError, Violation};
use fcs_decision::application::{
    Agency, Amount, Application, BureauScore, FeatureSource, KeyFactor, Purpose, Source,
};
use fcs_decision::calendar::Day;
use fcs_decision::features::FeatureInput;
use fcs_proto::scoring::v1 as wire;

use crate::app::command::{ScoreCommand, invalid_request, pointer};

/// The command of a request.
pub(super) fn command(request: wire::ScoreRequest) -> Result<ScoreCommand, ApiError> {
    let mut problems = Problems::default();
    let sources = problems.sources(&request.features);
    let application = Application {
        purpose: problems.purpose(request.purpose),
        product: given(request.product),
        amount: request.amount.map(|amount| Amount {
            value: amount.value,
            currency: amount.currency,
        }),
        received_on: problems.day("/received_on", &request.received_on),
        language: given(request.language),
        feature_sources: sources,
        bureau_score: request
            .bureau_score
            .and_then(|score| problems.bureau_score(score)),
    };
    if !problems.0.is_empty() {
        return Err(invalid_request(problems.0));
    }
    let features = features(request.features);
    ScoreCommand::new(
        &request.idempotency_key,
        &request.application_id,
        features,
        application,
    )
}

/// A value without a kind is a missing one.
fn features(features: HashMap<String, wire::FeatureValue>) -> BTreeMap<String, FeatureInput> {
    use wire::feature_value::Kind;

    let input = |value: wire::FeatureValue| match value.kind {
        Some(Kind::Number(number)) => FeatureInput::Number(number),
        Some(Kind::Category(category)) => FeatureInput::Category(category),
        None => FeatureInput::Missing,
    };
    features
        .into_iter()
        .map(|(name, value)| (name, input(value)))
        .collect()
}

/// The bureau's score as it was given.
pub(super) fn disclosure(score: BureauScore) -> wire::BureauScore {
    let agency = score.consumer_reporting_agency;
    let factor = |factor: KeyFactor| wire::KeyFactor {
        code: factor.code.unwrap_or_default(),
        text: factor.text,
        inquiries: factor.inquiries,
    };
    wire::BureauScore {
        score: score.score,
        range_low: score.range_low,
        range_high: score.range_high,
        created_on: score.created_on.to_string(),
        provider: score.provider,
        key_factors: score.key_factors.into_iter().map(factor).collect(),
        consumer_reporting_agency: Some(wire::ConsumerReportingAgency {
            name: agency.name,
            address: agency.address,
            telephone: agency.telephone,
        }),
    }
}

/// An empty text is one that was not given.
fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[derive(Default)]
struct Problems(Vec<Violation>);

impl Problems {
    fn add(&mut self, pointer: String, reason: &'static str, description: &str) {
        let description = description.to_owned();
        self.0.push(Violation {
            pointer,
            reason,
            description,
        });
    }

    fn day(&mut self, pointer: &str, text: &str) -> Option<Day> {
        if text.is_empty() {
            return None;
        }
        let day = text.parse::<Day>();
        day.map_err(|_| {
            self.add(
                pointer.to_owned(),
                "DAY_INVALID",
                "must be a day as YYYY-MM-DD",
            );
        })
        .ok()
    }

    fn purpose(&mut self, number: i32) -> Option<Purpose> {
        match wire::Purpose::try_from(number) {
            Ok(wire::Purpose::Unspecified) => None,
            Ok(wire::Purpose::New) => Some(Purpose::New),
            Ok(wire::Purpose::LineIncrease) => Some(Purpose::LineIncrease),
            Ok(wire::Purpose::LineDecrease) => Some(Purpose::LineDecrease),
            Ok(wire::Purpose::RateIncrease) => Some(Purpose::RateIncrease),
            Ok(wire::Purpose::Renewal) => Some(Purpose::Renewal),
            Ok(wire::Purpose::AccountClosure) => Some(Purpose::AccountClosure),
            Err(_) => {
                self.add(
                    "/purpose".to_owned(),
                    "PURPOSE_INVALID",
                    "is no purpose of this release",
                );
                None
            }
        }
    }

    fn sources(
        &mut self,
        features: &HashMap<String, wire::FeatureValue>,
    ) -> BTreeMap<String, FeatureSource> {
        let mut sources = BTreeMap::new();
        for (name, value) in features {
            let at = pointer("/features", name);
            let source = match wire::FeatureSource::try_from(value.source) {
                Ok(wire::FeatureSource::Application) => Source::Application,
                Ok(wire::FeatureSource::Bureau) => Source::Bureau,
                Ok(wire::FeatureSource::Internal) => Source::Internal,
                Ok(wire::FeatureSource::ThirdParty) => Source::ThirdParty,
                Ok(wire::FeatureSource::Unspecified) => {
                    if !value.as_of.is_empty() {
                        self.add(at, "SOURCE_MISSING", "has an as_of and no source");
                    }
                    continue;
                }
                Err(_) => {
                    self.add(at, "SOURCE_INVALID", "is no source of this release");
                    continue;
                }
            };
            let as_of = self.day(&at, &value.as_of);
            sources.insert(name.clone(), FeatureSource { source, as_of });
        }
        sources
    }

    fn bureau_score(&mut self, score: wire::BureauScore) -> Option<BureauScore> {
        let created_on = self.day("/bureau_score/created_on", &score.created_on);
        if score.created_on.is_empty() {
            self.add(
                "/bureau_score/created_on".to_owned(),
                "DAY_INVALID",
                "is required",
            );
        }
        let Some(agency) = score.consumer_reporting_agency else {
            let at = "/bureau_score/consumer_reporting_agency".to_owned();
            self.add(at, "AGENCY_MISSING", "is required");
            return None;
        };
        let factor = |factor: wire::KeyFactor| KeyFactor {
            code: given(factor.code),
            text: factor.text,
            inquiries: factor.inquiries,
        };
        Some(BureauScore {
            score: score.score,
            range_low: score.range_low,
            range_high: score.range_high,
            created_on: created_on?,
            provider: score.provider,
            key_factors: score.key_factors.into_iter().map(factor).collect(),
            consumer_reporting_agency: Agency {
                name: agency.name,
                address: agency.address,
                telephone: agency.telephone,
            },
        })
    }
}
