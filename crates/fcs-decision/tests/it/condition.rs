//! Conditions that are refused.

use fcs_decision::policy::{Scope, parse};
use proptest::prelude::*;

use crate::fixture::manifest;

/// Conditions with what is said of them.
const SLIPS: &[(&str, &str)] = &[
    ("", "byte 1: expected a value, found the end"),
    ("score", "byte 1: expected a condition"),
    ("score > ", "byte 9: expected a value, found the end"),
    (
        "score > 3 extra",
        "byte 11: expected an operator or the end",
    ),
    (
        "features.nothing > 3",
        "byte 1: \"nothing\" is not a feature",
    ),
    ("months_behind > 3", "byte 1: write features.months_behind"),
    ("margin > 3.0", "byte 1: unknown name \"margin\""),
    (
        "features.utilization > 1.0",
        "byte 1: features.utilization may be missing",
    ),
    (
        "features.utilization > 1.0 && has(features.utilization)",
        "may be missing",
    ),
    (
        "has(features.utilization) || features.utilization > 1.0",
        "may be missing",
    ),
    (
        "request.amount > 5.0",
        "byte 1: request.amount may be missing",
    ),
    (
        "has(features.months_behind)",
        "is required, so it is always there",
    ),
    ("has(score)", "score is always there"),
    ("score + 1 > 3.0", "byte 9: write the number with a point"),
    (
        "features.public_record > \"clean\"",
        "texts can be compared with == and != only",
    ),
    (
        "features.public_record == \"cleen\"",
        "\"cleen\" is not a category",
    ),
    (
        "features.public_record == 3",
        "a number cannot be compared with a text",
    ),
    (
        "has(request.purpose) && request.purpose == \"car\"",
        "\"car\" is not a purpose",
    ),
    ("score in 3", "byte 10: expected a list"),
    ("score in [\"a\"]", "byte 11: expected a number"),
    (
        "1 < score < 3",
        "expected a number or a text, found a condition",
    ),
    ("score > 3u", "byte 9: not a decimal number"),
    ("score > 0x1f", "byte 9: not a decimal number"),
    ("score > 1e999", "byte 9: not a decimal number"),
    (
        "features.public_record == \"cl",
        "byte 27: the text does not end",
    ),
    (
        "size(features) > 3",
        "byte 5: expected an operator or the end",
    ),
    ("!score > 3", "expected a number or a text"),
];

fn refusal(when: &str) -> String {
    let manifest = manifest();
    let scope = Scope {
        features: &manifest.features,
        before_score: false,
    };
    parse(when, &scope).unwrap_err().to_string()
}

#[test]
fn slips_of_the_pen_are_told_with_their_place() {
    for (when, expected) in SLIPS {
        let found = refusal(when);
        assert!(found.contains(expected), "{when}: {found}");
    }
}

#[test]
fn hostile_conditions_are_refused_without_deep_recursion() {
    let deep = |open: &str, close: &str, times| {
        format!("{}score > 3{}", open.repeat(times), close.repeat(times))
    };
    assert!(refusal(&deep("(", ")", 900)).contains("nested deeper"));
    assert!(refusal(&deep("!", "", 1900)).contains("nested deeper"));
    assert!(refusal(&format!("{}1.0 > 2.0", "-".repeat(1900))).contains("nested deeper"));
    assert!(refusal(&format!("score{} > 1.0", "+1.0".repeat(400))).contains("in a row"));
    assert!(refusal(&format!("true{}", "||true".repeat(300))).contains("in a row"));
    assert!(refusal(&"x".repeat(2_001)).contains("longer than"));
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "[ -~\\n]{0,200}") {
        let manifest = manifest();
        let scope = Scope { features: &manifest.features, before_score: false };
        let _ = parse(&text, &scope);
    }
}
