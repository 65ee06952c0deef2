//! A synchronous standby that hangs: PostgreSQL shows commits that it has not replicated, and nobody is answered.

use std::time::Duration;

use fcs_core::{ApiError, ErrorCode};
use fcs_service::auth::Principal;
use fcs_service::database;
use fcs_service::settings::DatabaseSettings;
use fcs_testkit::postgres_server::PostgresServer;
use fcs_testkit::wait::until;
use scoring_gateway::app::queue::Scored;
use scoring_gateway::store::{self, Found};
use sqlx::{Executor as _, PgPool};
use tokio::task::JoinHandle;

use crate::store::claim;
use crate::support::applicant;
use crate::support::gateway::{Gateway, Stores, stores};

const LIMIT: Duration = Duration::from_mins(1);

/// A primary with its synchronous standby, and a gateway on the primary.
struct Pair {
    primary: PostgresServer,
    standby: PostgresServer,
    admin: PgPool,
    gateway: Gateway,
}

impl Pair {
    async fn start() -> Self {
        let primary = PostgresServer::start(&[]);
        let stores = Box::pin(open(&primary)).await;
        let gateway = Box::pin(Gateway::start(stores)).await;
        gateway.activate("1").await;
        let standby = primary.standby();
        let admin = PgPool::connect(&primary.url()).await.unwrap();
        admin
            .execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            .await
            .unwrap();
        admin.execute("SELECT pg_reload_conf()").await.unwrap();
        let pair = Self {
            primary,
            standby,
            admin,
            gateway,
        };
        let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        pair.count_until(synchronous, 1).await;
        pair
    }

    async fn score(&self, key: &str) -> Result<Scored, ApiError> {
        self.gateway.score(key, applicant(90_000.0, 0.0)).await
    }

    async fn count_until(&self, query: &'static str, wanted: i64) {
        until(query, LIMIT, async || {
            let found: i64 = sqlx::query_scalar(query)
                .fetch_one(&self.admin)
                .await
                .unwrap();
            (found == wanted).then_some(())
        })
        .await;
    }

    /// Cancels every wait for the standby, as an administrator or a driver's time-out may.
    fn cancel_waits(&self) -> JoinHandle<()> {
        let admin = self.admin.clone();
        tokio::spawn(async move {
            let cancel =
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            loop {
                admin.execute(cancel).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    }
}

async fn open(server: &PostgresServer) -> Stores {
    let settings = DatabaseSettings {
        url: fcs_core::Secret::new(server.url()),
        acquire_timeout_ms: 10_000,
        ..DatabaseSettings::default()
    };
    let folder = std::path::Path::new("unused");
    let database = database::open(&settings, folder, "scoring_gateway")
        .await
        .unwrap();
    store::migrate(&database).await.unwrap();
    stores(&database)
}

fn assert_not_durable(result: Result<Scored, ApiError>) {
    let error = result.unwrap_err();
    assert_eq!(
        (error.code, error.reason),
        (ErrorCode::Unavailable, "NOT_DURABLE")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_wait_for_the_standby_is_no_answer() {
    let mut pair = Box::pin(Pair::start()).await;
    let first = pair.score("first").await.unwrap();
    pair.standby.freeze();
    let cancelling = pair.cancel_waits();
    assert_not_durable(pair.score("second").await);
    let seen = pair.gateway.app.store.claimed(&claim("second", 1)).await;
    assert!(
        seen.unwrap().is_some(),
        "PostgreSQL shows what it has not replicated"
    );
    assert_not_durable(pair.score("second").await);
    cancelling.abort();
    pair.standby.thaw();
    let second = pair.score("second").await.unwrap();
    assert_eq!((second.replayed, second.decision.log_index), (true, 2));

    pair.primary.kill();
    let promoted = PgPool::connect(&pair.standby.url()).await.unwrap();
    promoted.execute("SELECT pg_promote()").await.unwrap();
    let Stores {
        decisions: store, ..
    } = open(&pair.standby).await;
    let kept = store
        .page(&Principal::default_tenant(), 0, 10)
        .await
        .unwrap();
    assert_eq!(
        kept,
        [first.decision, second.decision].map(Found::Kept),
        "the standby has what was answered"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_hangs_is_given_up_and_decided_once() {
    let pair = Box::pin(Pair::start()).await;
    pair.standby.freeze();
    assert_not_durable(pair.score("k").await);
    assert_not_durable(pair.score("k").await);
    pair.standby.thaw();
    let scored = until("the standby answers", LIMIT, async || {
        pair.score("k").await.ok()
    })
    .await;
    assert_eq!(scored.decision.log_index, 1);
    assert_eq!(pair.score("k").await.unwrap().decision, scored.decision);
    assert_eq!(pair.gateway.app.store.highest_index().await.unwrap(), 1);
}
