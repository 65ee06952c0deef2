//! The body of a request for a decision.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fcs_core::{ApiError, Violation, redacted_debug};
use fcs_decision::application::{Application, FeatureSource, Source};
use fcs_decision::calendar::Day;
use fcs_decision::features::FeatureInput;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::app::command::{ScoreCommand, invalid_request, pointer, refuse_protected};

redacted_debug!(ScoreBody);

/// The members of a request.
const MEMBERS: &str =
    "application_id, features, purpose, product, amount, received_on, language and bureau_score";

/// `{"application_id": ..., "features": {name: value}, ...}` as it was sent. A value is a number, a category, null, or
/// an object of `value`, `source` and `as_of`. Names of other members are kept, because a refusal must name them, and
/// say more when one is a protected attribute.
#[derive(PartialEq)]
pub(super) struct ScoreBody {
    /// Only of an item of a batch; a request by itself has its key in the header.
    pub(super) idempotency_key: Option<String>,
    application_id: String,
    features: BTreeMap<String, FeatureInput>,
    application: Application,
    others: Vec<String>,
}

impl ScoreBody {
    /// The command under a key.
    pub(super) fn command(self, key: &str) -> Result<ScoreCommand, ApiError> {
        self.check()?;
        ScoreCommand::new(key, &self.application_id, self.features, self.application)
    }

    /// Refuses members that are not part of a request.
    fn check(&self) -> Result<(), ApiError> {
        let refuse = |name: &String| {
            refuse_protected("", name).unwrap_or_else(|| Violation {
                pointer: pointer("", name),
                reason: "UNKNOWN_FIELD",
                description: format!("a request has the members {MEMBERS}"),
            })
        };
        if self.others.is_empty() {
            Ok(())
        } else {
            Err(invalid_request(self.others.iter().map(refuse).collect()))
        }
    }
}

impl<'de> Deserialize<'de> for ScoreBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BodyVisitor)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = ScoreBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the members \"application_id\" and \"features\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ScoreBody, A::Error> {
        let mut application_id = None;
        let mut idempotency_key = None;
        let mut features: Option<Features> = None;
        let mut application = Application::default();
        let mut seen = BTreeSet::new();
        let mut others = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom("a member occurs twice"));
            }
            match name.as_str() {
                "idempotency_key" => idempotency_key = Some(map.next_value()?),
                "application_id" => application_id = Some(map.next_value()?),
                "features" => features = Some(map.next_value()?),
                "purpose" => application.purpose = map.next_value()?,
                "product" => application.product = map.next_value()?,
                "amount" => application.amount = map.next_value()?,
                "received_on" => application.received_on = map.next_value()?,
                "language" => application.language = map.next_value()?,
                "bureau_score" => application.bureau_score = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    others.push(name);
                }
            }
        }
        let features = features.ok_or_else(|| A::Error::missing_field("features"))?;
        application.feature_sources = features.sources;
        Ok(ScoreBody {
            idempotency_key,
            application_id: application_id
                .ok_or_else(|| A::Error::missing_field("application_id"))?,
            features: features.inputs,
            application,
            others,
        })
    }
}

/// An object without a name that occurs twice: which of two values counts must not be left to chance.
#[derive(Default)]
struct Features {
    inputs: BTreeMap<String, FeatureInput>,
    sources: BTreeMap<String, FeatureSource>,
}

impl<'de> Deserialize<'de> for Features {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FeaturesVisitor)
    }
}

struct FeaturesVisitor;

impl<'de> Visitor<'de> for FeaturesVisitor {
    type Value = Features;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one member per feature")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Features, A::Error> {
        let mut features = Features::default();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if let Some(source) = value.source {
                features.sources.insert(name.clone(), source);
            }
            if features.inputs.insert(name, value.input).is_some() {
                return Err(A::Error::custom("a feature occurs twice"));
            }
        }
        Ok(features)
    }
}

struct Value {
    input: FeatureInput,
    source: Option<FeatureSource>,
}

impl From<FeatureInput> for Value {
    fn from(input: FeatureInput) -> Self {
        Self {
            input,
            source: None,
        }
    }
}

/// A value with where it comes from.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct SourcedValue {
    value: FeatureInput,
    source: Source,
    #[serde(default)]
    as_of: Option<Day>,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, the name of a category, null, or an object with value and source")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        let SourcedValue {
            value,
            source,
            as_of,
        } = SourcedValue::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Value {
            input: value,
            source: Some(FeatureSource { source, as_of }),
        })
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(FeatureInput::Missing.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(FeatureInput::Number(number).into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.visit_f64(number as f64)
    }

    fn visit_str<E: Error>(self, category: &str) -> Result<Value, E> {
        Ok(FeatureInput::Category(category.to_owned()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ScoreBody, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn reads_numbers_categories_and_missing_values() {
        let body =
            parse(r#"{"application_id":"A","features":{"a":1,"b":-2.5,"c":"own","d":null}}"#)
                .unwrap();
        assert_eq!(body.features["a"], FeatureInput::Number(1.0));
        assert_eq!(body.features["b"], FeatureInput::Number(-2.5));
        assert_eq!(body.features["c"], FeatureInput::Category("own".to_owned()));
        assert_eq!(body.features["d"], FeatureInput::Missing);
        assert_eq!(body.check(), Ok(()));
    }

    #[test]
    fn reads_what_else_an_application_says() {
        let body = parse(
            r#"{"application_id":"A","features":{"a":{"value":1,"source":"bureau","as_of":"2026-11-01"},
                "b":{"value":null,"source":"application"}},"purpose":"line_increase","product":null,
                "amount":{"value":"10.50","currency":"EUR"},"received_on":"2026-11-02","language":"es-MX"}"#,
        )
        .unwrap();
        assert_eq!(body.check(), Ok(()));
        assert_eq!(body.features["a"], FeatureInput::Number(1.0));
        assert_eq!(body.features["b"], FeatureInput::Missing);
        assert_eq!(body.application.feature_sources["a"].source, Source::Bureau);
        assert_eq!(body.application.amount.unwrap().value, "10.50");
        assert_eq!(body.application.product, None);
    }

    #[test]
    fn refuses_what_is_ambiguous_or_of_another_shape() {
        for bad in [
            r#"{"application_id":"A"}"#,
            r#"{"features":{}}"#,
            r#"{"application_id":1,"features":{}}"#,
            r#"{"application_id":"A","application_id":"B","features":{}}"#,
            r#"{"application_id":"A","features":{},"features":{}}"#,
            r#"{"application_id":"A","features":{"a":1,"a":2}}"#,
            r#"{"application_id":"A","features":{"a":true}}"#,
            r#"{"application_id":"A","features":{"a":{"value":1}}}"#,
            r#"{"application_id":"A","features":{"a":{"value":1,"source":"rumour"}}}"#,
            r#"{"application_id":"A","features":{},"purpose":"fun"}"#,
            r#"{"application_id":"A","features":{},"amount":10.5}"#,
            r#"{"application_id":"A","features":{},"received_on":"soon"}"#,
            r#"{"application_id":"A","features":{},"language":"en","language":"es"}"#,
            r#"{"application_id":"A","features":{"a":[1]}}"#,
            r#"{"application_id":"A","features":{"a":1e400}}"#,
            r#"{"application_id":"A","features":[]}"#,
            "[]",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_members_are_refused_and_protected_ones_by_name() {
        let body = parse(r#"{"application_id":"A","features":{},"note":{},"sex":"F"}"#).unwrap();
        let error = body.check().unwrap_err();
        assert_eq!(error.reason, "PROTECTED_ATTRIBUTE");
        let reasons: Vec<_> = error
            .violations
            .iter()
            .map(|violation| violation.reason)
            .collect();
        assert_eq!(reasons, ["UNKNOWN_FIELD", "PROTECTED_ATTRIBUTE"]);
    }
}
