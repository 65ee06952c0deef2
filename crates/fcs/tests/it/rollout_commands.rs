//! `fcs rollout` on a whole system. No Prometheus answers, so nothing is ever promoted.

use std::fs;

use serde_json::Value;

use crate::system::{Store, System, json};

const PLAN: &str = r#"
[analysis]
requests = 'sum(increase(fcs_decisions_total{model="{model}"}[{window}]))'
bad = 'sum(increase(fcs_bad_total{model="{model}"}[{window}])) or vector(0)'
[analysis.criteria]
assignment_alpha = 0.0001
[analysis.criteria.ratio]
alpha = 0.009
tolerated = 1.25
certified = 2.0
bad_requests_min = 5
[analysis.criteria.rate]
alpha = 0.001
tolerated = 0.05
certified = 0.05
"#;

const PROPOSAL: [&str; 12] = [
    "propose",
    "boston-hmda-rules/1",
    "--as",
    "rita",
    "--author",
    "ana",
    "--committer",
    "cleo",
    "--commit",
    "0123abc",
    "--description",
    "rules beside the model",
];

#[test]
fn a_rollout_is_proposed_approved_followed_and_taken_back() {
    let system = System::start(Store::Sqlite);
    system.activate("boston-hmda/1");
    let plan = system.folder().join("plan.toml");
    fs::write(&plan, PLAN).unwrap();
    let rollout = |arguments: &[&str]| {
        let arguments = [&["rollout"], arguments, &["-o", "json"]].concat();
        system.fcs(&arguments).output().unwrap()
    };
    let proposed = json(&rollout(
        &[&PROPOSAL, &["--plan", plan.to_str().unwrap()][..]].concat(),
    ));
    let id = proposed["rollout_id"].as_str().unwrap();
    assert_eq!(proposed["plan"]["committers"][0], "cleo");

    for maker in ["rita", "ana", "cleo"] {
        let refused = rollout(&["approve", id, "--as", maker]);
        assert_eq!(refused.status.code(), Some(4), "{maker}: {refused:?}");
    }
    let early = rollout(&["approve", id, "--as", "paul"]);
    assert_eq!(
        early.status.code(),
        Some(5),
        "development needs nobody: {early:?}"
    );
    json(&rollout(&["start", id, "--as", "olga"]));
    let waiting = rollout(&["watch", id, "--timeout", "5s"]);
    assert_eq!(waiting.status.code(), Some(8), "{waiting:?}");
    let kinds = String::from_utf8(waiting.stdout).unwrap();
    assert!(kinds.lines().count() > 3, "{kinds}");

    let shares = |system: &System| -> Vec<(String, u64)> {
        let table = json(
            &system
                .fcs(&["traffic", "show", "-o", "json"])
                .output()
                .unwrap(),
        );
        let arms = table["arms"].as_array().unwrap().iter();
        let share = |arm: &Value| arm["weight_basis_points"].as_u64().unwrap();
        arms.map(|arm| (arm["model"].as_str().unwrap().to_owned(), share(arm)))
            .collect()
    };
    assert!(
        shares(&system).contains(&("boston-hmda-rules/1".to_owned(), 500)),
        "{:?}",
        shares(&system)
    );

    json(&rollout(&[
        "rollback",
        id,
        "--as",
        "olga",
        "--reason",
        "seen enough",
    ]));
    let over = rollout(&["watch", id, "--timeout", "60s"]);
    assert_eq!(over.status.code(), Some(7), "{over:?}");
    let with_traffic: Vec<_> = shares(&system)
        .into_iter()
        .filter(|(_, share)| *share > 0)
        .collect();
    assert_eq!(with_traffic, [("boston-hmda/1".to_owned(), 10_000)]);
    assert_eq!(json(&rollout(&["list"]))[0]["phase"], "rolled_back");
    let unknown = rollout(&["get", "rol_00000000-0000-7000-8000-000000000000"]);
    assert_eq!(unknown.status.code(), Some(3));
}
