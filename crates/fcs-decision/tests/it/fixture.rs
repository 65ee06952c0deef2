//! A small manifest and an application that fits it.

use std::collections::BTreeMap;

use fcs_core::{DecisionId, Probability, UnixMicros};
use fcs_decision::application::Application;
use fcs_decision::decision::{DecideError, DecisionContext, ModelOutput, decide};
use fcs_decision::features::FeatureInput;
use fcs_decision::manifest::Manifest;
use fcs_decision::record::{DecisionRecord, RECORD_FORMAT};

pub(crate) const MANIFEST: &str = include_str!("../fixture/model.toml");

pub(crate) type Inputs = BTreeMap<String, FeatureInput>;

pub(crate) fn manifest() -> Manifest {
    Manifest::parse(MANIFEST.as_bytes()).unwrap()
}

/// The fixture in manifest format 3, with these rules and texts in two languages.
pub(crate) fn manifest_with(rules: &str) -> String {
    let (head, tail) = MANIFEST.split_once("[[policy.knock_outs]]").unwrap();
    let (_, tail) = tail.split_once("[reference_population]").unwrap();
    let head = head
        .replace("manifest_format = 1", "manifest_format = 3")
        .replace(
            "[policy]\n",
            "[policy]\nname = \"cards\"\nversion = \"2026-11\"\n",
        );
    let texts: Vec<(&str, &str)> = head
        .split("[[reasons]]")
        .skip(1)
        .map(|section| {
            let value = |key: &str| {
                let (_, rest) = section.split_once(&format!("{key} = \"")).unwrap();
                rest.split_once('"').unwrap().0
            };
            (value("code"), value("text"))
        })
        .collect();
    let catalogue = |language: &str, version: &str, from: &str| {
        let lines = texts
            .iter()
            .map(|(code, text)| format!("{code} = \"{text} ({language} {version})\"\n"));
        format!(
            "[[catalogues]]\nlanguage = \"{language}\"\nversion = \"{version}\"\neffective_from = \"{from}\"\n\
             [catalogues.texts]\n{}\n",
            lines.collect::<String>()
        )
    };
    let head: String = head
        .lines()
        .filter(|line| !line.starts_with("text = "))
        .fold(String::new(), |head, line| head + line + "\n");
    format!(
        "{head}\n{rules}\n[reference_population]{tail}\n{}{}{}",
        catalogue("en", "1", "2020-01-01"),
        catalogue("en", "2", "2026-11-01"),
        catalogue("es", "1", "2026-11-22"),
    )
}

pub(crate) fn inputs() -> Inputs {
    let number = |name: &str, value: f64| (name.to_owned(), FeatureInput::Number(value));
    BTreeMap::from([
        number("credit_limit", 2500.5),
        number("months_behind", 1.0),
        number("months_behind_before", 0.0),
        number("utilization", 0.75),
        (
            "public_record".to_owned(),
            FeatureInput::Category("collection".to_owned()),
        ),
        number("inquiries", 2.0),
        number("account_months", 30.0),
    ])
}

pub(crate) fn with(name: &str, value: FeatureInput) -> Inputs {
    let mut inputs = inputs();
    inputs.insert(name.to_owned(), value);
    inputs
}

pub(crate) fn context() -> DecisionContext {
    let decided_at = UnixMicros(1_795_385_965_000_001);
    DecisionContext {
        record_format: RECORD_FORMAT,
        application: Application::default(),
        decision_id: DecisionId::new(decided_at, &[7; 10]),
        application_id: "A-1 ü".parse().unwrap(),
        decided_at,
        salt: [0xab; 16],
        arm: "stable".to_owned(),
        cohort_basis_point: 1234,
        traffic_generation: 3,
    }
}

/// The output of a model that adds these contributions to a base margin.
pub(crate) fn output(base_margin: f64, contributions: &[f64]) -> ModelOutput {
    let margin = base_margin + contributions.iter().sum::<f64>();
    ModelOutput {
        margin,
        probability: Probability::try_from(1.0 / (1.0 + (-margin).exp())).unwrap(),
        base_margin,
        contributions: contributions.to_vec(),
    }
}

pub(crate) fn decide_with(
    inputs: &Inputs,
    output: &ModelOutput,
) -> Result<DecisionRecord, DecideError> {
    let manifest = manifest();
    let row = manifest.encode(inputs).unwrap();
    decide(&manifest, &row, output, &context())
}
