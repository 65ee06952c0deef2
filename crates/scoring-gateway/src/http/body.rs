//! The body of a request for a decision.

use std::collections::BTreeMap;
use std::fmt;

use fcs_core::{ApiError, Violation};
use fcs_decision::features::FeatureInput;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::app::command::{invalid_request, pointer, refuse_protected};

/// `{"application_id": ..., "features": {name: number | category | null}}` as it was sent. Names of other members
/// are kept, because a refusal must name them, and say more when one is a protected attribute.
#[derive(Debug, PartialEq)]
pub(super) struct ScoreBody {
    pub(super) application_id: String,
    pub(super) features: BTreeMap<String, FeatureInput>,
    others: Vec<String>,
}

impl ScoreBody {
    /// Refuses members that are not part of a request.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        let refuse = |name: &String| {
            refuse_protected("", name).unwrap_or_else(|| Violation {
                pointer: pointer("", name),
                reason: "UNKNOWN_FIELD",
                description: "a request has the members \"application_id\" and \"features\""
                    .to_owned(),
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
        let mut features = None;
        let mut others = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "application_id" if application_id.is_some() => {
                    return Err(A::Error::duplicate_field("application_id"));
                }
                "features" if features.is_some() => {
                    return Err(A::Error::duplicate_field("features"));
                }
                "application_id" => application_id = Some(map.next_value()?),
                "features" => features = Some(map.next_value::<Features>()?.0),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    others.push(name);
                }
            }
        }
        Ok(ScoreBody {
            application_id: application_id
                .ok_or_else(|| A::Error::missing_field("application_id"))?,
            features: features.ok_or_else(|| A::Error::missing_field("features"))?,
            others,
        })
    }
}

/// An object without a name that occurs twice: which of two values counts must not be left to chance.
struct Features(BTreeMap<String, FeatureInput>);

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
        let mut features = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if features.insert(name, value.0).is_some() {
                return Err(A::Error::custom("a feature occurs twice"));
            }
        }
        Ok(Features(features))
    }
}

struct Value(FeatureInput);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, the name of a category, or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value(FeatureInput::Missing))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value(FeatureInput::Number(number)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.visit_f64(number as f64)
    }

    fn visit_str<E: Error>(self, category: &str) -> Result<Value, E> {
        Ok(Value(FeatureInput::Category(category.to_owned())))
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
    fn refuses_what_is_ambiguous_or_of_another_shape() {
        for bad in [
            r#"{"application_id":"A"}"#,
            r#"{"features":{}}"#,
            r#"{"application_id":1,"features":{}}"#,
            r#"{"application_id":"A","application_id":"B","features":{}}"#,
            r#"{"application_id":"A","features":{},"features":{}}"#,
            r#"{"application_id":"A","features":{"a":1,"a":2}}"#,
            r#"{"application_id":"A","features":{"a":true}}"#,
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
