//! Two model servers, one of which fails.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fcs_testkit::wait::until;
use serde_json::json;

use crate::support::client::activate;
use crate::support::models::FakeModels;
use crate::support::server::{Server, serve_models};

const LIMIT: Duration = Duration::from_secs(10);

/// A gateway with its own model server and another one.
async fn with_two() -> (Server, Arc<FakeModels>) {
    let other = Arc::new(FakeModels::default());
    let address = serve_models(Arc::clone(&other)).await;
    let server = Server::with(async |settings| {
        let urls = &mut settings.service.model_server_url;
        *urls = format!("{urls}, http://{address}");
    })
    .await;
    activate(&server).await;
    (server, other)
}

async fn decide(server: &Server, key: &str) -> u16 {
    let body = json!({"application_id": key, "features": {"income": 20_000, "housing": "own"}});
    server
        .post("/v1/applications/score", key, &body)
        .await
        .status
}

fn asked(models: &FakeModels) -> usize {
    models.scores.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_have_the_model_and_share_the_rows() {
    let (server, other) = with_two().await;
    for row in 0..40 {
        assert_eq!(decide(&server, &format!("k-{row}")).await, 200);
    }
    let (here, there) = (asked(&server.models), asked(&other));
    assert!(
        here >= 15 && there >= 15 && here + there < 50,
        "{here} and {there}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_fails_no_request_and_is_left_alone() {
    let (server, other) = with_two().await;
    other.stop();
    for row in 0..40 {
        assert_eq!(decide(&server, &format!("k-{row}")).await, 200);
    }
    let before = asked(&other);
    for row in 40..60 {
        assert_eq!(decide(&server, &format!("k-{row}")).await, 200);
    }
    let probes = asked(&other) - before;
    assert!(probes <= 5, "{probes}");
    other.is_up.store(true, Ordering::SeqCst);
    let row = std::sync::atomic::AtomicUsize::new(60);
    until("rows for the server that is back", LIMIT, async || {
        let row = row.fetch_add(1, Ordering::SeqCst);
        assert_eq!(decide(&server, &format!("k-{row}")).await, 200);
        (asked(&other) > before + probes + 5).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_fails_no_request_and_is_left_alone() {
    let (server, other) = with_two().await;
    other.gate.forget_permits(1_000);
    for row in 0..60 {
        assert_eq!(decide(&server, &format!("k-{row}")).await, 200);
    }
    assert!(asked(&other) <= 15, "{}", asked(&other));
}
