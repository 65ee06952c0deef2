//! The decision API as its clients use it: the README's walk-through, schemathesis, a program in Python.

use std::fs;
use std::process::{Command, Output};

use fcs_testkit::process::program;
use serde_json::Value;

use crate::system::root;
use crate::up::Up;

fn told(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The fenced block of the README that follows a heading.
fn block(heading: &str) -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split_once(&format!("## {heading}\n")).unwrap().1;
    let block = section.split_once("```sh\n").unwrap().1;
    block.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_walk_through_of_the_readme_works() {
    let up = Up::start("boston-hmda/1");
    let script = block("Over HTTP").replace("localhost:8000", &up.gateway);
    assert!(script.contains(&up.gateway), "{script}");
    let folder = up.folder.path().join("walk-through");
    fs::create_dir(&folder).unwrap();
    let programs = program("fcs").parent().unwrap().to_owned();
    let path = std::env::join_paths(
        std::iter::once(programs).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let output = Command::new("bash")
        .args(["-euxo", "pipefail", "-c", &script])
        .current_dir(&folder)
        .env("PATH", path.unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let answers = String::from_utf8(output.stdout).unwrap();
    for word in [
        "\"outcome\":\"deny\"",
        "\"reference_population\"",
        "\"highest_index\":1",
        "\"identical\":true",
        "\"review_id\"",
    ] {
        assert!(answers.contains(word), "{word} is not in {answers}");
    }
    let notice = fs::read(folder.join("notice.pdf")).unwrap();
    assert!(notice.starts_with(b"%PDF-"));
}

#[test]
fn schemathesis_finds_nothing() {
    let up = Up::start("boston-hmda/1");
    let output = Command::new(fcs_testkit::schemathesis())
        .current_dir(up.folder.path())
        .arg("run")
        .arg(format!("http://{}/v1/openapi.json", up.gateway))
        // Which features a model takes is told by its package, not by the document, so a request that is right by the
        // document alone may be refused.
        .args([
            "--checks",
            "all",
            "--exclude-checks",
            "positive_data_acceptance",
        ])
        .args([
            "--max-time",
            "40",
            "--workers",
            "2",
            "--request-timeout",
            "10",
        ])
        .args(["--generation-database", "none", "--continue-on-failure"])
        .args(["--seed", "1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
fn a_program_in_python_scores_and_explains() {
    let up = Up::start("boston-hmda/1");
    let score = |features: &[&str]| {
        Command::new(fcs_testkit::grpc_python())
            .arg(root().join("examples/python/score.py"))
            .args(["--target", &up.gateway, "--application-id", "A-1"])
            .args(features.iter().flat_map(|feature| ["--feature", feature]))
            .output()
            .unwrap()
    };
    let features = [
        "dir=0.3",
        "hir=0.25",
        "lvr=0.8",
        "ccs=no_slow_payments",
        "mcs=no_late_payments",
        "pbcr=no",
        "dmi=yes",
        "self=no",
        "uria=3.1",
        "condominium=no",
    ];
    let output = score(&features);
    assert!(output.status.success(), "{}", told(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["outcome"], "deny");
    assert_eq!(answer["same_answer_again"], true);
    assert_eq!(answer["principal_reasons"].as_array().unwrap().len(), 1);
    let refused = score(&["dir=0.3", "sex=female"]);
    assert!(!refused.status.success());
    assert!(
        told(&refused).contains("INVALID_ARGUMENT"),
        "{}",
        told(&refused)
    );
}
