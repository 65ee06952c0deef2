//! Canonical JSON: one byte form for equal values (RFC 8785, "JSON Canonicalization Scheme").
//!
//! Members are sorted by the UTF-16 code units of their names, numbers are written as ECMAScript writes them, and there
//! is no white space. Integers are doubles as in JavaScript: beyond 2^53 they are rounded.
//!
//! Every decision is written in this form before it is kept, so it is written in one pass: members are put down in the
//! order in which they come, and only an object whose members came in another order is put in order at its end.

mod shapes;
mod text;

use std::fmt;

use serde::{Serialize, ser};

use shapes::Writer;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalError(String);

impl fmt::Display for CanonicalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write canonical JSON: {}", self.0)
    }
}

impl std::error::Error for CanonicalError {}

impl ser::Error for CanonicalError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// The canonical bytes of a value.
///
/// # Errors
/// [`CanonicalError`] for a number that is not finite, an object with two members of one name or with names that are
/// no texts or integers, and what the value's own `Serialize` says.
pub fn to_canonical_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut writer = Writer::default();
    value.serialize(&mut writer)?;
    Ok(writer.text.into_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn text<T: Serialize + ?Sized>(value: &T) -> String {
        String::from_utf8(to_canonical_vec(value).unwrap()).unwrap()
    }

    fn value() -> impl Strategy<Value = Value> {
        let number = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter("JSON has finite numbers only", |number| number.is_finite())
                .prop_map(Value::from),
            (-20_i32..25, any::<u32>())
                .prop_map(|(power, number)| json!(f64::from(number) * 10_f64.powi(power))),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            number,
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec(("[a-c\u{e9}\u{ffff}\u{10000}\"\\\\\n]{0,3}", inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_what_the_peer_writes(value in value()) {
            prop_assert_eq!(
                to_canonical_vec(&value).unwrap(),
                serde_json_canonicalizer::to_vec(&value).unwrap()
            );
        }
    }

    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Pair(u8, char),
        Named { b: Option<u8>, a: () },
    }

    #[derive(Serialize)]
    struct Flat {
        z: Shape,
        #[serde(flatten)]
        rest: BTreeMap<&'static str, Shape>,
        #[serde(skip_serializing_if = "Option::is_none")]
        none: Option<u8>,
    }

    #[test]
    fn every_shape_of_serde_has_a_form() {
        let value = Flat {
            z: Shape::Named { b: Some(1), a: () },
            rest: BTreeMap::from([
                ("new", Shape::New(1)),
                ("pair", Shape::Pair(2, 'x')),
                ("unit", Shape::Unit),
            ]),
            none: None,
        };
        let expected = r#"{"new":{"New":1},"pair":{"Pair":[2,"x"]},"unit":"Unit","z":{"Named":{"a":null,"b":1}}}"#;
        assert_eq!(text(&value), expected);
        assert_eq!(
            to_canonical_vec(&value).unwrap(),
            serde_json_canonicalizer::to_vec(&value).unwrap()
        );
        assert_eq!(
            text(&(1_i8, 2_u16, 1.5_f32, [true; 2])),
            "[1,2,1.5,[true,true]]"
        );
        assert_eq!(text(&HashMap::from([(10, "b")])), r#"{"10":"b"}"#);
    }

    #[test]
    fn names_are_in_the_order_of_their_utf_16_units() {
        // The example of RFC 8785, section 3.2.3.
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis"
        });
        let written = text(&value);
        let places = [
            "Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew",
        ]
        .map(|name| written.find(name).unwrap());
        assert!(places.is_sorted(), "{written}");
    }

    #[test]
    fn what_has_no_form_is_refused() {
        struct Twice;
        impl Serialize for Twice {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map([("b", 1), ("a", 2), ("b", 3)])
            }
        }
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(to_canonical_vec(&[number]).is_err());
        }
        assert!(to_canonical_vec(&f32::NAN).is_err());
        let error = to_canonical_vec(&Twice).unwrap_err().to_string();
        assert!(error.contains("\"b\" occurs twice"), "{error}");
        assert!(to_canonical_vec(&BTreeMap::from([((1, 2), 3)])).is_err());
    }
}
