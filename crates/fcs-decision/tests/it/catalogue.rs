use fcs_core::UnixMicros;
use fcs_decision::application::Application;
use fcs_decision::catalogue::NoTexts;
use fcs_decision::decision::{DecideError, DecisionContext, decide};
use fcs_decision::manifest::Manifest;
use fcs_decision::record::DecisionRecord;

use crate::fixture::{context, inputs, manifest, manifest_with, output};

fn denied(
    manifest: &Manifest,
    language: Option<&str>,
    on: &str,
) -> Result<DecisionRecord, DecideError> {
    let context = DecisionContext {
        application: Application {
            language: language.map(str::to_owned),
            ..Application::default()
        },
        decided_at: UnixMicros::parse_rfc3339(&format!("{on}T12:00:00Z")).unwrap(),
        ..context()
    };
    let row = manifest.encode(&inputs()).unwrap();
    decide(
        manifest,
        &row,
        &output(-1.0, &[0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        &context,
    )
}

fn text(language: Option<&str>, on: &str) -> String {
    let manifest = Manifest::parse(manifest_with("").as_bytes()).unwrap();
    let record = denied(&manifest, language, on).unwrap();
    let source = record.reason_texts.unwrap();
    let suffix = format!(" ({} {})", source.language, source.version);
    let text = &record.principal_reasons[0].text;
    assert!(text.ends_with(&suffix), "{text}{suffix}");
    suffix.trim().to_owned()
}

#[test]
fn texts_follow_language_and_day() {
    assert_eq!(text(None, "2026-10-31"), "(en 1)");
    assert_eq!(text(None, "2026-11-01"), "(en 2)");
    assert_eq!(text(Some("es"), "2026-11-22"), "(es 1)");
    assert_eq!(
        text(Some("es-MX"), "2030-01-01"),
        "(es 1)",
        "a region without texts has those of its language"
    );
}

#[test]
fn a_language_or_a_day_without_texts_is_an_error() {
    let manifest = Manifest::parse(manifest_with("").as_bytes()).unwrap();
    let known = vec!["en".to_owned(), "es".to_owned()];
    assert_eq!(
        denied(&manifest, Some("fr"), "2026-11-22").unwrap_err(),
        DecideError::NoTexts(NoTexts::Language {
            language: "fr".to_owned(),
            known
        })
    );
    assert!(matches!(
        denied(&manifest, Some("es"), "2026-11-21").unwrap_err(),
        DecideError::NoTexts(NoTexts::Day { .. })
    ));
    let untold = denied(&self::manifest(), Some("en"), "2026-11-22").unwrap_err();
    assert!(
        matches!(untold, DecideError::NoTexts(NoTexts::Language { .. })),
        "a map without languages has none"
    );
}

#[test]
fn every_catalogue_holds_every_text() {
    let problems = |text: String| Manifest::parse(text.as_bytes()).unwrap_err().problems;
    let text = manifest_with("");
    let without = text.replacen(
        "CREDIT-LENGTH = \"Limited credit experience (es 1)\"\n",
        "",
        1,
    );
    assert_eq!(
        problems(without),
        ["catalogues[2].texts.CREDIT-LENGTH: missing"]
    );
    let unknown = text.replacen("CREDIT-LENGTH = \"Limited", "UNKNOWN = \"Limited", 1);
    assert_eq!(
        problems(unknown),
        [
            "catalogues[0].texts.UNKNOWN: is not in [[reasons]]",
            "catalogues[0].texts.CREDIT-LENGTH: missing"
        ]
    );
    let twice = text.replacen("2026-11-01", "2020-01-01", 1);
    assert_eq!(
        problems(twice),
        ["catalogues[1].effective_from: another catalogue of this language begins on this day"]
    );
    let both = text.replacen("hmda_code = 9", "hmda_code = 9\ntext = \"x\"", 1);
    assert_eq!(
        problems(both),
        ["reasons[0].text: the texts are in [[catalogues]]"]
    );
}
