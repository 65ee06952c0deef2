//! More requests than the gateway has places for.

use std::time::Duration;

use fcs_testkit::load::{Load, Pace, get, post, run};
use serde_json::json;

use crate::support::client::activate;
use crate::support::server::Server;

const SCORE: &str = "/v1/applications/score";

fn application(number: u64) -> serde_json::Value {
    json!({"application_id": format!("a-{number}"), "features": {"income": 20_000, "housing": "own"}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_decided_or_told_to_come_back_and_probes_are_answered() {
    let server = Server::with(async |settings| {
        settings.admission.places = 2;
        settings.admission.waiting = 4;
        settings.admission.wait_ms = 5;
    })
    .await;
    activate(&server).await;
    let flood = Load {
        to: server.running.http,
        connections: 48,
        pace: Pace::Closed,
        length: Duration::from_secs(2),
    };
    let probes = Load {
        connections: 1,
        pace: Pace::Open(20.0),
        ..flood
    };
    let (answers, probed) = tokio::join!(
        run(flood, |number| {
            let key = format!("idempotency-key: k-{number}\r\n");
            post(SCORE, &key, &application(number).to_string())
        }),
        run(probes, |_| get("/health"))
    );
    let (decided, refused) = (answers.count(200), answers.count(503));
    assert_eq!(
        (answers.lost, answers.times.len()),
        (0, 2),
        "{:?}",
        answers.times.keys()
    );
    assert!(decided > 0 && refused > 0, "{decided} and {refused}");
    assert_eq!((probed.count(200), probed.lost), (40, 0));
    // Each decision was answered, and no refusal left one.
    let list = server.get("/v1/decisions?page_size=1").await.json();
    assert_eq!(list["highest_index"], decided);
    let after = server.post(SCORE, "after", &application(u64::MAX)).await;
    assert_eq!(after.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_when_to_come_back() {
    let server = Server::with(async |settings| {
        settings.admission.places = 1;
        settings.admission.waiting = 1;
        settings.admission.wait_ms = 1;
    })
    .await;
    activate(&server).await;
    server.models.gate.forget_permits(1_000);
    let hanging = application(1);
    let first = server.post(SCORE, "k-1", &hanging);
    let refused = async {
        // The first has its place once it asks the model server.
        while server
            .models
            .scores
            .load(std::sync::atomic::Ordering::SeqCst)
            == 0
        {
            tokio::task::yield_now().await;
        }
        let refused = server.post(SCORE, "k-2", &application(2)).await;
        server.models.gate.add_permits(1_000);
        refused
    };
    let (first, refused) = tokio::join!(first, refused);
    assert_eq!((first.status, refused.status), (200, 503));
    assert_eq!(refused.json()["reason"], "OVERLOADED");
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    let again = server.post(SCORE, "k-2", &application(2)).await;
    assert_eq!(again.status, 200);
}
