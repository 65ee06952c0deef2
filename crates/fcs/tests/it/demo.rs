//! The demo of the embedded system keeps every promise of its summary.

use std::collections::BTreeMap;

use serde_json::Value;
use tempfile::TempDir;

use crate::system::{fcs, json, rows};

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
    let folder = TempDir::new().unwrap();
    let summary = demo(&folder, "taiwan-default");
    check(&summary, 10_000);
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
    let folder = TempDir::new().unwrap();
    let summary = demo(&folder, "boston-hmda");
    check(&summary, 2_380);
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
