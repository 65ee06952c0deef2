use fcs_core::UnixMicros;
use fcs_decision::application::Application;
use fcs_decision::decision::{DecisionContext, decide};
use fcs_decision::features::FeatureInput;
use fcs_decision::protected::protected_attribute;
use fcs_decision::record::{DecisionRecord, RecordError, record_digest};
use proptest::prelude::*;
use serde_json::Value;

use crate::fixture::{context, decide_with, inputs, manifest, output, with};

/// The bytes of one decision, written by tests/fixture/record.py with another implementation of RFC 8785.
const GOLDEN: &str = include_str!("../fixture/record.json");

/// A record of format 2 with everything in it, written by the same script.
const GOLDEN_2: &str = include_str!("../fixture/record2.json");

fn record_of(record_format: u32) -> DecisionRecord {
    let manifest = manifest();
    let row = manifest.encode(&inputs()).unwrap();
    let output = output(-3.5, &[0.5, 1.25, -0.5, 0.0, 0.25, 1e-7, 0.0]);
    let context = DecisionContext {
        record_format,
        application: if record_format == 1 {
            Application::default()
        } else {
            application()
        },
        ..context()
    };
    decide(&manifest, &row, &output, &context).unwrap()
}

fn record() -> DecisionRecord {
    record_of(1)
}

/// Everything that an application can say.
fn application() -> Application {
    serde_json::from_value(serde_json::json!({
        "purpose": "new",
        "product": "card-gold",
        "amount": {"value": "15000.50", "currency": "USD"},
        "received_on": "2026-11-01",
        "feature_sources": {
            "inquiries": {"source": "bureau", "as_of": "2026-11-02"},
            "credit_limit": {"source": "internal"},
        },
        "bureau_score": {
            "score": 612,
            "range_low": 300,
            "range_high": 850,
            "created_on": "2026-11-02",
            "provider": "Example Score 8",
            "key_factors": [
                {"code": "14", "text": "Length of time accounts have been established"},
                {"text": "Number of recent inquiries", "inquiries": true},
            ],
            "consumer_reporting_agency": {
                "name": "Example Reports",
                "address": "1 Main Street, Springfield",
                "telephone": "800-555-0100",
            },
        },
    }))
    .unwrap()
}

#[test]
fn the_byte_form_of_format_2_is_frozen() {
    assert!(
        application()
            .violations(inputs().keys().map(String::as_str))
            .is_empty()
    );
    let bytes = record_of(2).to_canonical_bytes();
    assert_eq!(
        String::from_utf8(bytes.clone()).unwrap(),
        GOLDEN_2.trim_end()
    );
    let stored = DecisionRecord::from_bytes(&bytes).unwrap();
    assert_eq!(stored.context().application, application());
}

#[test]
fn a_record_of_format_1_is_replayed_as_format_1() {
    let stored = DecisionRecord::from_bytes(GOLDEN.trim_end().as_bytes()).unwrap();
    let manifest = manifest();
    let row = manifest.encode(&stored.inputs()).unwrap();
    let names = manifest
        .features
        .iter()
        .map(|feature| feature.name.as_str());
    let output = stored.model_output(names).unwrap();
    let replayed = decide(&manifest, &row, &output, &stored.context()).unwrap();
    assert_eq!(replayed.to_canonical_bytes(), GOLDEN.trim_end().as_bytes());
}

#[test]
fn formats_hold_their_own_parts_only() {
    let parse = |text: String| DecisionRecord::from_bytes(text.as_bytes());
    let part =
        |result, name: &str| matches!(result, Err(RecordError::Part { part, .. }) if part == name);
    let one = GOLDEN.trim_end();
    assert!(part(
        parse(one.replacen("\"record_format\":1", "\"record_format\":2", 1)),
        "policy"
    ));
    let counteroffer = one.replacen("\"outcome\":\"deny\"", "\"outcome\":\"counteroffer\"", 1);
    assert!(part(parse(counteroffer), "outcome"));
    assert!(part(parse(one.replacen("\"score\":543,", "", 1)), "score"));
    let two = GOLDEN_2.trim_end();
    assert!(part(
        parse(two.replacen("\"record_format\":2", "\"record_format\":1", 1)),
        "policy"
    ));
    assert!(part(
        parse(two.replacen("\"retain_until\":\"2029-01-01\",", "", 1)),
        "retain_until"
    ));
    let unknown = two.replacen("\"rules_hit\":[]", "\"rules_hit\":[],\"x\":1", 1);
    assert!(matches!(parse(unknown), Err(RecordError::NotCanonical)));
}

#[test]
fn the_byte_form_is_frozen() {
    let bytes = record().to_canonical_bytes();
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), GOLDEN.trim_end());
    assert_eq!(
        record_digest(&bytes).to_string(),
        "db9396bad08de72899eb77ba04d6ede08283b3a55b2beecd3dd6d3b42793dce2"
    );
}

#[test]
fn missing_values_are_kept_as_null() {
    let inputs = with("utilization", FeatureInput::Missing);
    let record = decide_with(
        &inputs,
        &output(-5.0, &[0.5, 0.0, -0.5, 0.0, 0.0, 0.0, 0.0]),
    )
    .unwrap();
    let json: Value = serde_json::from_slice(&record.to_canonical_bytes()).unwrap();
    assert_eq!(json["features"]["utilization"], Value::Null);
    assert_eq!(json["principal_reasons"], Value::Array(Vec::new()));
    assert_eq!(json["outcome"], "approve");
}

#[test]
fn no_key_is_a_protected_attribute() {
    fn visit(value: &Value, keys: &mut Vec<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(key, member)| {
                keys.push(key.clone());
                visit(member, keys);
            }),
            Value::Array(items) => items.iter().for_each(|item| visit(item, keys)),
            _ => {}
        }
    }
    let mut keys = Vec::new();
    visit(
        &serde_json::from_slice(&record_of(2).to_canonical_bytes()).unwrap(),
        &mut keys,
    );
    assert!(keys.len() > 40, "the record was walked: {keys:?}");
    for key in keys {
        assert_eq!(protected_attribute(&key), None, "{key}");
    }
}

#[test]
fn refuses_other_bytes_for_the_same_content() {
    let text = GOLDEN.trim_end();
    for other in [
        format!(" {text}"),
        text.replacen("\"score\":", "\"score\": ", 1),
        text.replacen("\"base_margin\":-3.5", "\"base_margin\":-3.50", 1),
        text.replacen("ü", "\\u00fc", 1),
        text.replacen("abab", "ABAB", 1),
        text.replacen(".000001Z", ".000001000Z", 1),
    ] {
        assert_ne!(other, text);
        let result = DecisionRecord::from_bytes(other.as_bytes());
        assert!(
            matches!(result, Err(RecordError::NotCanonical)),
            "{other}: {result:?}"
        );
    }
}

#[test]
fn refuses_what_is_not_a_record() {
    let text = GOLDEN.trim_end();
    let parse = |text: String| DecisionRecord::from_bytes(text.as_bytes());
    let malformed = |text: String| matches!(parse(text), Err(RecordError::Malformed(_)));
    assert!(malformed(String::new()));
    assert!(malformed(text.replacen("\"arm\":", "\"arms\":", 1)));
    assert!(malformed(text.replacen(
        "\"outcome\":\"deny\"",
        "\"outcome\":\"no\"",
        1
    )));
    assert!(malformed(text.replacen("\"salt\":\"ab", "\"salt\":\"", 1)));
    let newer = text.replacen("\"record_format\":1", "\"record_format\":3", 1);
    assert!(matches!(
        parse(newer),
        Err(RecordError::UnknownFormat { found: 3 })
    ));
    let approved = text.replacen("\"outcome\":\"deny\"", "\"outcome\":\"approve\"", 1);
    assert!(matches!(
        parse(approved),
        Err(RecordError::ReasonCount { .. })
    ));
    let late = text
        .replacen("2026-11-22T22", "9999-12-31T23", 1)
        .replacen("001Z", "001-23:00", 1);
    assert!(
        matches!(parse(late), Err(RecordError::NotCanonical)),
        "a year past 9999 is no panic"
    );
}

proptest! {
    #[test]
    fn bytes_round_trip_and_replay(
        contributions in proptest::collection::vec(-2.0..2.0f64, 7),
        limit in -10.0..1_000_000.0f64,
        months in -2..10i32,
        utilization in proptest::option::of(0.0..5.0f64),
        category in proptest::sample::select(vec!["clean", "collection", "bankruptcy"]),
        application in "[^\\p{Cc}]{1,40}",
        micros in -62_135_596_800_000_000..253_402_300_799_999_999i64,
        salt in any::<[u8; 16]>(),
        cohort_basis_point in 0..10_000u16,
        traffic_generation in 0..=1u64 << 53,
        record_format in 1..=2u32,
    ) {
        let manifest = manifest();
        let mut inputs = inputs();
        let utilization = utilization.map_or(FeatureInput::Missing, FeatureInput::Number);
        inputs.insert("credit_limit".to_owned(), FeatureInput::Number(limit));
        inputs.insert("months_behind".to_owned(), FeatureInput::Number(f64::from(months)));
        inputs.insert("utilization".to_owned(), utilization);
        inputs.insert("public_record".to_owned(), FeatureInput::Category(category.to_owned()));
        let context = DecisionContext {
            record_format,
            application_id: application.parse().unwrap(),
            decided_at: UnixMicros(micros),
            salt,
            cohort_basis_point,
            traffic_generation,
            ..context()
        };
        let output = output(-3.5, &contributions);
        let row = manifest.encode(&inputs).unwrap();
        let record = decide(&manifest, &row, &output, &context).unwrap();
        let bytes = record.to_canonical_bytes();

        let stored = DecisionRecord::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&stored, &record);
        prop_assert_eq!(&stored.to_canonical_bytes(), &bytes);

        let row = manifest.encode(&stored.inputs()).unwrap();
        let replayed = decide(&manifest, &row, &output, &stored.context()).unwrap();
        prop_assert_eq!(replayed.to_canonical_bytes(), bytes);
    }
}
