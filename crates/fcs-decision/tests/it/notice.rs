//! The duties that come with a decision.

use fcs_decision::application::{Application, FeatureSource, Purpose, Source};
use fcs_decision::decision::{DecisionContext, decide};
use fcs_decision::manifest::Manifest;
use fcs_decision::record::{Component, DecisionRecord, FormHint};

use crate::fixture::{MANIFEST, context, inputs, manifest_with, output, with};

/// The fixture decides on 2026-11-22.
fn denied(text: &str, application: Application) -> DecisionRecord {
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    let context = DecisionContext {
        application,
        ..context()
    };
    let row = manifest.encode(&inputs()).unwrap();
    decide(
        &manifest,
        &row,
        &output(-1.0, &[0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        &context,
    )
    .unwrap()
}

fn due(application: Application) -> (String, String) {
    let record = denied(MANIFEST, application);
    let notice = record.notice.unwrap();
    assert!(notice.required);
    (
        notice.due_by.unwrap().to_string(),
        record.retain_until.unwrap().to_string(),
    )
}

#[test]
fn the_clock_counts_calendar_days() {
    let plain = Application::default();
    assert_eq!(
        due(plain.clone()),
        ("2026-12-22".to_owned(), "2029-01-22".to_owned())
    );
    let received = Application {
        received_on: Some("2026-11-10".parse().unwrap()),
        ..plain
    };
    assert_eq!(due(received.clone()).0, "2026-12-10");
    let lowered = Application {
        purpose: Some(Purpose::LineDecrease),
        ..received
    };
    assert_eq!(
        due(lowered).0,
        "2026-12-22",
        "action on an account counts from the action"
    );
}

#[test]
fn records_of_business_credit_are_kept_for_twelve_months() {
    let text = manifest_with("").replace("[policy]\n", "[policy]\ncredit = \"business\"\n");
    let record = denied(&text, Application::default());
    assert_eq!(record.retain_until.unwrap().to_string(), "2027-12-22");
}

#[test]
fn outside_sources_and_forms_follow_the_declared_sources() {
    let from = |source| {
        let sources = [(
            "credit_limit".to_owned(),
            FeatureSource {
                source,
                as_of: None,
            },
        )];
        Application {
            feature_sources: sources.into(),
            ..Application::default()
        }
    };
    let flags = |source| {
        let record = denied(MANIFEST, from(source));
        let sources = record.outside_sources.unwrap();
        (
            sources.fcra_615a,
            sources.fcra_615b,
            record.notice.unwrap().form_hint.unwrap(),
        )
    };
    assert_eq!(flags(Source::Application), (false, false, FormHint::C3));
    assert_eq!(flags(Source::Internal), (false, false, FormHint::C3));
    assert_eq!(flags(Source::Bureau), (true, false, FormHint::C3));
    assert_eq!(flags(Source::ThirdParty), (false, true, FormHint::C1));
    let asked = manifest_with("").replace("[policy]\n", "[policy]\nreasons_on_request = true\n");
    let record = denied(&asked, Application::default());
    assert_eq!(record.notice.unwrap().form_hint, Some(FormHint::C5));
}

#[test]
fn a_knock_out_fails_the_rules_not_the_score() {
    let manifest = Manifest::parse(MANIFEST.as_bytes()).unwrap();
    let inputs = with(
        "months_behind",
        fcs_decision::features::FeatureInput::Number(4.0),
    );
    let row = manifest.encode(&inputs).unwrap();
    let record = decide(
        &manifest,
        &row,
        &output(-1.0, &[0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        &context(),
    )
    .unwrap();
    assert_eq!(record.component_failed, Some(Component::PolicyRule));
    assert_eq!(record.notice.unwrap().form_hint, Some(FormHint::C2));
    assert_eq!(
        record.policy.applied.unwrap().rules_hit,
        ["severe-delinquency"]
    );
}
