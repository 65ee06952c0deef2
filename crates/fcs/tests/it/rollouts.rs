//! `fcs deployment simulate`, which needs no service.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::system::{fcs, json as document};

fn simulate(folder: &TempDir, arguments: &[&str]) -> Output {
    let arguments = [&["deployment", "simulate"], arguments].concat();
    fcs(folder.path(), &arguments).output().unwrap()
}

fn verdict(arguments: &[&str]) -> Value {
    let folder = TempDir::new().unwrap();
    document(&simulate(&folder, &[arguments, &["-o", "json"]].concat()))
}

fn fails(folder: &TempDir, arguments: &[&str]) -> (Option<i32>, String) {
    let output = simulate(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), text)
}

/// A plan that compares with nothing tolerated, as the printed values do.
const STRICT: &str = "alpha = 0.05\ntolerated = 1.0\n";

#[test]
fn counts_give_the_printed_evidence() {
    let folder = TempDir::new().unwrap();
    let plan = folder.path().join("plan.toml");
    fs::write(&plan, STRICT).unwrap();
    let counts = folder.path().join("counts.json");
    let cell = |weight: u64, bad: u64, stable_bad: u64| {
        json!({
            "weight_basis_points": weight,
            "candidate": {"requests": weight, "bad": bad},
            "stable": {"requests": 10_000 - weight, "bad": stable_bad},
        })
    };
    fs::write(
        &counts,
        json!([cell(500, 6, 34), cell(2_500, 30, 30)]).to_string(),
    )
    .unwrap();
    let arguments = [
        "--counts",
        counts.to_str().unwrap(),
        "--plan",
        plan.to_str().unwrap(),
        "-o",
        "json",
    ];
    let judged = document(&simulate(&folder, &arguments));
    assert_eq!(judged["verdict"], "breach");
    assert_eq!(judged["grounds"], "ratio");
    assert_eq!(judged["weight_basis_points"], 2_500);
    let near = |value: &Value, expected: f64| {
        let value = value.as_f64().unwrap();
        assert!((value / expected - 1.0).abs() < 1e-9, "{value} {expected}");
    };
    near(&judged["worse"]["e"], 14_304.432_720_166_4);
    near(&judged["worse"]["bar"], 20.0);
    near(&judged["ratio"]["upper"], 6.532_697_849_262_02);
}

#[test]
fn every_verdict_is_told_with_what_it_rests_on() {
    let clear = verdict(&["--at", "5:2/5000:38/95000"]);
    assert_eq!(clear["verdict"], "clear");
    let early = verdict(&["--at", "5:0/100:2/1900"]);
    assert_eq!(early["verdict"], "insufficient");
    assert!(early["needed"]["good_requests_to_clear"].as_u64().unwrap() > 1_000);
    assert!(early["needed"]["bad_requests_to_breach"].as_u64().unwrap() >= 3);
    assert_eq!(early["ratio"]["estimate"], 0.0);
    let unseen = verdict(&["--at", "5:2/5000:38/95000", "--weight", "25"]);
    assert_eq!(unseen["verdict"], "no_data");
    assert_eq!(unseen["reason"], "missing");
    let leaking = verdict(&["--at", "5:2/9000:38/95000"]);
    assert_eq!(leaking["reason"], "sample_ratio_mismatch");
    let whole = verdict(&["--at", "5:2/5000:38/95000", "--at", "100:300/3000"]);
    assert_eq!(
        (&whole["verdict"], &whole["grounds"]),
        (&json!("breach"), &json!("rate"))
    );
}

#[test]
fn the_table_says_what_is_needed() {
    let folder = TempDir::new().unwrap();
    let output = simulate(&folder, &["--at", "5:0/100:2/1900"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for part in [
        "insufficient at 5 %",
        "more requests of the candidate",
        "breach after",
        "stable",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn pipelines_end_with_7_unless_the_candidate_is_clear() {
    let folder = TempDir::new().unwrap();
    let code = |at: &str| fails(&folder, &["--fail-unless-clear", "--at", at]);
    assert_eq!(code("5:2/5000:38/95000").0, Some(0));
    let (early, text) = code("5:0/100:2/1900");
    assert_eq!(early, Some(7));
    assert!(text.contains("insufficient"), "{text}");
}

#[test]
fn mistakes_are_explained() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let bad_counts = path("counts.json", r#"[{"weight_basis_points": 0}]"#);
    let bad_plan = path("plan.toml", "alpha = 2\n");
    let falling = path("falling.json", r#"{"steps": []}"#);
    for (arguments, code, part) in [
        (&[][..], 2, "--counts"),
        (&["--at", "5:7/6:1/2"], 2, "7 of 6 requests"),
        (&["--at", "5:1/20"], 2, "stable arm"),
        (&["--counts", "nowhere.json"], 3, "nowhere.json"),
        (&["--counts", &bad_counts], 2, "basis points"),
        (&["--plan", &bad_plan], 2, "alpha"),
        (&["--plan", &falling], 2, "1 to 20 steps"),
        (&["--plan", "--times", "2000"], 2, "no share"),
        (&["--plan", "--requests-per-second", "0"], 2, "above 0"),
        (&["--plan", "--outage", "1h"], 2, "FROM:FOR:SHARE"),
    ] {
        let (found, text) = fails(&folder, arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {text}");
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
}

#[test]
fn a_plan_is_played_the_same_way_every_time() {
    let folder = TempDir::new().unwrap();
    let arguments = [
        "--plan",
        "--times",
        "1,20",
        "--rollouts",
        "200",
        "--seed",
        "3",
        "-o",
        "json",
    ];
    let first = document(&simulate(&folder, &arguments));
    assert_eq!(document(&simulate(&folder, &arguments)), first);
    let [healthy, broken] = &first["candidates"].as_array().unwrap()[..] else {
        panic!("two candidates: {first}");
    };
    assert!(healthy["tests"]["stopped"].as_f64().unwrap() < 0.05);
    assert_eq!(broken["tests"]["stopped"], 1.0);
    assert!(broken["tests"]["median_stop_s"].as_u64().unwrap() < 600);
    assert_eq!(broken["threshold"]["stopped"], 0.0);
    let text = simulate(&folder, &arguments[..7]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("5 %, 25 %, 50 %, 100 % in 120 min"), "{text}");
}
