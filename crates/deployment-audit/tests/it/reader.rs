//! The decision reader: each decision once, in order, whatever the feed does.

use std::sync::Arc;
use std::time::Duration;

use deployment_audit::app::ports::FeedDecision;
use deployment_audit::jobs::decision_reader::DecisionReader;
use deployment_audit::store::{Store, WHOLE_LOG};
use fcs_service::Health;
use fcs_testkit::wait::until;
use fcs_tlog::BatchLeaf;
use prometheus_client::registry::Registry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::feed::{End, Script, ScriptedFeed, run};
use crate::support::{Backend, digest_of, metrics, on_both, shows};

on_both!(
    every_decision_becomes_part_of_a_leaf,
    interrupted_and_repeating_feeds_count_once,
    a_restart_goes_on_where_it_ended,
    a_gap_stops_the_reader,
    another_digest_stops_the_reader,
    another_digest_among_the_waiting_stops_the_reader,
);

const LIMIT: Duration = Duration::from_secs(20);

struct Reading {
    feed: Arc<ScriptedFeed>,
    health: Health,
    registry: Registry,
    stop: CancellationToken,
    task: JoinSet<anyhow::Result<()>>,
}

impl Reading {
    fn start(store: &Arc<dyn Store>, scripts: Vec<Script>) -> Self {
        let (metrics, registry) = metrics();
        let (health, stop) = (Health::default(), CancellationToken::new());
        let feed = Arc::new(ScriptedFeed::new(scripts));
        let reader = DecisionReader {
            store: Arc::clone(store),
            feed: Arc::clone(&feed) as _,
            metrics,
            health: health.dependency("decision_feed"),
            batch_entries: 4,
            batch_delay: Duration::from_millis(20),
        };
        let mut task = JoinSet::new();
        task.spawn(reader.run(stop.clone()));
        Self {
            feed,
            health,
            registry,
            stop,
            task,
        }
    }

    fn is_good(&self) -> bool {
        self.health.readiness().dependencies["decision_feed"]
    }

    async fn went_bad(&self) {
        until("the reader stops", LIMIT, || async {
            let counted = ["gap", "altered"].iter().any(|outcome| {
                shows(
                    &self.registry,
                    &format!("fcs_audit_feed_entries_total{{outcome=\"{outcome}\"}} 1"),
                )
            });
            (counted && !self.is_good()).then_some(())
        })
        .await;
    }

    async fn end(mut self) {
        self.stop.cancel();
        self.task.join_next().await.unwrap().unwrap().unwrap();
    }
}

fn open(runs: Vec<Vec<FeedDecision>>) -> Script {
    Script {
        runs,
        end: End::Open,
    }
}

async fn reached(store: &Arc<dyn Store>, last_index: u64) {
    until("the decisions are stored", LIMIT, || async {
        (store.last_decision_index(WHOLE_LOG).await.unwrap() == last_index).then_some(())
    })
    .await;
}

/// The log covers 1 to `last` exactly once, with the right digests and leaves.
async fn check_log(store: &Arc<dyn Store>, last: u64) {
    assert_eq!(store.last_decision_index(WHOLE_LOG).await.unwrap(), last);
    let mut next = 1;
    for leaf in store.leaves(0, 1_000).await.unwrap() {
        let batch = BatchLeaf::parse(&leaf.data).unwrap();
        assert_eq!(batch.first_index(), next);
        let digests: Vec<_> = (next..=batch.last_index()).map(digest_of).collect();
        assert_eq!(BatchLeaf::new(next, &digests), Ok(batch));
        assert!(digests.len() <= 4);
        let stored = store.batch_of(next).await.unwrap().unwrap();
        assert_eq!((stored.leaf_index, stored.digests), (leaf.index, digests));
        next = batch.last_index() + 1;
    }
    assert_eq!(next, last + 1);
}

async fn every_decision_becomes_part_of_a_leaf(backend: Backend) {
    let reading = Reading::start(&backend.store, vec![open(vec![run(1..=9), run(10..=10)])]);
    reached(&backend.store, 10).await;
    check_log(&backend.store, 10).await;
    assert!(reading.is_good());
    let counted = || async {
        shows(
            &reading.registry,
            "fcs_audit_feed_entries_total{outcome=\"new\"} 10",
        )
        .then_some(())
    };
    until("ten are counted", LIMIT, counted).await;
    reading.end().await;
}

async fn interrupted_and_repeating_feeds_count_once(backend: Backend) {
    let scripts = vec![
        Script {
            runs: vec![run(1..=6)],
            end: End::Broken,
        },
        Script {
            runs: vec![run(1..=7), run(7..=8)],
            end: End::Closed,
        },
        open(vec![run(8..=8), run(3..=9)]),
    ];
    let reading = Reading::start(&backend.store, scripts);
    reached(&backend.store, 9).await;
    check_log(&backend.store, 9).await;
    assert_eq!(
        reading.feed.asked(),
        [0, 5, 7],
        "each repeats the last stored decision"
    );
    assert!(shows(
        &reading.registry,
        "fcs_audit_feed_reconnects_total 2"
    ));
    assert!(reading.is_good());
    reading.end().await;
    check_log(&backend.store, 9).await;
}

async fn a_restart_goes_on_where_it_ended(backend: Backend) {
    let first = Reading::start(&backend.store, vec![open(vec![run(1..=6)])]);
    reached(&backend.store, 6).await;
    first.end().await;
    let second = Reading::start(&backend.store, vec![open(vec![run(6..=11)])]);
    reached(&backend.store, 11).await;
    assert_eq!(second.feed.asked(), [5]);
    second.end().await;
    check_log(&backend.store, 11).await;
}

async fn a_gap_stops_the_reader(backend: Backend) {
    let reading = Reading::start(&backend.store, vec![open(vec![run(1..=2), run([4, 5])])]);
    reading.went_bad().await;
    // What came before the gap is kept; nothing after it is.
    check_log(&backend.store, 2).await;
    assert!(shows(
        &reading.registry,
        "fcs_audit_feed_entries_total{outcome=\"gap\"} 1"
    ));
    assert_eq!(reading.feed.asked(), [0], "no retry hides it");
    reading.end().await;
}

async fn another_digest_stops_the_reader(backend: Backend) {
    let first = Reading::start(&backend.store, vec![open(vec![run(1..=3)])]);
    reached(&backend.store, 3).await;
    first.end().await;
    let other = FeedDecision {
        log_index: 3,
        record_digest: digest_of(999),
    };
    let second = Reading::start(&backend.store, vec![open(vec![vec![other], run([4])])]);
    second.went_bad().await;
    check_log(&backend.store, 3).await;
    assert!(shows(
        &second.registry,
        "fcs_audit_feed_entries_total{outcome=\"altered\"} 1"
    ));
    second.end().await;
}

async fn another_digest_among_the_waiting_stops_the_reader(backend: Backend) {
    let other = FeedDecision {
        log_index: 1,
        record_digest: digest_of(999),
    };
    let mut decisions = run([1]);
    decisions.push(other);
    let reading = Reading::start(&backend.store, vec![open(vec![decisions])]);
    reading.went_bad().await;
    check_log(&backend.store, 1).await;
    reading.end().await;
}
