//! The same way through four separate processes on PostgreSQL and Redis.

use fcs_testkit::{postgres, redis_url};

use crate::demo::check;
use crate::system::{Store, System, json};

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_on_postgresql_and_redis() {
    let database = postgres::database().await;
    let store = Store::Postgres {
        database: database.url.clone(),
        redis: redis_url(),
    };
    let system = System::start(store);
    let summary = json(&system.demo("boston-hmda").wait_with_output().unwrap());
    check(&summary, 2_380);

    let listed = json(
        &system
            .fcs(&["deployment", "list", "-o", "json"])
            .output()
            .unwrap(),
    );
    let deployment = &listed[0];
    assert_eq!(deployment["state"], "active");
    let kinds: Vec<_> = deployment["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["kind"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "registered",
            "approved",
            "activation_requested",
            "activated"
        ]
    );

    let verified = json(
        &system
            .fcs(&["audit", "verify", "-o", "json"])
            .output()
            .unwrap(),
    );
    assert_eq!(verified["last_decision_index"], 2_380);
    let traffic = json(
        &system
            .fcs(&["traffic", "show", "-o", "json"])
            .output()
            .unwrap(),
    );
    assert_eq!(
        traffic["arms"][0]["cohort"],
        serde_json::json!([[0, 10_000]])
    );
    assert_eq!(traffic["fleet"]["confirmed"], true, "{traffic}");
    assert_eq!(traffic["fleet"]["gateways"].as_array().unwrap().len(), 1);
    load_counts_what_it_sent(&system);
    let doctor = system.fcs(&["doctor", "-o", "json"]).output().unwrap();
    assert!(
        doctor.status.success(),
        "{}",
        String::from_utf8_lossy(&doctor.stdout)
    );
}

fn load_counts_what_it_sent(system: &System) {
    let load = [
        "load",
        "--model",
        "boston-hmda",
        "--requests",
        "60",
        "-o",
        "json",
    ];
    let load = json(&system.fcs(&load).output().unwrap());
    assert_eq!(
        (&load["decisions"], &load["reads"], &load["failed"]),
        (&60.into(), &6.into(), &serde_json::json!({})),
        "{load}"
    );
}
