//! A store that fails around its commit, and the writer's end.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use fcs_core::{ApplicationId, DecisionId, ErrorCode, TenantId, UnixMicros};
use scoring_gateway::app::traffic::TrafficTable;
use scoring_gateway::store::{
    AppendError, Appended, Claim, Claimed, DecisionStore, Draft, FeedEntry, Found, StoreError,
};

use crate::support::gateway::{Gateway, Stores, stores};
use crate::support::{TestStore, applicant};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Nothing was sent.
    BeforeCommit,
    /// The connection broke on the commit, and it had not reached the server.
    UnknownAndLost,
    /// The connection broke on the commit, and it had reached the server.
    UnknownAndCommitted,
}

/// Hurts the next append; all else goes through.
struct Faulty {
    inner: Arc<dyn DecisionStore>,
    next: Mutex<Option<Fault>>,
    settles: AtomicBool,
}

impl Faulty {
    fn new(inner: Arc<dyn DecisionStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            next: Mutex::new(None),
            settles: AtomicBool::new(true),
        })
    }

    fn hurt(&self, fault: Fault) {
        *self.next.lock().unwrap() = Some(fault);
    }
}

fn broken() -> StoreError {
    StoreError::new("commit", "the connection broke")
}

#[async_trait]
impl DecisionStore for Faulty {
    async fn append(&self, drafts: &[Draft]) -> Result<Vec<Appended>, AppendError> {
        let fault = self.next.lock().unwrap().take();
        match fault {
            None => self.inner.append(drafts).await,
            Some(Fault::BeforeCommit) => Err(AppendError::NotWritten(broken())),
            Some(Fault::UnknownAndLost) => Err(AppendError::Unknown(broken())),
            Some(Fault::UnknownAndCommitted) => {
                self.inner.append(drafts).await?;
                Err(AppendError::Unknown(broken()))
            }
        }
    }

    async fn settle(&self, claims: &[Claim]) -> Result<Vec<Option<Claimed>>, StoreError> {
        if self.settles.load(Ordering::SeqCst) {
            self.inner.settle(claims).await
        } else {
            Err(broken())
        }
    }

    async fn claimed(&self, claim: &Claim) -> Result<Option<Claimed>, StoreError> {
        self.inner.claimed(claim).await
    }

    async fn decision(
        &self,
        tenant: &TenantId,
        id: DecisionId,
    ) -> Result<Option<Found>, StoreError> {
        self.inner.decision(tenant, id).await
    }

    async fn latest(
        &self,
        tenant: &TenantId,
        id: &ApplicationId,
    ) -> Result<Option<Found>, StoreError> {
        self.inner.latest(tenant, id).await
    }

    async fn page(
        &self,
        tenant: &TenantId,
        after_index: u64,
        limit: u32,
    ) -> Result<Vec<Found>, StoreError> {
        self.inner.page(tenant, after_index, limit).await
    }

    async fn page_of(
        &self,
        tenant: &TenantId,
        id: &ApplicationId,
        after_index: u64,
        limit: u32,
    ) -> Result<Vec<Found>, StoreError> {
        self.inner.page_of(tenant, id, after_index, limit).await
    }

    async fn feed(&self, after_index: u64, limit: u32) -> Result<Vec<FeedEntry>, StoreError> {
        self.inner.feed(after_index, limit).await
    }

    async fn highest_index(&self) -> Result<u64, StoreError> {
        self.inner.highest_index().await
    }

    async fn highest_index_of(&self, tenant: &TenantId) -> Result<u64, StoreError> {
        self.inner.highest_index_of(tenant).await
    }

    async fn traffic(&self) -> Result<TrafficTable, StoreError> {
        self.inner.traffic().await
    }

    async fn swap_traffic(&self, expected: u64, table: &TrafficTable) -> Result<bool, StoreError> {
        self.inner.swap_traffic(expected, table).await
    }

    async fn purge_claims(&self, before: UnixMicros, limit: u32) -> Result<u64, StoreError> {
        self.inner.purge_claims(before, limit).await
    }
}

async fn faulty(test: &TestStore) -> (Gateway, Arc<Faulty>) {
    let store = Faulty::new(stores(&test.database).decisions);
    let gateway = Gateway::start(Stores {
        decisions: Arc::clone(&store) as _,
        ..stores(&test.database)
    })
    .await;
    gateway.activate("1").await;
    (gateway, store)
}

#[tokio::test]
async fn a_commit_that_was_lost_is_not_answered_and_the_retry_decides() {
    let test = TestStore::sqlite().await;
    let (gateway, store) = faulty(&test).await;
    for (key, fault) in [("a", Fault::BeforeCommit), ("b", Fault::UnknownAndLost)] {
        store.hurt(fault);
        let error = gateway
            .score(key, applicant(90_000.0, 0.0))
            .await
            .unwrap_err();
        assert_eq!(
            (error.code, error.reason),
            (ErrorCode::Unavailable, "NOT_DURABLE")
        );
        let retried = gateway.score(key, applicant(90_000.0, 0.0)).await.unwrap();
        assert!(!retried.replayed, "nothing was there to replay");
    }
    assert_eq!(gateway.app.store.highest_index().await.unwrap(), 2);
}

#[tokio::test]
async fn a_commit_that_arrived_is_found_and_answered() {
    let test = TestStore::sqlite().await;
    let (gateway, store) = faulty(&test).await;
    store.hurt(Fault::UnknownAndCommitted);
    let scored = gateway.score("k", applicant(90_000.0, 0.0)).await.unwrap();
    assert_eq!((scored.replayed, scored.decision.log_index), (false, 1));
    let again = gateway.score("k", applicant(90_000.0, 0.0)).await.unwrap();
    assert_eq!((again.replayed, again.decision), (true, scored.decision));
    assert_eq!(gateway.app.metrics.commits_unknown.get(), 1);
}

#[tokio::test]
async fn a_commit_that_nobody_can_look_up_is_not_answered_and_not_doubled() {
    let test = TestStore::sqlite().await;
    let (gateway, store) = faulty(&test).await;
    store.settles.store(false, Ordering::SeqCst);
    store.hurt(Fault::UnknownAndCommitted);
    let error = gateway
        .score("k", applicant(90_000.0, 0.0))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code, error.retry_after_s),
        (ErrorCode::Unavailable, Some(1))
    );
    // Without a model server nothing can be decided, and only what is known can be answered.
    gateway.models.stop();
    let error = gateway
        .score("k", applicant(90_000.0, 0.0))
        .await
        .unwrap_err();
    assert_eq!(error.reason, "NOT_DURABLE", "seen is not confirmed");
    store.settles.store(true, Ordering::SeqCst);
    let retried = gateway.score("k", applicant(90_000.0, 0.0)).await.unwrap();
    assert!(retried.replayed, "the first attempt is in the log");
    store.settles.store(false, Ordering::SeqCst);
    let again = gateway.score("k", applicant(90_000.0, 0.0)).await.unwrap();
    assert_eq!(
        again, retried,
        "what was confirmed once is answered at once"
    );
    assert_eq!(gateway.app.store.highest_index().await.unwrap(), 1);
}

/// Two gateways race with one key: both looked before either wrote, and the store decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_race_with_one_key_give_one_answer() {
    let test = TestStore::postgres().await;
    let left = Gateway::start(stores(&test.database)).await;
    left.activate("1").await;
    let right = Gateway::start(stores(&test.reopen().await)).await;
    let mut races = 0;
    for round in 0..10 {
        let key = format!("race-{round}");
        let (one, two) = tokio::join!(
            left.score(&key, applicant(90_000.0, 0.0)),
            right.score(&key, applicant(90_000.0, 0.0)),
        );
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(one.decision, two.decision);
        assert!(one.replayed != two.replayed, "one of them decided");
        let key = format!("{key}-x");
        let (one, two) = tokio::join!(
            left.score(&key, applicant(90_000.0, 0.0)),
            right.score(&key, applicant(80_000.0, 0.0)),
        );
        let errors = [one.err(), two.err()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>();
        assert_eq!(
            errors.len(),
            1,
            "one of two requests with one key is refused"
        );
        assert_eq!(errors[0].code, ErrorCode::IdempotencyMismatch);
        races += 1;
    }
    assert_eq!(left.app.store.highest_index().await.unwrap(), 2 * races);
}

#[tokio::test]
async fn the_writer_finishes_its_queue_before_it_ends() {
    let test = TestStore::sqlite().await;
    let mut gateway = Gateway::start(stores(&test.database)).await;
    gateway.activate("1").await;
    let scores = (0..200).map(|number| {
        let (gateway, key) = (&gateway, format!("k-{number}"));
        async move { gateway.score(&key, applicant(90_000.0, 0.0)).await }
    });
    let soft = gateway.soft.clone();
    let stop = async { soft.cancel() };
    let (scored, ()) = tokio::join!(futures::future::join_all(scores), stop);
    let answered = scored.iter().filter(|result| result.is_ok()).count() as u64;
    assert!(scored.iter().flatten().all(|scored| !scored.replayed));
    let refused = scored.iter().filter_map(|result| result.as_ref().err());
    assert!(
        refused.clone().all(|error| error.reason == "SHUTTING_DOWN"),
        "{:?}",
        refused.collect::<Vec<_>>()
    );
    gateway.writer.take().unwrap().await.unwrap().unwrap();
    assert_eq!(
        gateway.app.store.highest_index().await.unwrap(),
        answered,
        "no answer is lost"
    );
    let error = gateway
        .score("late", applicant(90_000.0, 0.0))
        .await
        .unwrap_err();
    assert_eq!(error.reason, "SHUTTING_DOWN");
}
