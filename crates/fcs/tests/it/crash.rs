//! The gateway dies in the middle of the replay; the client retries with the same keys.

use std::collections::{BTreeMap, HashMap};
use std::process::Child;
use std::time::{Duration, Instant};

use fcs_testkit::{postgres, redis_url};
use serde_json::Value;

use crate::demo::check;
use crate::system::{Store, System, json, rows};

const APPLICATIONS: u64 = 2_380;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_loses_and_doubles_nothing_on_postgresql() {
    let database = postgres::database().await;
    kill_in_the_middle(Store::Postgres {
        database: database.url.clone(),
        redis: redis_url(),
    });
}

#[test]
fn a_killed_gateway_loses_and_doubles_nothing_on_sqlite() {
    kill_in_the_middle(Store::Sqlite);
}

fn kill_in_the_middle(store: Store) {
    let mut system = System::start(store);
    let mut demo = system.demo("boston-hmda");
    for threshold in [APPLICATIONS / 4, APPLICATIONS / 2] {
        demo = wait_for_index(&system, demo, threshold);
        system.kill("scoring-gateway");
        system.start_one("scoring-gateway");
    }
    let summary = json(&demo.wait_with_output().unwrap());
    check(&summary, APPLICATIONS);

    let outcomes = decided(&system);
    assert_eq!(
        outcomes.len() as u64,
        APPLICATIONS,
        "one decision for each application"
    );
    let expected = counts_by_race(&outcomes);
    assert_eq!(
        monitored(&summary, "race"),
        expected,
        "the monitor's counters are the table's"
    );
}

/// Waits until the replay has come so far; it must still be going on then.
fn wait_for_index(system: &System, mut demo: Child, threshold: u64) -> Child {
    let start = Instant::now();
    loop {
        let index = system.highest_index();
        if demo.try_wait().unwrap().is_some() {
            let output = demo.wait_with_output().unwrap();
            panic!(
                "the replay ended early: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        if index >= threshold {
            assert!(index < APPLICATIONS, "the replay was over before the kill");
            return demo;
        }
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "the replay does not get on"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Application id to outcome, from the decision table; an application that was decided twice fails.
fn decided(system: &System) -> HashMap<String, String> {
    let mut outcomes = HashMap::new();
    let mut after = 0;
    while after < APPLICATIONS {
        let start = after.to_string();
        let arguments = [
            "decision", "list", "--after", &start, "--limit", "1000", "-o", "json",
        ];
        let page = json(&system.fcs(&arguments).output().unwrap());
        for decision in page["decisions"].as_array().unwrap() {
            after += 1;
            assert_eq!(decision["log_index"], after, "the log has no gap");
            let text = |key: &str| decision[key].as_str().unwrap().to_owned();
            let twice = outcomes.insert(text("application_id"), text("outcome"));
            assert!(
                twice.is_none(),
                "{} was decided twice",
                text("application_id")
            );
        }
    }
    outcomes
}

type Counts = BTreeMap<String, [u64; 3]>;

fn counts_by_race(outcomes: &HashMap<String, String>) -> Counts {
    let mut counts = Counts::new();
    for row in rows("boston-hmda/data/demographics.csv.gz") {
        let outcome = ["approve", "refer", "deny"]
            .iter()
            .position(|outcome| *outcome == outcomes[&row[0]])
            .expect("a known outcome");
        counts.entry(row[1].clone()).or_default()[outcome] += 1;
    }
    counts
}

fn monitored(summary: &Value, attribute: &str) -> Counts {
    let fairness = summary["fairness"].as_array().unwrap();
    let found = fairness
        .iter()
        .find(|it| it["attribute"] == attribute)
        .unwrap();
    let counts = |group: &Value| {
        let keys = ["approved", "referred", "denied"];
        (
            group["group"].as_str().unwrap().to_owned(),
            keys.map(|key| group[key].as_u64().unwrap()),
        )
    };
    found["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(counts)
        .collect()
}
