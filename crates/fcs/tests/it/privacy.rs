//! Protected attributes never pass the scoring side.

use serde_json::{Value, json};

use crate::system::{Store, System, json as parse, rows};

/// Words that only demographics hold, as whole words of the logs.
const DEMOGRAPHICS: [&str; 6] = [
    "race",
    "black",
    "white",
    "marital_status",
    "single",
    "not_single",
];

#[test]
fn nothing_on_the_scoring_side_holds_a_demographic() {
    let system = System::start(Store::Sqlite);
    parse(&system.demo("boston-hmda").wait_with_output().unwrap());
    for service in ["scoring-gateway", "model-server"] {
        let log = system.log(service);
        assert!(log.lines().count() > 10, "{service} logs at debug level");
        assert_clean(service, &log);
    }
    let page = ["decision", "list", "--limit", "1000", "-o", "json"];
    let decisions = system.fcs(&page).output().unwrap();
    let decisions = String::from_utf8(decisions.stdout).unwrap();
    assert!(decisions.contains("principal_reasons"));
    assert_clean(
        "a record",
        &keys(&serde_json::from_str(&decisions).unwrap()).join(" "),
    );
    let groups = rows("boston-hmda/data/demographics.csv.gz");
    assert!(
        groups.iter().any(|row| row[1] == "black"),
        "the words are those of the data"
    );
}

#[test]
fn a_request_that_carries_one_is_refused_by_name() {
    let system = System::start(Store::Sqlite);
    let applications = rows("boston-hmda/data/applications.csv.gz");
    let demo = parse(&system.demo("boston-hmda").wait_with_output().unwrap());
    let features = demo["examples"]["approved"]["features"].clone();
    for (name, value) in [
        ("race", json!("black")),
        ("applicantSex", json!("female")),
        ("age", json!(40)),
    ] {
        let mut spoiled = features.clone();
        spoiled[name] = value;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), spoiled.to_string()).unwrap();
        let path = file.path().to_str().unwrap();
        let id = format!("{}-again", applications[0][0]);
        let arguments = [
            "decision",
            "score",
            "--application-id",
            &id,
            "--features",
            path,
        ];
        let output = system.fcs(&arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(text.contains(&format!("/features/{name}")), "{text}");
        assert!(text.contains("protected"), "{text}");
    }
    assert_eq!(
        system.highest_index(),
        demo["highest_index"].as_u64().unwrap(),
        "nothing was decided"
    );
}

fn assert_clean(what: &str, text: &str) {
    for word in text.split(|char: char| !(char.is_alphanumeric() || char == '_')) {
        assert!(
            !DEMOGRAPHICS.contains(&word.to_lowercase().as_str()),
            "{what} holds {word:?}"
        );
    }
}

/// Every key of a document; values are free text of the lender.
fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| std::iter::once(key.clone()).chain(keys(value)))
            .collect(),
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn an_erasure_is_asked_for_by_command_and_listed() {
    let system = System::start(Store::Sqlite);
    parse(&system.demo("boston-hmda").wait_with_output().unwrap());
    let application = &rows("boston-hmda/data/applications.csv.gz")[1][0];
    let erase = [
        "erase",
        "--application",
        application,
        "--reason",
        "asked for by letter",
        "-o",
        "json",
    ];
    let asked = parse(&system.fcs(&erase).output().unwrap());
    assert_eq!(
        asked["state"], "scheduled",
        "on hold for 25 months: {asked}"
    );
    let listed = parse(
        &system
            .fcs(&["erase", "--list", "-o", "json"])
            .output()
            .unwrap(),
    );
    assert_eq!(listed, json!([asked]));
    let unknown = ["erase", "--application", "nobody", "--reason", "a test"];
    let unknown = system.fcs(&unknown).output().unwrap();
    assert_eq!(unknown.status.code(), Some(3), "not found");
}
