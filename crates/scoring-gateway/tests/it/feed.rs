//! The feed: stored pages first, then new commits of this process and of others.

use std::time::Duration;

use fcs_core::ErrorCode;
use scoring_gateway::app::feed::FEED_PAGE_MAX;
use tokio::time::timeout;

use crate::store::{append, draft};
use crate::support::gateway::{Gateway, stores};
use crate::support::{TestStore, applicant};

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn stored_entries_come_in_pages_and_new_ones_follow() {
    let test = TestStore::sqlite().await;
    let gateway = Gateway::start(stores(&test.database)).await;
    gateway.activate("1").await;
    let count = u64::from(FEED_PAGE_MAX) + 20;
    let drafts: Vec<_> = (0..count)
        .map(|number| draft(&format!("key-{number}"), number))
        .collect();
    append(&*gateway.app.store, &drafts).await;
    let mut feed = gateway.feed.subscribe(3);
    let mut next = 4;
    for expected in [500, 17] {
        let page = timeout(LIMIT, feed.next()).await.unwrap().unwrap();
        assert_eq!(page.len(), expected);
        for entry in page {
            assert_eq!(entry.log_index, next);
            next += 1;
        }
    }
    let waiting = feed.next();
    let scored = gateway.score("new", applicant(90_000.0, 0.0));
    let (page, scored) = tokio::join!(timeout(LIMIT, waiting), scored);
    let (page, scored) = (page.unwrap().unwrap(), scored.unwrap());
    assert_eq!(page[0].log_index, next);
    assert_eq!(page[0].summary.record_digest, scored.decision.record_digest);
    assert_eq!(gateway.app.metrics.feed_streams.get(), 1);
    drop(feed);
    assert_eq!(gateway.app.metrics.feed_streams.get(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_gateways_commits_are_found() {
    let test = TestStore::postgres().await;
    let gateway = Gateway::start(stores(&test.database)).await;
    let other = stores(&test.reopen().await).decisions;
    let mut feed = gateway.feed.subscribe(0);
    let write = async {
        for number in 0..50 {
            append(&*other, &[draft(&format!("key-{number}"), number)]).await;
        }
    };
    let read = async {
        let mut seen = Vec::new();
        while seen.len() < 50 {
            let page = timeout(LIMIT, feed.next()).await.unwrap().unwrap();
            seen.extend(page.into_iter().map(|entry| entry.log_index));
        }
        seen
    };
    let ((), seen) = tokio::join!(write, read);
    assert_eq!(seen, (1..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_index_in_the_future_waits_for_its_successor() {
    let test = TestStore::sqlite().await;
    let gateway = Gateway::start(stores(&test.database)).await;
    let mut feed = gateway.feed.subscribe(2);
    let drafts: Vec<_> = (0..3)
        .map(|number| draft(&format!("key-{number}"), number))
        .collect();
    let write = async {
        for draft in &drafts {
            append(&*gateway.app.store, std::slice::from_ref(draft)).await;
        }
    };
    let (page, ()) = tokio::join!(timeout(LIMIT, feed.next()), write);
    assert_eq!(page.unwrap().unwrap()[0].log_index, 3);
}

#[tokio::test]
async fn it_ends_when_the_service_drains() {
    let test = TestStore::sqlite().await;
    let gateway = Gateway::start(stores(&test.database)).await;
    let mut feed = gateway.feed.subscribe(0);
    let draining = gateway.draining.clone();
    let (page, ()) = tokio::join!(timeout(LIMIT, feed.next()), async { draining.cancel() });
    let error = page.unwrap().unwrap_err();
    assert_eq!(
        (error.code, error.reason),
        (ErrorCode::Unavailable, "SHUTTING_DOWN")
    );
}
