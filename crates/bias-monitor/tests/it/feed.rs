//! The running monitor behind a gateway that repeats, breaks off, skips and goes away.

use std::time::Duration;

use bias_monitor::app::facts::{LoggedDecision, Outcome};
use bias_monitor::{BiasMonitor, BiasMonitorSettings};
use fcs_proto::scoring::v1::FeedEntry;
use fcs_service::{Running, Settings, Shared, launch};
use fcs_testkit::wait::until;
use tokio::net::TcpListener;

use crate::support::gateway::{Gateway, Manner, entry};
use crate::support::{Engine, Place, decision, http};

const LIMIT: Duration = Duration::from_secs(30);

/// Starts the real service at a place.
pub(crate) async fn start(place: &Place, gateway_url: &str) -> Running {
    let service = BiasMonitorSettings {
        gateway_url: gateway_url.to_owned(),
        report_interval_ms: 100,
        // The decisions of tests are of 1970.
        fine_counters_days: 0,
        ..BiasMonitorSettings::default()
    };
    let mut settings = Settings::embedded(place.folder(), service);
    settings.database = place.settings.clone();
    launch::<BiasMonitor>(settings, &Shared::silent())
        .await
        .unwrap()
}

pub(crate) async fn stop(running: Running) {
    running.stop();
    running.wait().await.unwrap();
}

pub(crate) async fn last_index(running: &Running) -> u64 {
    http::get(running.http, "/v1/status").await.json()["last_index"]
        .as_u64()
        .unwrap()
}

pub(crate) async fn reach(running: &Running, index: u64) {
    until("the index", LIMIT, || async {
        (last_index(running).await == index).then_some(())
    })
    .await;
}

/// The value of a metric without labels.
pub(crate) async fn metric(running: &Running, name: &str) -> f64 {
    let text = http::get(running.admin, "/metrics").await.body;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .trim()
        .parse()
        .unwrap()
}

fn log(indices: std::ops::RangeInclusive<u64>) -> Vec<LoggedDecision> {
    indices
        .map(|index| {
            let outcome = Outcome::ALL[usize::try_from(index % 3).unwrap()];
            decision(index, &format!("A-{}", index % 50), outcome)
        })
        .collect()
}

async fn assert_counted_once(place: &Place, decisions: u64) {
    let opened = place.open().await;
    let tables = opened
        .store
        .tables(None, bias_monitor::store::EVER)
        .await
        .unwrap();
    assert_eq!(
        (tables.last_index, tables.total.decisions()),
        (decisions, decisions)
    );
    opened.assert_equals_recount().await;
    opened.database.close().await;
}

#[tokio::test]
async fn a_feed_that_repeats_and_breaks_off_is_counted_once() {
    let place = Place::new(Engine::Sqlite).await;
    let manner = Manner {
        run: 7,
        repeat: 5,
        break_after: Some(3),
        ..Manner::default()
    };
    let gateway = Gateway::start(manner).await;
    gateway.decide(&log(1..=60));
    let running = start(&place, &gateway.url()).await;
    reach(&running, 60).await;
    assert!(
        gateway.subscriptions().len() > 3,
        "{:?}",
        gateway.subscriptions()
    );
    // Entries of later come at once, over a stream that stays open.
    gateway.behave(Manner::default());
    gateway.decide(&log(61..=200));
    reach(&running, 200).await;
    gateway.decide(&log(201..=201));
    reach(&running, 201).await;
    assert!((metric(&running, "fcs_monitor_last_index").await - 201.0).abs() < 0.1);
    assert!(metric(&running, "fcs_monitor_lag").await.abs() < 0.1);
    stop(running).await;
    assert_counted_once(&place, 201).await;
}

async fn is_read_on_after_a_kill(engine: Engine) {
    let place = Place::new(engine).await;
    let gateway = Gateway::start(Manner {
        run: 3,
        repeat: 2,
        ..Manner::default()
    })
    .await;
    let mut decided = 0;
    for _ in 0..5 {
        let running = start(&place, &gateway.url()).await;
        gateway.decide(&log(decided + 1..=decided + 40));
        decided += 40;
        let target = decided - 30;
        until("some decisions", LIMIT, || async {
            (last_index(&running).await >= target).then_some(())
        })
        .await;
        // Not a stop with a drain: everything is dropped where it stands.
        drop(running);
    }
    let running = start(&place, &gateway.url()).await;
    reach(&running, decided).await;
    stop(running).await;
    assert_counted_once(&place, decided).await;
}

#[tokio::test]
async fn a_killed_monitor_reads_on_where_it_was_on_sqlite() {
    is_read_on_after_a_kill(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_killed_monitor_reads_on_where_it_was_on_postgres() {
    is_read_on_after_a_kill(Engine::Postgres).await;
}

async fn is_ready(running: &Running) -> bool {
    http::get(running.admin, "/ready").await.status == 200
}

#[tokio::test]
async fn a_gap_stops_the_count_until_it_is_closed() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner {
        skip: Some(8),
        run: 100,
        ..Manner::default()
    })
    .await;
    gateway.decide(&log(1..=20));
    let running = start(&place, &gateway.url()).await;
    until("the gap", LIMIT, || async {
        (metric(&running, "fcs_monitor_gaps_total").await >= 2.0).then_some(())
    })
    .await;
    assert_eq!(
        last_index(&running).await,
        7,
        "everything before the gap counts, nothing after it"
    );
    assert!(!is_ready(&running).await);
    assert!(
        gateway
            .subscriptions()
            .iter()
            .skip(1)
            .all(|after| *after == 7)
    );
    // It still takes what senders bring.
    let body =
        r#"{"items":[{"application_id":"A-1","attributes":{"sex":"x"},"source":"observed"}]}"#;
    assert_eq!(
        http::post(running.http, "/v1/demographics", body)
            .await
            .status,
        200
    );
    gateway.behave(Manner::default());
    reach(&running, 20).await;
    until("ready", LIMIT, || async {
        is_ready(&running).await.then_some(())
    })
    .await;
    stop(running).await;
    assert_counted_once(&place, 20).await;
}

#[tokio::test]
async fn an_entry_that_makes_no_sense_stops_the_count() {
    let place = Place::new(Engine::Sqlite).await;
    let gateway = Gateway::start(Manner {
        run: 100,
        ..Manner::default()
    })
    .await;
    gateway.decide(&log(1..=4));
    gateway.push(FeedEntry {
        outcome: 77,
        ..entry(&log(5..=5)[0])
    });
    let running = start(&place, &gateway.url()).await;
    until("the invalid entry", LIMIT, || async {
        (metric(&running, "fcs_monitor_invalid_entries_total").await >= 1.0).then_some(())
    })
    .await;
    assert_eq!(last_index(&running).await, 4);
    assert!(!is_ready(&running).await);
    gateway.forget_last();
    gateway.decide(&log(5..=6));
    reach(&running, 6).await;
    stop(running).await;
    assert_counted_once(&place, 6).await;
}

#[tokio::test]
async fn a_gateway_that_is_away_does_not_make_the_monitor_unready() {
    let place = Place::new(Engine::Sqlite).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let running = start(&place, &format!("http://{address}")).await;
    until("ready", LIMIT, || async {
        is_ready(&running).await.then_some(())
    })
    .await;
    assert!(metric(&running, "fcs_monitor_feed_connected").await.abs() < 0.1);
    let body =
        r#"{"items":[{"application_id":"A-1","attributes":{"sex":"x"},"source":"observed"}]}"#;
    assert_eq!(
        http::post(running.http, "/v1/demographics", body)
            .await
            .status,
        200
    );
    let gateway = Gateway::listen(TcpListener::bind(address).await.unwrap(), Manner::default());
    gateway.decide(&log(1..=10));
    reach(&running, 10).await;
    assert!((metric(&running, "fcs_monitor_feed_connected").await - 1.0).abs() < 0.1);
    stop(running).await;
    assert_counted_once(&place, 10).await;
}
