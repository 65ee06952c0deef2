//! `fcs rollout` on a whole system. No Prometheus answers, so nothing is ever promoted.

use serde_json::Value;

use crate::system::{Store, System, json, root};

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

/// The plan of the guide is a plan, and its numbers are those that hold without one.
fn the_guide_tells_the_usual_plan(system: &System, usual: &Value) {
    let guide = std::fs::read_to_string(root().join("docs/guides/canaries.md")).unwrap();
    let (_, rest) = guide.split_once("```toml\n").unwrap();
    let (plan, _) = rest.split_once("```").unwrap();
    let file = system.folder().join("plan.toml");
    std::fs::write(&file, plan).unwrap();
    let plan = ["--plan", file.to_str().unwrap(), "-o", "json"];
    let arguments = [&["rollout"], &PROPOSAL[..], &plan].concat();
    let told = json(&system.fcs(&arguments).output().unwrap());
    for pointer in [
        "/strategy",
        "/limits",
        "/analysis/look_micros",
        "/analysis/fresh_micros",
        "/analysis/bias_alarms",
        "/analysis/requests",
        "/analysis/metrics/0",
        "/analysis/slower_anywhere",
        "/analysis/guards/0",
    ] {
        let told = told["plan"].pointer(pointer).unwrap();
        assert_eq!(Some(told), usual.pointer(pointer), "{pointer}");
    }
}

#[test]
fn a_rollout_is_proposed_approved_followed_and_taken_back() {
    let system = System::start(Store::Sqlite);
    system.activate("boston-hmda/1");
    let rollout = |arguments: &[&str]| {
        let arguments = [&["rollout"], arguments, &["-o", "json"]].concat();
        system.fcs(&arguments).output().unwrap()
    };
    let proposed = json(&rollout(&PROPOSAL));
    let id = proposed["rollout_id"].as_str().unwrap();
    assert_eq!(proposed["plan"]["committers"][0], "cleo");
    let guards = proposed["plan"]["analysis"]["guards"].as_array().unwrap();
    let names: Vec<_> = guards.iter().map(|guard| &guard["name"]).collect();
    assert_eq!(
        names,
        ["error_rate", "slow_share", "memory", "drift"],
        "a plan that names nothing has the triggers of the deployment strategy"
    );

    the_guide_tells_the_usual_plan(&system, &proposed["plan"]);

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
    let listed = json(&rollout(&["list"]));
    let mut listed = listed.as_array().unwrap().iter();
    let row = listed.find(|it| it["rollout_id"] == id).unwrap();
    assert_eq!(row["phase"], "rolled_back");
    let unknown = rollout(&["get", "rol_00000000-0000-7000-8000-000000000000"]);
    assert_eq!(unknown.status.code(), Some(3));
}
