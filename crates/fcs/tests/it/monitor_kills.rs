//! The monitor, the gateway and PostgreSQL are killed under load; the counters stay what a query over the facts gives.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fcs_testkit::load::{Load, Pace, post, run};
use fcs_testkit::postgres_server::PostgresServer;
use fcs_testkit::redis_url;
use serde_json::json;
use tokio::task::JoinSet;

use crate::system::{Store, System};

/// Recovery on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_mins(1);
/// What a monitor may take to catch up after a minute away.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(30);
/// Longer than any test.
const FOR_EVER: Duration = Duration::from_hours(24);
const PAUSE: Duration = Duration::from_millis(20);

/// What counters must hold, from the facts alone: the whole, each known group, and what became of the credit.
const DIFFERENCES: &str = "
WITH decided AS (
    SELECT d.*, o.outcome AS credit FROM bias_monitor.decisions d
    LEFT JOIN bias_monitor.outcomes o USING (application_id)
), cells AS (
    SELECT decided.*, '' AS attribute, '' AS group_name FROM decided
    UNION ALL
    SELECT decided.*, g.attribute, g.group_name FROM decided JOIN bias_monitor.demographics g USING (application_id)
), expected AS (
    SELECT model, arm, attribute, group_name, minute,
        count(*) FILTER (WHERE outcome = 'approve') AS approved,
        count(*) FILTER (WHERE outcome = 'refer') AS referred,
        count(*) FILTER (WHERE outcome = 'deny') AS denied,
        CAST(sum(score) AS BIGINT) AS score_sum,
        CAST(sum(score * score) AS BIGINT) AS score_square_sum,
        count(*) FILTER (WHERE outcome = 'approve' AND credit = 'repaid') AS approved_repaid,
        count(*) FILTER (WHERE outcome = 'approve' AND credit = 'defaulted') AS approved_defaulted
    FROM cells GROUP BY model, arm, attribute, group_name, minute
), kept AS (
    SELECT model, arm, attribute, group_name, minute, approved, referred, denied, score_sum, score_square_sum,
        approved_repaid, approved_defaulted
    FROM bias_monitor.counters WHERE approved <> 0 OR referred <> 0 OR denied <> 0
)
SELECT count(*) FROM (
    (TABLE expected EXCEPT TABLE kept) UNION ALL (TABLE kept EXCEPT TABLE expected)
) AS difference";

/// Decisions that only one of the two services has, or has otherwise.
const UNSHARED: &str = "
SELECT count(*) FROM scoring_gateway.decisions g
FULL JOIN bias_monitor.decisions m ON m.log_index = g.log_index
    AND m.decision_id = g.decision_id AND m.outcome = g.outcome
WHERE (g.log_index IS NULL OR m.log_index IS NULL) AND g.outcome IS DISTINCT FROM 'incomplete'";

/// Services on a PostgreSQL of their own, with load on them.
struct Scene {
    postgres: PostgresServer,
    system: System,
    load: JoinSet<()>,
    seed: u64,
}

impl Scene {
    fn set() -> Self {
        let postgres = PostgresServer::start(&[]);
        let system = System::start(Store::Postgres {
            database: postgres.url(),
            redis: redis_url(),
        });
        system.activate("boston-hmda/1");
        Self {
            postgres,
            system,
            load: JoinSet::new(),
            seed: 1,
        }
    }

    /// Decisions, protected attributes and outcomes, each so many a second, until the load is aborted.
    fn load(&mut self, per_second: f64) {
        let (gateway, monitor) = (
            self.address("scoring-gateway"),
            self.address("bias-monitor"),
        );
        self.send(gateway, per_second, decision);
        self.send(monitor, per_second / 2.0, demographics);
        self.send(monitor, per_second / 2.0, outcome);
    }

    fn send(&mut self, to: SocketAddr, per_second: f64, request: fn(u64) -> Vec<u8>) {
        let load = Load {
            to,
            connections: 8,
            pace: Pace::Open(per_second),
            length: FOR_EVER,
        };
        self.load.spawn(async move {
            run(load, request).await;
        });
    }

    fn address(&self, service: &str) -> SocketAddr {
        let url = self.system.url(service);
        url.trim_start_matches("http://").parse().unwrap()
    }

    fn number(&self, query: &str) -> u64 {
        let answer = self.postgres.ask("psql", &["-qtAc", query]);
        answer.trim().parse().unwrap()
    }

    fn counted(&self) -> u64 {
        self.number("SELECT last_index FROM bias_monitor.state")
    }

    fn decided(&self) -> u64 {
        self.number("SELECT COALESCE(max(log_index), 0) FROM scoring_gateway.decisions")
    }

    /// Waits until the monitor has counted up to an index.
    async fn until_counted(&self, index: u64) {
        let start = Instant::now();
        while self.counted() < index {
            assert!(
                start.elapsed() < LIMIT,
                "{} of {index} counted",
                self.counted()
            );
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A linear congruential sequence: kills come at other moments each time.
    fn below(&mut self, limit: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.seed >> 33) % limit
    }

    async fn kill(&mut self, rounds: u64) {
        for _ in 0..rounds {
            let more = 5 + self.below(60);
            self.until_counted(self.counted() + more).await;
            match self.below(3) {
                0 => {
                    self.system.kill("bias-monitor");
                    self.system.start_one("bias-monitor");
                }
                1 => {
                    self.system.kill("scoring-gateway");
                    self.system.start_one("scoring-gateway");
                }
                _ => {
                    self.postgres.kill();
                    self.postgres.restart();
                }
            }
        }
    }

    /// Ends the load, waits for the rest and compares.
    async fn compare(mut self) {
        self.load.shutdown().await;
        self.until_counted(self.decided()).await;
        assert!(self.number("SELECT count(*) FROM bias_monitor.outcomes") > 0);
        assert!(self.number("SELECT count(*) FROM bias_monitor.demographics") > 0);
        assert_eq!(
            self.number(UNSHARED),
            0,
            "both services have the same decisions"
        );
        assert_eq!(
            self.number(DIFFERENCES),
            0,
            "the counters are those of the facts"
        );
        let spoil =
            "UPDATE bias_monitor.counters SET approved = approved + 1 WHERE attribute <> ''";
        self.postgres.ask("psql", &["-qc", spoil]);
        assert!(self.number(DIFFERENCES) > 0, "the comparison can fail");
    }
}

/// Applications whose ratio of debt to income grows, so that some are denied.
fn decision(number: u64) -> Vec<u8> {
    let ratio = 0.1 + 0.1 * (number % 10) as f64;
    let body = json!({
        "application_id": format!("A-{number}"),
        "features": {
            "dir": ratio, "hir": 0.25, "lvr": 0.8, "uria": 3.1, "ccs": "no_slow_payments",
            "mcs": "no_late_payments", "pbcr": "no", "dmi": "no", "self": "no", "condominium": "no",
        },
    });
    let key = format!("idempotency-key: k-{number}\r\n");
    post("/v1/applications/score", &key, &body.to_string())
}

/// Some before their decisions and some after, some twice, and some corrected.
fn demographics(number: u64) -> Vec<u8> {
    let application = number * 2 % 997 + number / 3;
    let race = ["black", "white", "other"][usize::try_from(number % 3).unwrap()];
    let sex = ["female", "male"][usize::try_from(application % 2).unwrap()];
    let item = json!({
        "application_id": format!("A-{application}"),
        "attributes": {"race": race, "sex": sex},
        "source": "self_reported",
    });
    post(
        "/v1/demographics",
        "",
        &json!({"items": [item]}).to_string(),
    )
}

/// Some twice, and some taken back by a later one.
fn outcome(number: u64) -> Vec<u8> {
    let event = number / 2;
    let outcome = ["repaid", "defaulted", "repaid"][usize::try_from(event % 3).unwrap()];
    let item = json!({
        "event_id": format!("E-{event}"),
        "application_id": format!("A-{}", event * 3 % 1_009 + event / 4),
        "outcome": outcome,
        "occurred_at": format!("2026-01-{:02}T00:00:00Z", 1 + event % 28),
    });
    post("/v1/outcomes", "", &json!({"items": [item]}).to_string())
}

async fn kill_and_compare(rounds: u64) {
    let mut scene = Scene::set();
    scene.load(100.0);
    scene.kill(rounds).await;
    scene.compare().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_survive_kills_of_monitor_gateway_and_database() {
    kill_and_compare(10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; run it by hand"]
async fn counters_survive_a_hundred_kills() {
    kill_and_compare(100).await;
}

/// A monitor that was away for a while at 500 decisions a second, which go on while it catches up.
#[expect(
    clippy::print_stdout,
    reason = "the figures are for whoever runs it by hand"
)]
async fn catch_up(backlog: u64) {
    let mut scene = Scene::set();
    scene.load(20.0);
    scene.until_counted(20).await;
    scene.system.kill("bias-monitor");
    let away = Instant::now();
    let gateway = scene.address("scoring-gateway");
    scene.send(gateway, 480.0, |number| decision(1_000_000 + number));
    let before = scene.counted();
    while scene.decided() < before + backlog {
        tokio::time::sleep(PAUSE).await;
    }
    let away = away.elapsed();
    let back = Instant::now();
    scene.system.start_one("bias-monitor");
    // All that was decided until a moment ago is counted.
    loop {
        let decided = scene.decided();
        if scene.counted() + 500 >= decided {
            break;
        }
        assert!(
            back.elapsed() < CATCH_UP_LIMIT,
            "{} of {decided}",
            scene.counted()
        );
        tokio::time::sleep(PAUSE).await;
    }
    println!(
        "away for {away:?}, {backlog} decisions; caught up {:?} after its start",
        back.elapsed()
    );
    scene.compare().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_catches_up_while_decisions_go_on() {
    catch_up(1_500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; run it by hand"]
async fn a_monitor_catches_up_after_a_minute_away() {
    catch_up(30_000).await;
}
