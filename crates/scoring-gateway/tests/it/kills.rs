//! Processes killed under load: what was answered stays, and nothing is decided twice.
//!
//! The harness must be able to see a loss: with `synchronous_commit=off` and a lazy WAL writer, PostgreSQL confirms
//! commits that a kill of all its processes loses, and the same comparison finds them missing.

use std::time::{Duration, Instant};

use fcs_service::database;
use fcs_service::settings::DatabaseSettings;
use fcs_testkit::postgres_server::PostgresServer;
use scoring_gateway::store;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::support::fleet::Fleet;
use crate::support::gateway::{Gateway, Stores, stores};
use crate::support::load::{Load, Verdict};

const CLIENTS: usize = 8;
const GATEWAYS: usize = 2;
/// Answers between two kills.
const ANSWERS: std::ops::Range<u64> = 20..80;
/// Until clients get answers again, on a machine that is busy with other tests.
const RECOVERY_LIMIT: Duration = Duration::from_secs(20);

/// What is killed in each round.
#[derive(Clone, Copy)]
enum Victim {
    Gateway,
    Postgres,
}

/// A cluster with load on it.
struct Scene {
    postgres: PostgresServer,
    fleet: Fleet,
    load: Load,
    seed: u64,
    slowest_recovery: Duration,
}

impl Scene {
    async fn set(postgres_settings: &[&str]) -> Self {
        let postgres = PostgresServer::start(postgres_settings);
        activate(&postgres).await;
        let fleet = Fleet::start(GATEWAYS, postgres.url()).await;
        let load = Load::start(&fleet.channels(), CLIENTS);
        Self {
            postgres,
            fleet,
            load,
            seed: 1,
            slowest_recovery: Duration::ZERO,
        }
    }

    async fn kill(&mut self, victim: Victim, rounds: u64) {
        for round in 0..rounds {
            let more = self.some_answers();
            self.load.answers(more).await;
            let victim_number = usize::try_from(round).unwrap() % GATEWAYS;
            match victim {
                Victim::Gateway => self.fleet.kill(victim_number),
                Victim::Postgres => self.postgres.kill(),
            }
            match victim {
                Victim::Gateway => self.fleet.launch(victim_number).await,
                Victim::Postgres => self.postgres.restart(),
            }
            let up = Instant::now();
            self.load.answers(1).await;
            self.slowest_recovery = self.slowest_recovery.max(up.elapsed());
        }
    }

    #[expect(
        clippy::print_stdout,
        reason = "the figures are for whoever runs it by hand"
    )]
    async fn verdict(self) -> Verdict {
        let Stores {
            decisions: store, ..
        } = open(&self.postgres).await;
        let verdict = self.load.finish(store.as_ref()).await;
        println!("{verdict:?}, slowest recovery {:?}", self.slowest_recovery);
        assert!(
            self.slowest_recovery < RECOVERY_LIMIT,
            "{:?}",
            self.slowest_recovery
        );
        verdict
    }

    /// A linear congruential sequence: kills come at other moments of a batch each time.
    fn some_answers(&mut self) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ANSWERS.start + (self.seed >> 33) % (ANSWERS.end - ANSWERS.start)
    }
}

async fn open(postgres: &PostgresServer) -> Stores {
    let settings = DatabaseSettings {
        url: fcs_core::Secret::new(postgres.url()),
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

/// Gives all traffic to the test model, and makes sure that this at least survives.
async fn activate(postgres: &PostgresServer) {
    Gateway::start(open(postgres).await)
        .await
        .activate("1")
        .await;
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    connection.execute("CHECKPOINT").await.unwrap();
}

async fn kill_and_compare(victim: Victim, rounds: u64) {
    let mut scene = Scene::set(&[]).await;
    scene.kill(victim, rounds).await;
    let verdict = scene.verdict().await;
    assert!(verdict.retries > 0, "the kills were felt: {verdict:?}");
    verdict.assert_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_gateways_lose_and_double_nothing() {
    kill_and_compare(Victim::Gateway, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_postgresql_loses_and_doubles_nothing() {
    kill_and_compare(Victim::Postgres, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; run it by hand"]
async fn two_hundred_kills_of_each_lose_and_double_nothing() {
    kill_and_compare(Victim::Gateway, 200).await;
    kill_and_compare(Victim::Postgres, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_comparison_finds_commits_that_were_confirmed_too_early() {
    // The WAL writer sleeps for ten seconds, and no amount of WAL wakes it.
    let careless = [
        "synchronous_commit=off",
        "wal_writer_delay=10000ms",
        "wal_writer_flush_after=1GB",
    ];
    let mut scene = Scene::set(&careless).await;
    scene.kill(Victim::Postgres, 3).await;
    let verdict = scene.verdict().await;
    assert!(verdict.missing > 0, "answers were lost: {verdict:?}");
}
