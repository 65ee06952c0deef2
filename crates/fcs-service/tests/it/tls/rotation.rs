//! Every certificate and authority of two services is replaced while one calls the other.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fcs_testkit::certificates::Authority;
use tokio::time::timeout;

use super::{ask, client, client_tls, with_mutual_tls, with_tls};
use crate::sample::{SOON, settings, start};
use crate::wire::get;

/// Waits until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, wait).await.expect(what);
}

/// Replaces a file in one step, as a certificate manager does.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_and_authorities_rotate_without_a_failed_call() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let both = format!("{}{}", old.pem(), new.pem());
    let (of_server, of_client) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut settings_of_server = with_mutual_tls(of_server.path(), &old, &old);
    // Each connection serves for so long, so that new certificates come into use.
    settings_of_server.http.max_connection_age_ms = 30;
    let levers = settings_of_server.service.levers.clone();
    let server = start(settings_of_server).await;
    let mut settings_of_client = settings(of_client.path());
    let identity = old.sign(&["first"]);
    settings_of_client.client_tls = client_tls(of_client.path(), &old, Some(&identity));
    settings_of_client.service.peer = Some(format!("https://localhost:{}", server.http.port()));
    let relay = start(settings_of_client).await;

    let over = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (over, calls, address) = (Arc::clone(&over), Arc::clone(&calls), relay.http);
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let answer = get(address, "/v1/relay").await;
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();

    replace(&of_server.path().join("clients.pem"), &both);
    let stranger = new.sign(&["probe"]);
    until("the server trusts both", async || {
        ask(server.http, client(&old, Some(&stranger)))
            .await
            .is_ok()
    })
    .await;
    replace(&of_client.path().join("ca.pem"), &both);
    new.sign(&["second"]).install(of_client.path(), "client");
    until("the client shows the new certificate", async || {
        levers.last_caller() == ["second"]
    })
    .await;
    new.sign(&["localhost"]).install(of_server.path(), "server");
    until("the server shows the new certificate", async || {
        ask(server.http, client(&new, Some(&stranger)))
            .await
            .is_ok()
    })
    .await;
    replace(&of_server.path().join("clients.pem"), new.pem());
    replace(&of_client.path().join("ca.pem"), new.pem());
    new.sign(&["third"]).install(of_client.path(), "client");
    until("the client trusts the new authority alone", async || {
        levers.last_caller() == ["third"]
    })
    .await;
    let so_far = calls.load(Ordering::Relaxed);
    until("calls go on", async || {
        calls.load(Ordering::Relaxed) > so_far + 20
    })
    .await;
    over.store(true, Ordering::Relaxed);
    for caller in load {
        caller.await.expect("no call failed");
    }
    let strange = ask(server.http, client(&new, Some(&old.sign(&["first"])))).await;
    assert!(strange.is_err(), "the old authority is trusted no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_certificate_is_a_metric_that_follows_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("ours");
    let running = start(with_tls(folder.path(), &authority)).await;
    let shows = async |day: &str| {
        let metrics = get(running.admin, "/metrics").await.body;
        metrics.contains(&format!("tls_certificate_expiry_timestamp_seconds {day}\n"))
    };
    assert!(shows("64060588800").await, "the first of January 4000");

    let old = authority.sign_expired(&["localhost"]);
    replace(&folder.path().join("server.pem"), &old.certificate);
    replace(&folder.path().join("server.key"), &old.key);
    until("the first of January 2020", async || {
        shows("1577836800").await
    })
    .await;
}
