//! The embedded system and the commands that need no service.

use std::process::Stdio;
use std::time::{Duration, Instant};

use fcs_testkit::process::program;
use serde_json::Value;
use tempfile::TempDir;

use crate::system::{fcs, json};

#[test]
fn every_package_verifies() {
    let folder = TempDir::new().unwrap();
    let verified = json(
        &fcs(folder.path(), &["model", "verify", "-o", "json"])
            .output()
            .unwrap(),
    );
    let names: Vec<_> = verified
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["model"].clone())
        .collect();
    assert_eq!(
        names,
        ["boston-hmda-rules/1", "boston-hmda/1", "taiwan-default/1"]
    );
    assert!(
        verified
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["verified"] == true && it["kernel"].is_string())
    );
}

#[test]
fn a_package_is_shown_as_table_and_as_json() {
    let folder = TempDir::new().unwrap();
    let table = fcs(folder.path(), &["model", "inspect", "taiwan-default/1"])
        .output()
        .unwrap();
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(
        table.contains("limit_bal") && table.contains("knock-out"),
        "{table}"
    );
    let arguments = ["model", "inspect", "taiwan-default/1", "-o", "json"];
    let document = json(&fcs(folder.path(), &arguments).output().unwrap());
    assert_eq!(document["model"]["name"], "taiwan-default");
}

#[test]
fn exit_codes_are_the_documented_ones() {
    let folder = TempDir::new().unwrap();
    let code = |arguments: &[&str]| {
        fcs(folder.path(), arguments)
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!(code(&["decision", "nonsense"]), Some(2));
    assert_eq!(code(&["model", "inspect", "taiwan-default/999"]), Some(3));
    assert_eq!(code(&["demo", "--model", "unheard-of"]), Some(3));
    assert_eq!(
        code(&["decision", "list", "--gateway", "http://127.0.0.1:9"]),
        Some(1)
    );
    assert_eq!(
        code(&["load", "--requests", "3", "--gateway", "http://127.0.0.1:9"]),
        Some(7)
    );
    assert_eq!(code(&["config", "check"]), Some(0));
    assert_eq!(
        code(&["doctor", "--gateway", "http://127.0.0.1:9"]),
        Some(7)
    );
}

#[test]
fn up_starts_quickly_serves_the_other_commands_and_ends_on_sigterm() {
    let folder = TempDir::new().unwrap();
    let mut up = std::process::Command::new(program("fcs"));
    up.current_dir(crate::system::root())
        .env("FCS_DATA_DIR", folder.path());
    up.args(["up", "--ports", "free"]).stderr(Stdio::null());
    let mut up = up.spawn().unwrap();
    let start = Instant::now();
    let listed = loop {
        let listed = fcs(folder.path(), &["deployment", "list", "-o", "json"])
            .output()
            .unwrap();
        if folder.path().join("endpoints.json").exists() && listed.status.success() {
            break json(&listed);
        }
        assert!(start.elapsed() < Duration::from_secs(30), "not up");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(listed, Value::Array(vec![]));
    deploy_by_hand(&folder);
    std::process::Command::new("kill")
        .arg(up.id().to_string())
        .status()
        .unwrap();
    assert!(up.wait().unwrap().success());
    assert!(
        !folder.path().join("endpoints.json").exists(),
        "the note is gone with the system"
    );
}

/// Four eyes, activation and rollback through the command line.
fn deploy_by_hand(folder: &TempDir) {
    let run = |arguments: &[&str]| {
        fcs(folder.path(), arguments)
            .arg("-o")
            .arg("json")
            .output()
            .unwrap()
    };
    let register = [
        "deployment",
        "register",
        "boston-hmda/1",
        "--as",
        "rita",
        "--author",
        "ana",
    ];
    let what = ["--commit", "0123abc", "--description", "try it"];
    let deployment = json(&run(&[&register[..], &what].concat()));
    let id = deployment["deployment_id"].as_str().unwrap();
    for self_approver in ["rita", "Ana"] {
        let refused = run(&["deployment", "approve", id, "--as", self_approver]);
        assert!(
            !refused.status.success(),
            "{self_approver} must not approve"
        );
    }
    json(&run(&["deployment", "approve", id, "--as", "paul"]));
    assert_eq!(
        json(&run(&["deployment", "activate", id, "--as", "olga"]))["state"],
        "active"
    );
    let rollback = [
        "deployment",
        "rollback",
        id,
        "--as",
        "olga",
        "--reason",
        "a drill",
    ];
    assert_eq!(json(&run(&rollback))["state"], "rolled_back");
    let decision = run(&[
        "decision",
        "score",
        "--application-id",
        "A-1",
        "--feature",
        "dir=0.3",
    ]);
    assert_eq!(
        decision.status.code(),
        Some(5),
        "no model takes traffic after the rollback"
    );
}
