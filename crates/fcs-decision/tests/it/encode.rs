use fcs_core::Violation;
use fcs_decision::features::FeatureInput;

use crate::fixture::{Inputs, inputs, manifest, with};

fn refused(inputs: &Inputs) -> Vec<Violation> {
    manifest().encode(inputs).unwrap_err()
}

#[track_caller]
fn assert_only(name: &str, value: FeatureInput, reason: &str, description: &str) {
    let violations = refused(&with(name, value));
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(violations[0].reason, reason);
    assert_eq!(violations[0].pointer, format!("/features/{name}"));
    assert_eq!(violations[0].description, description);
}

#[test]
fn puts_values_in_the_order_of_the_model() {
    let row = manifest().encode(&inputs()).unwrap();
    assert_eq!(row.values(), [2500.5, 1.0, 0.0, 0.75, 3.0, 2.0, 30.0]);
    assert_eq!(row.inputs(), &inputs());
    assert_eq!(row.manifest_digest(), manifest().digest());
}

#[test]
fn a_feature_that_is_left_out_is_missing() {
    let mut inputs = inputs();
    inputs.remove("utilization");
    let row = manifest().encode(&inputs).unwrap();
    assert!(row.values()[3].is_nan());
    assert_eq!(
        row.inputs()["utilization"],
        FeatureInput::Missing,
        "the record says so"
    );
    assert_eq!(row.inputs().len(), 7);
}

#[test]
fn minus_zero_is_recorded_as_zero() {
    let row = manifest()
        .encode(&with("credit_limit", FeatureInput::Number(-0.0)))
        .unwrap();
    assert!(row.values()[0].is_sign_positive());
    let FeatureInput::Number(kept) = row.inputs()["credit_limit"] else {
        panic!("a number")
    };
    assert!(kept.is_sign_positive());
}

#[test]
fn the_ends_of_a_range_belong_to_it() {
    for end in [-10.0, 1_000_000.0] {
        assert!(
            manifest()
                .encode(&with("credit_limit", FeatureInput::Number(end)))
                .is_ok()
        );
    }
}

#[test]
fn says_what_is_wrong_and_what_would_be_right() {
    use FeatureInput::{Category, Missing, Number};
    let limit = "a number from -10 to 1000000 (EUR)";
    let months = "a whole number from -2 to 9 (months)";
    let record = "one of the categories clean, collection, bankruptcy";
    let must = |what: &str| format!("must be {what}");
    assert_only(
        "credit_limit",
        Number(1e6 + 0.5),
        "FEATURE_OUT_OF_RANGE",
        &must(limit),
    );
    assert_only(
        "credit_limit",
        Number(f64::NAN),
        "FEATURE_NOT_FINITE",
        &must(limit),
    );
    assert_only(
        "credit_limit",
        Number(f64::INFINITY),
        "FEATURE_NOT_FINITE",
        &must(limit),
    );
    assert_only(
        "credit_limit",
        Missing,
        "FEATURE_REQUIRED",
        &format!("is required: {limit}"),
    );
    assert_only(
        "credit_limit",
        Category("low".into()),
        "FEATURE_WRONG_TYPE",
        &must(limit),
    );
    assert_only(
        "months_behind",
        Number(1.5),
        "FEATURE_NOT_INTEGER",
        &must(months),
    );
    assert_only(
        "public_record",
        Number(3.0),
        "FEATURE_WRONG_TYPE",
        &must(record),
    );
    assert_only(
        "public_record",
        Category("Clean".into()),
        "UNKNOWN_CATEGORY",
        &must(record),
    );
}

#[test]
fn refuses_names_outside_the_schema() {
    assert_only(
        "months_behnd",
        FeatureInput::Number(1.0),
        "UNKNOWN_FEATURE",
        "example-card/7 has no such feature; did you mean \"months_behind\"?",
    );
    assert_only(
        "education",
        FeatureInput::Missing,
        "UNKNOWN_FEATURE",
        "example-card/7 has no such feature",
    );
    assert_only(
        "Applicant-Sex",
        FeatureInput::Missing,
        "PROTECTED_ATTRIBUTE",
        "names the protected attribute sex, which scoring must not receive",
    );
}

#[test]
fn pointers_are_escaped() {
    let violations = refused(&with("a/b~c", FeatureInput::Missing));
    assert_eq!(violations[0].pointer, "/features/a~1b~0c");
}

#[test]
fn lists_every_violation_at_once() {
    let mut inputs = inputs();
    inputs.remove("account_months");
    inputs.insert("credit_limit".to_owned(), FeatureInput::Number(-11.0));
    inputs.insert("months_behind".to_owned(), FeatureInput::Number(0.5));
    inputs.insert(
        "public_record".to_owned(),
        FeatureInput::Category("x".to_owned()),
    );
    inputs.insert("race".to_owned(), FeatureInput::Category("x".to_owned()));
    inputs.insert("income".to_owned(), FeatureInput::Number(1.0));
    let found: Vec<_> = refused(&inputs)
        .into_iter()
        .map(|v| (v.pointer, v.reason))
        .collect();
    let expected = [
        ("/features/credit_limit", "FEATURE_OUT_OF_RANGE"),
        ("/features/months_behind", "FEATURE_NOT_INTEGER"),
        ("/features/public_record", "UNKNOWN_CATEGORY"),
        ("/features/account_months", "FEATURE_REQUIRED"),
        ("/features/income", "UNKNOWN_FEATURE"),
        ("/features/race", "PROTECTED_ATTRIBUTE"),
    ];
    assert_eq!(
        found,
        expected.map(|(pointer, reason)| (pointer.to_owned(), reason))
    );
}
