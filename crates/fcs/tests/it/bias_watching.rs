//! Verdicts, alerts and the policy, from the command line.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::system::{Store, System, fcs, json};

/// In the Boston sample black applicants are approved about four fifths as often as white ones.
const POLICY: &str = r#"
format = 1
name = "test"
version = 1
jurisdiction = "US-MA"
effective_from = "2026-01-01"
rationale = "A floor that the sample is far below."

[evidence]
air_floor = 0.97

[[attributes]]
name = "race"
reference = "white"
"#;
const MODEL: &str = "boston-hmda/1";
const LIMIT: Duration = Duration::from_mins(1);

#[test]
fn a_breach_is_explained_acknowledged_and_muted() {
    let folder = TempDir::new().unwrap();
    let policy = folder.path().join("policy.toml");
    std::fs::write(&policy, POLICY).unwrap();
    let system = System::start_configured(Store::Sqlite, move |name, command| {
        if name == "bias-monitor" {
            command.env("FCS__BIAS_MONITOR__POLICY_FILE", &policy);
        }
    });
    json(&system.demo("boston-hmda").wait_with_output().unwrap());
    drift_is_shown_and_counters_are_right(&system);
    sheets_are_signed(&system, folder.path());
    let verdict = breach(&system);
    assert_eq!(verdict["model"], MODEL);
    assert_eq!(verdict["alert"], "firing");

    let gate = system
        .fcs(&["bias", "verdicts", "--fail-on-breach"])
        .output()
        .unwrap();
    assert_eq!(gate.status.code(), Some(7));
    let table = String::from_utf8(gate.stdout).unwrap();
    assert!(
        table.contains("black") && table.contains("breach"),
        "{table}"
    );

    people_act(&system);

    let explained = system
        .fcs(&["bias", "explain", MODEL, "race", "black"])
        .output()
        .unwrap();
    let text = String::from_utf8(explained.stdout).unwrap();
    assert!(
        text.contains("shown to be below the floor") && text.contains("looking at it"),
        "{text}"
    );

    let watch = ["bias", "watch", "--no-follow", "--after", "1", "-o", "json"];
    let lines = String::from_utf8(system.fcs(&watch).output().unwrap().stdout).unwrap();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["sequence"], &first["change"]),
        (&2.into(), &"acknowledged".into())
    );

    let shown = json(
        &system
            .fcs(&["bias", "policy", "show", "-o", "json"])
            .output()
            .unwrap(),
    );
    assert_eq!(shown["digest"], verdict["policy_digest"]);
    let unknown = system
        .fcs(&["bias", "explain", MODEL, "race", "purple"])
        .output()
        .unwrap();
    assert_eq!(unknown.status.code(), Some(3));
}

/// What people do is in the history of the alert.
fn people_act(system: &System) {
    let of = |arguments: &[&str]| {
        let group = [MODEL, "race", "black", "-o", "json"];
        json(
            &system
                .fcs(&[&["bias"], arguments, &group].concat())
                .output()
                .unwrap(),
        )
    };
    let acknowledged = of(&["acknowledge", "--note", "looking at it"]);
    assert_ne!(acknowledged["verdict"]["acknowledged_by"], "");
    let muted = of(&["mute", "--reason", "known", "--for", "90m"]);
    assert_ne!(muted["verdict"]["muted_until"], "");
    let unmuted = of(&["unmute"]);
    assert_eq!(unmuted["verdict"]["muted_until"], "");
    let history: Vec<_> = unmuted["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["change"])
        .collect();
    assert_eq!(history, ["raised", "acknowledged", "muted", "unmuted"]);
}

/// Waits until the evidence has spoken.
fn breach(system: &System) -> Value {
    let start = Instant::now();
    loop {
        let listed = json(
            &system
                .fcs(&["bias", "verdicts", "-o", "json"])
                .output()
                .unwrap(),
        );
        let verdicts = listed["verdicts"].as_array().unwrap();
        if let Some(found) = verdicts.iter().find(|it| it["verdict"] == "breach") {
            return found.clone();
        }
        assert!(start.elapsed() < LIMIT, "{listed}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_policy_is_checked_without_a_service() {
    let folder = TempDir::new().unwrap();
    let check = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        fcs(
            folder.path(),
            &["bias", "policy", "check", file, "-o", "json"],
        )
        .output()
        .unwrap()
    };
    let good = json(&check("good.toml", POLICY));
    assert_eq!(good["policy"]["evidence"]["air_floor"], 0.97);
    let document = good["policy"].to_string();
    let same = json(&check("same.json", &document));
    assert_eq!(same["digest"], good["digest"], "a digest is of the meaning");

    for (spoiled, named) in [
        (POLICY.replace("0.97", "1.7"), "air_floor"),
        (
            POLICY.replace("jurisdiction", "jurisdictoin"),
            "jurisdictoin",
        ),
        (
            POLICY.replace("[[attributes]]", "[[attribute]]"),
            "attribute",
        ),
    ] {
        let refused = check("bad.toml", &spoiled);
        assert_eq!(refused.status.code(), Some(7));
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(text.contains(named), "{text}");
    }
}

/// The demo's applications come from where the model's training rows do, so nothing of them has drifted far.
fn drift_is_shown_and_counters_are_right(system: &System) {
    let started = Instant::now();
    let drift = loop {
        let arguments = ["bias", "drift", MODEL, "--all", "-o", "json"];
        let output = system.fcs(&arguments).output().unwrap();
        if output.status.success() {
            break json(&output);
        }
        assert_eq!(output.status.code(), Some(3), "no profile yet");
        assert!(started.elapsed() < LIMIT, "{output:?}");
    };
    let lines = drift["lines"].as_array().unwrap();
    let all = |line: &&Value| line["attribute"] == "" && line["against"] == "reference";
    let features: Vec<&Value> = lines.iter().filter(all).collect();
    assert!(features.len() >= 8, "{features:?}");
    for line in &features {
        assert_ne!(line["level"], "act", "{line}");
        assert!(line["decisions"].as_u64().unwrap() > 100, "{line}");
    }
    let text = system.fcs(&["bias", "drift", MODEL]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("--all lists them"), "{text}");
    let recount = ["bias", "rebuild", "-o", "json"];
    let recount = json(&system.fcs(&recount).output().unwrap());
    assert_eq!(recount["different"], 0, "{recount}");
    assert!(recount["decisions"].as_u64().unwrap() > 100, "{recount}");
    let unknown = system.fcs(&["bias", "drift", "nobody/1"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(3));
}

fn sheets_are_signed(system: &System, folder: &Path) {
    for name in ["sheet.json", "sheet.csv", "sheet.html"] {
        let file = folder.join(name);
        let path = file.to_str().unwrap();
        let arguments = [
            "bias",
            "sheet",
            "--model",
            MODEL,
            "--reference",
            "race=white",
            "--to",
            path,
        ];
        let written = system
            .fcs(&arguments)
            .args(["-o", "json"])
            .output()
            .unwrap();
        let key = json(&written)["verifier_key"].as_str().unwrap().to_owned();
        let verify = || {
            fcs(folder, &["bias", "verify", path, "--key", &key])
                .output()
                .unwrap()
        };
        let verified = verify();
        assert!(verified.status.success(), "{verified:?}");

        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("race") && text.contains("white"), "{text}");
        std::fs::write(&file, text.replacen("white", "White", 1)).unwrap();
        assert_eq!(verify().status.code(), Some(7), "{name} was changed");
    }
    let html = std::fs::read_to_string(folder.join("sheet.html")).unwrap();
    assert!(html.contains("<svg") && !html.contains("<script"), "{html}");
    let other = fcs(folder, &["bias", "sheet", "--to", "sheet.pdf"])
        .output()
        .unwrap();
    assert_eq!(other.status.code(), Some(2));
}
