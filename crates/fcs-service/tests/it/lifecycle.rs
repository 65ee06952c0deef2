//! Start, probes, metrics, drain.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::sample::{SOON, Sample, settings, start};
use crate::wire::{get, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_answer_on_both_ports_and_metrics_on_one() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(settings(folder.path())).await;
    for address in [running.http, running.admin] {
        for path in ["/health", "/ready", "/startup"] {
            assert_eq!(get(address, path).await.status, 200, "{path} on {address}");
        }
    }
    assert_eq!(
        get(running.admin, "/ready").await.json()["dependencies"]["database"],
        true
    );
    assert_eq!(
        get(running.http, "/metrics").await.status,
        404,
        "not for the public"
    );
    let metrics = get(running.admin, "/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    for line in [
        "build_info{service=\"sample\",version=\"",
        "process_resident_memory_bytes ",
        "process_memory_limit_bytes ",
        "http_requests_total{method=\"GET\",route=\"/ready\",status=\"200\"} 1",
        "http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 1",
        "http_requests_total{method=\"GET\",route=\"unmatched\",status=\"500\"} 0",
        "http_request_duration_seconds_bucket{le=\"0.0005\",method=\"GET\",route=\"/health\"}",
        "# EOF",
    ] {
        assert!(
            metrics.body.contains(line),
            "{line} is not in\n{}",
            metrics.body
        );
    }
    running.stop();
    timeout(SOON, running.wait()).await.unwrap().unwrap();
    assert!(
        TcpStream::connect(running.http).await.is_err(),
        "the port is closed"
    );
    assert!(
        TcpStream::connect(running.admin).await.is_err(),
        "the admin port is closed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_can_be_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.telemetry.metrics = false;
    let running = start(settings).await;
    assert_eq!(get(running.admin, "/metrics").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_log_filter_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(settings(folder.path())).await;
    let answer = send(running.admin, "PUT", "/log-filter", "", "loud").await;
    assert_eq!(
        (answer.status, answer.json()["reason"].as_str()),
        (400, Some("LOG_FILTER_INVALID"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_finishes_work_and_waits_for_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    let gate = Arc::new(Semaphore::new(0));
    settings.service.levers.gate = Some(Arc::clone(&gate));
    let levers = settings.service.levers.clone();
    let running = start(settings).await;

    let mut idle = TcpStream::connect(running.http).await.unwrap();
    let request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    idle.write_all(request).await.unwrap();
    let mut buffer = [0; 1_024];
    assert!(
        idle.read(&mut buffer).await.unwrap() > 0,
        "kept alive after an answer"
    );
    let mut half_sent = TcpStream::connect(running.http).await.unwrap();
    half_sent
        .write_all(b"GET /health HTTP/1.1\r\nHo")
        .await
        .unwrap();
    let mut silent = TcpStream::connect(running.http).await.unwrap();
    let address = running.http;
    let in_flight = tokio::spawn(async move { get(address, "/v1/gate").await });
    timeout(SOON, levers.arrived.notified()).await.unwrap();

    let began = Instant::now();
    running.stop();
    let eof = async { (idle.read(&mut buffer).await, silent.read(&mut [0; 1]).await) };
    let (idle_read, silent_read) = timeout(SOON, eof).await.expect("idle clients are let go");
    assert!(matches!(
        (idle_read, silent_read),
        (Ok(0) | Err(_), Ok(0) | Err(_))
    ));
    assert_eq!(get(running.admin, "/ready").await.status, 503);
    assert_eq!(get(running.admin, "/health").await.status, 200);
    assert!(
        !in_flight.is_finished(),
        "the request in flight is not cut off"
    );
    gate.add_permits(1);
    let answer = timeout(SOON, in_flight).await.unwrap().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "through"));
    timeout(SOON, running.wait())
        .await
        .expect("before the deadline of 10 s")
        .unwrap();
    assert!(began.elapsed() < SOON);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deadline_cuts_off_work_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.shutdown.drain_deadline_ms = 200;
    settings.service.levers.gate = Some(Arc::new(Semaphore::new(0)));
    let arrived = Arc::clone(&settings.service.levers.arrived);
    let running = start(settings).await;
    let mut stuck = TcpStream::connect(running.http).await.unwrap();
    stuck
        .write_all(b"GET /v1/gate HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    timeout(SOON, arrived.notified()).await.unwrap();
    running.stop();
    let error = timeout(SOON, running.wait()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("cut off 1 requests"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_does_not_end_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.shutdown.drain_deadline_ms = 100;
    settings.service.stubborn = true;
    let running = start(settings).await;
    running.stop();
    let error = timeout(SOON, running.wait()).await.unwrap().unwrap_err();
    assert!(
        error.to_string().contains("0 requests and 1 tasks"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_task_stops_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let fail = Arc::clone(&settings.service.levers.fail);
    let running = start(settings).await;
    fail.notify_one();
    let error = timeout(SOON, running.wait())
        .await
        .expect("it stops by itself")
        .unwrap_err();
    assert!(
        error.to_string().contains("task worker: the disk is full"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_told_with_its_setting() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(settings(folder.path())).await;
    let mut second = settings(folder.path());
    second.http.listen = running.http;
    let error = fcs_service::launch::<Sample>(second, &fcs_service::Shared::silent())
        .await
        .err()
        .expect("the port is taken");
    assert!(format!("{error:#}").contains("http.listen"), "{error:#}");
}
