//! The body of a request for several decisions.

use std::fmt;

use fcs_core::{ApiError, Violation, redacted_debug};
use fcs_service::problem::parse;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::body::ScoreBody;
use crate::app::batch::BATCH_ITEMS_MAX;
use crate::app::command::ScoreCommand;

redacted_debug!(BatchBody);

/// `{"items": [{"idempotency_key": ..., "application_id": ..., "features": ...}, ...]}`. Each item is kept as text, so
/// that one that breaks the schema is refused by itself.
pub(super) struct BatchBody {
    items: Vec<Box<RawValue>>,
}

impl BatchBody {
    /// The command of each item, or why it is refused.
    pub(super) fn commands(&self) -> Vec<Result<ScoreCommand, ApiError>> {
        self.items.iter().map(|item| command(item)).collect()
    }
}

fn command(item: &RawValue) -> Result<ScoreCommand, ApiError> {
    let mut body: ScoreBody = parse(item.get().as_bytes())?;
    let Some(key) = body.idempotency_key.take() else {
        let violation = Violation {
            pointer: "/idempotency_key".to_owned(),
            reason: "IDEMPOTENCY_KEY_MISSING",
            description: "give each item a key of its own".to_owned(),
        };
        let message = "the item has no idempotency_key";
        return Err(ApiError::invalid(
            "IDEMPOTENCY_KEY_MISSING",
            message,
            vec![violation],
        ));
    };
    body.command(&key)
}

impl<'de> Deserialize<'de> for BatchBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BatchVisitor)
    }
}

struct BatchVisitor;

impl<'de> Visitor<'de> for BatchVisitor {
    type Value = BatchBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the member \"items\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BatchBody, A::Error> {
        let mut items = None;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "items" if items.is_some() => return Err(A::Error::duplicate_field("items")),
                "items" => items = Some(map.next_value::<Items>()?.0),
                other => return Err(A::Error::unknown_field(other, &["items"])),
            }
        }
        let items = items.ok_or_else(|| A::Error::missing_field("items"))?;
        Ok(BatchBody { items })
    }
}

/// The items, counted while they are read, so that a long list of nothing takes no memory.
struct Items(Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ItemsVisitor)
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of requests")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Box<RawValue>>()? {
            if items.len() == BATCH_ITEMS_MAX {
                return Err(A::Error::custom(format!(
                    "a batch has at most {BATCH_ITEMS_MAX} items"
                )));
            }
            items.push(item);
        }
        Ok(Items(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(body: &str) -> Vec<Result<(), &'static str>> {
        let body: BatchBody = parse(body.as_bytes()).unwrap();
        let commands = body.commands();
        commands
            .iter()
            .map(|item| item.as_ref().map(drop).map_err(|error| error.reason))
            .collect()
    }

    #[test]
    fn each_item_is_refused_by_itself() {
        let found = reasons(
            r#"{"items": [
                {"idempotency_key": "a", "application_id": "A", "features": {"x": 1}},
                {"application_id": "A", "features": {}},
                {"idempotency_key": "c", "application_id": "A", "features": {"sex": null}},
                {"idempotency_key": "d", "application_id": "A", "features": {"x": 1, "x": 2}},
                7,
                {"idempotency_key": "f", "application_id": "F", "features": {}}
            ]}"#,
        );
        let expected = [
            Ok(()),
            Err("IDEMPOTENCY_KEY_MISSING"),
            Err("PROTECTED_ATTRIBUTE"),
            Err("INVALID_BODY"),
            Err("INVALID_BODY"),
            Ok(()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_body_of_another_shape_is_refused_as_a_whole() {
        let long = format!("{{\"items\": [{}0]}}", "0,".repeat(BATCH_ITEMS_MAX));
        for body in [
            "[]",
            "{}",
            r#"{"items": 1}"#,
            r#"{"items": [], "x": 1}"#,
            r#"{"items": [], "items": []}"#,
            &long,
        ] {
            let error = parse::<BatchBody>(body.as_bytes()).unwrap_err();
            assert_eq!(error.reason, "INVALID_BODY", "{body}");
        }
    }
}
