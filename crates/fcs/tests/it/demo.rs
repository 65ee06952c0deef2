//! The demo of the embedded system keeps every promise of its summary.

use std::collections::BTreeMap;

use serde_json::Value;
use tempfile::TempDir;

use crate::system::{alone, fcs, json, rows};

fn demo(folder: &TempDir, model: &str) -> Value {
    let arguments = [
        "demo", "--exit", "--ports", "free", "--model", model, "-o", "json",
    ];
    json(&fcs(folder.path(), &arguments).output().unwrap())
}

/// What every demo must show.
pub(crate) fn check(summary: &Value, applications: u64) {
    let count = |path: &str| summary.pointer(path).and_then(Value::as_u64).unwrap();
    assert_eq!(count("/decisions"), applications);
    assert_eq!(count("/highest_index"), applications);
    let outcomes = ["/outcomes/approve", "/outcomes/refer", "/outcomes/deny"].map(count);
    assert_eq!(outcomes.iter().sum::<u64>(), applications);
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
    assert_eq!(count("/denials_with_reasons"), count("/outcomes/deny"));
    assert_eq!(
        count("/approvals_without_reasons"),
        count("/outcomes/approve")
    );
    assert_eq!(
        (count("/answers"), count("/lost_answers")),
        (applications, 0)
    );
    assert_eq!((count("/replayed"), count("/replay_mismatches")), (50, 0));
    assert_eq!(count("/audit/last_decision_index"), applications);
    assert_eq!(count("/audit/decisions_proved"), 50);
    assert_eq!(summary["audit"]["checkpoint_verified"], true);
    for attribute in summary["fairness"].as_array().unwrap() {
        let groups = attribute["groups"].as_array().unwrap();
        let known: u64 = groups
            .iter()
            .map(|group| group["decisions"].as_u64().unwrap())
            .sum();
        assert_eq!(known + attribute["unknown"].as_u64().unwrap(), applications);
    }
}

/// Every group number equals what fairlearn and statsmodels make of the same decisions.
fn check_against_fairlearn(summary: &Value, golden: &str) {
    let golden: Value = serde_json::from_str(golden).unwrap();
    let attributes = summary["fairness"].as_array().unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(attributes.len(), cases.len());
    for attribute in attributes {
        let case = cases
            .iter()
            .find(|case| case["name"] == attribute["attribute"])
            .unwrap();
        assert_eq!(attribute["reference_group"], case["reference"]);
        for group in attribute["groups"].as_array().unwrap() {
            check_group(group, case);
        }
    }
}

fn check_group(group: &Value, case: &Value) {
    let name = group["group"].as_str().unwrap();
    let counters = &case["counters"][name];
    for (ours, theirs) in [
        ("approved", "approved"),
        ("referred", "referred"),
        ("denied", "denied"),
    ] {
        assert_eq!(group[ours], counters[theirs], "{name}: {ours}");
    }
    assert_eq!(
        group["approved_defaulted"], counters["approved_defaulted"],
        "{name}"
    );
    let fairlearn = &case["fairlearn"];
    assert_eq!(group["decisions"], fairlearn["count"][name]);
    assert_close(
        &group["approval_rate"]["value"],
        &fairlearn["selection_rate"][name],
    );
    if case["reference"] != name {
        let ratio = &group["adverse_impact_ratio"]["value"];
        assert_close(ratio, &fairlearn["ratio_to_reference"][name]);
    }
    for (metric, expected) in case["intervals"][0]["groups"][name].as_object().unwrap() {
        for (index, bound) in ["value", "lower", "upper"].iter().enumerate() {
            assert_close(&group[metric][bound], &expected[index]);
        }
    }
}

fn assert_close(ours: &Value, theirs: &Value) {
    let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
    assert!((ours - theirs).abs() <= 1e-9, "{ours} instead of {theirs}");
}

/// Group counts from the demographics file, to set beside the monitor's.
pub(crate) fn group_sizes(model: &str, column: usize) -> BTreeMap<String, u64> {
    let mut sizes = BTreeMap::new();
    for row in rows(&format!("{model}/data/demographics.csv.gz")) {
        *sizes.entry(row[column].clone()).or_default() += 1;
    }
    sizes
}

#[test]
fn ten_thousand_card_holders() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    let summary = demo(&folder, "taiwan-default");
    check(&summary, 10_000);
    check_against_fairlearn(&summary, include_str!("../golden/taiwan-default.json"));
    let sex = summary["fairness"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["attribute"] == "sex");
    let sizes: BTreeMap<String, u64> = sex.unwrap()["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            (
                group["group"].as_str().unwrap().into(),
                group["decisions"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(sizes, group_sizes("taiwan-default", 1));
    let approved = summary["outcomes"]["approve"].as_u64();
    assert_eq!(
        summary["calibration"]["labelled"].as_u64(),
        approved,
        "each approved one has its outcome"
    );

    // The same again, in the same folder: the idempotency keys return what was decided.
    let again = demo(&folder, "taiwan-default");
    check(&again, 10_000);
    assert_eq!(again["outcomes"], summary["outcomes"]);
    assert_eq!(again["fairness"], summary["fairness"]);
}

#[test]
fn mortgage_applicants() {
    let _alone = alone();
    let folder = TempDir::new().unwrap();
    let summary = demo(&folder, "boston-hmda");
    check(&summary, 2_380);
    check_against_fairlearn(&summary, include_str!("../golden/boston-hmda.json"));
    assert_eq!(
        summary["calibration"]["labelled"], 0,
        "the data holds no repayment outcome"
    );
    let attributes: Vec<_> = summary["fairness"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["attribute"].clone())
        .collect();
    assert!(attributes.contains(&Value::from("race")), "{attributes:?}");
}
