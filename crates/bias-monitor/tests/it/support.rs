//! Databases, decisions and the recount that every test compares with.

pub(crate) mod gateway;
pub(crate) mod http;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bias_monitor::app::change::{Change, Receipt};
use bias_monitor::app::facts::{
    CreditOutcome, Decision, Demographics, KnownGroup, LoggedDecision, Outcome, OutcomeEvent,
    Source,
};
use bias_monitor::app::proxies::{GroupProbabilities, KnownMembership, ProxyName};
use bias_monitor::store::{self, MonitorStore};
use fcs_core::{DecisionId, Secret, UnixMicros};
use fcs_fairness::proxy::{Membership, ProxyCounts};
use fcs_service::database::{self, Database};
use fcs_service::settings::DatabaseSettings;
use fcs_testkit::postgres::TestDatabase;
use sqlx::Row as _;
use tempfile::TempDir;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A place for one store; what is in it outlives every opened store.
pub(crate) struct Place {
    pub(crate) settings: DatabaseSettings,
    folder: TempDir,
    _server: Option<TestDatabase>,
}

impl Place {
    pub(crate) async fn new(engine: Engine) -> Self {
        let server = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(fcs_testkit::postgres::database().await),
        };
        let mut settings = DatabaseSettings::default();
        if let Some(server) = &server {
            settings.url = Secret::new(server.url.clone());
        }
        settings.acquire_timeout_ms = 20_000;
        Self {
            settings,
            folder: tempfile::tempdir().unwrap(),
            _server: server,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn database(&self) -> Database {
        database::open(&self.settings, self.folder(), "bias_monitor")
            .await
            .unwrap()
    }

    /// Opens a store as a process does at its start.
    pub(crate) async fn open(&self) -> Opened {
        let database = self.database().await;
        store::migrate(&database).await.unwrap();
        Opened {
            store: store::of(&database),
            database,
        }
    }
}

/// An open store and the pool below it.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn MonitorStore>,
    pub(crate) database: Database,
}

impl Opened {
    pub(crate) async fn decide(&self, decisions: &[LoggedDecision]) -> Receipt {
        self.write(Change::Decisions(decisions.to_vec())).await
    }

    pub(crate) async fn write(&self, change: Change) -> Receipt {
        self.store.write(&change).await.unwrap()
    }

    /// Runs a statement beside the store.
    pub(crate) async fn execute(&self, statement: &'static str) {
        match &self.database {
            Database::Postgres(pool) => drop(sqlx::query(statement).execute(pool).await.unwrap()),
            Database::Sqlite(pool) => drop(sqlx::query(statement).execute(pool).await.unwrap()),
        }
    }

    /// Fails unless the counters equal a count from nothing by one plain join.
    pub(crate) async fn assert_equals_recount(&self) {
        assert_eq!(
            lines(&self.database, COUNTERS).await,
            lines(&self.database, RECOUNT).await
        );
        assert_eq!(
            lines(&self.database, BINS).await,
            lines(&self.database, RECOUNT_BINS).await
        );
        assert_eq!(
            lines(&self.database, STATE).await,
            lines(&self.database, RECOUNT_STATE).await
        );
        assert_eq!(
            lines(&self.database, IN_FORCE).await,
            lines(&self.database, RECOUNT_IN_FORCE).await
        );
        assert_eq!(self.profiles().await, self.recounted_profiles().await);
        assert_eq!(self.proxies().await, self.recounted_proxies().await);
    }

    /// Sums of probabilities as they are stored.
    async fn proxies(&self) -> BTreeMap<String, ProxyCounts> {
        let mut proxies = BTreeMap::new();
        for line in lines(&self.database, PROXIES).await {
            let (cell, counts) = line.split_once('#').unwrap();
            let counts: ProxyCounts = serde_json::from_str(counts).unwrap();
            if !counts.is_empty() {
                proxies.insert(cell.to_owned(), counts);
            }
        }
        proxies
    }

    /// Sums of probabilities from nothing.
    async fn recounted_proxies(&self) -> BTreeMap<String, ProxyCounts> {
        let mut proxies = BTreeMap::new();
        for line in lines(&self.database, DECIDED_PROXIES).await {
            let (cell, rest) = line.split_once('#').unwrap();
            let (outcome, parts) = rest.split_once('#').unwrap();
            let membership: Membership = serde_json::from_str(parts).unwrap();
            let counts = proxies
                .entry(cell.to_owned())
                .or_insert_with(|| ProxyCounts::new(membership.groups()));
            counts.count(&membership, outcome == "approve", 1).unwrap();
        }
        proxies
    }

    /// Counts of bins as they are stored.
    async fn profiles(&self) -> Profiles {
        let mut profiles = Profiles::new();
        for line in lines(&self.database, PROFILES).await {
            let (cell, counts) = line.split_once('#').unwrap();
            let counts: Vec<Vec<i64>> = serde_json::from_str(counts).unwrap();
            for (variable, places) in counts.iter().enumerate() {
                for (place, count) in places.iter().enumerate().filter(|(_, count)| **count != 0) {
                    profiles.insert((cell.to_owned(), variable, place), *count);
                }
            }
        }
        profiles
    }

    /// Counts of bins from nothing.
    async fn recounted_profiles(&self) -> Profiles {
        let mut profiles = Profiles::new();
        for line in lines(&self.database, DECIDED_BINS).await {
            let (cell, bins) = line.split_once('#').unwrap();
            let bins = bins.split(',').filter(|bin| !bin.is_empty());
            for (variable, bin) in bins.enumerate() {
                let key = (cell.to_owned(), variable, bin.parse().unwrap());
                *profiles.entry(key).or_default() += 1;
            }
        }
        profiles
    }
}

/// The only column of a query, sorted.
pub(crate) async fn lines(database: &Database, statement: &'static str) -> Vec<String> {
    let mut lines: Vec<String> = match database {
        Database::Postgres(pool) => {
            let rows = sqlx::query(statement).fetch_all(pool).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        }
        Database::Sqlite(pool) => {
            let rows = sqlx::query(statement).fetch_all(pool).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        }
    };
    lines.sort();
    lines
}

const COUNTERS: &str = "\
    SELECT model || '|' || arm || '|' || attribute || '|' || group_name || '|' || minute || '|' || approved || '|' || \
    referred || '|' || denied || '|' || score_sum || '|' || score_square_sum || '|' || approved_repaid || '|' || \
    approved_defaulted FROM counters WHERE approved <> 0 OR referred <> 0 OR denied <> 0 OR score_sum <> 0 \
    OR score_square_sum <> 0 OR approved_repaid <> 0 OR approved_defaulted <> 0";

const RECOUNT: &str = "\
    WITH ranked AS (SELECT application_id, outcome, ROW_NUMBER() OVER (PARTITION BY application_id \
        ORDER BY occurred_at DESC, event_id DESC) AS place FROM outcome_events), \
    latest AS (SELECT application_id, outcome FROM ranked WHERE place = 1), \
    cells AS (SELECT application_id, attribute, group_name FROM demographics \
        UNION ALL SELECT DISTINCT application_id, '', '' FROM decisions) \
    SELECT d.model || '|' || d.arm || '|' || c.attribute || '|' || c.group_name || '|' || d.minute || '|' || \
    SUM(CASE WHEN d.outcome = 'approve' THEN 1 ELSE 0 END) || '|' || \
    SUM(CASE WHEN d.outcome = 'refer' THEN 1 ELSE 0 END) || '|' || \
    SUM(CASE WHEN d.outcome = 'deny' THEN 1 ELSE 0 END) || '|' || \
    SUM(d.score) || '|' || SUM(d.score * d.score) || '|' || \
    SUM(CASE WHEN d.outcome = 'approve' AND l.outcome = 'repaid' THEN 1 ELSE 0 END) || '|' || \
    SUM(CASE WHEN d.outcome = 'approve' AND l.outcome = 'defaulted' THEN 1 ELSE 0 END) \
    FROM decisions d JOIN cells c ON c.application_id = d.application_id \
    LEFT JOIN latest l ON l.application_id = d.application_id \
    GROUP BY d.model, d.arm, c.attribute, c.group_name, d.minute";

/// Cell, variable and place to decisions.
type Profiles = BTreeMap<(String, usize, usize), i64>;

const PROFILES: &str = "\
    SELECT model || '|' || arm || '|' || attribute || '|' || group_name || '|' || hour || '#' || counts FROM profiles";

const DECIDED_BINS: &str = "\
    WITH cells AS (SELECT application_id, attribute, group_name FROM demographics \
        UNION ALL SELECT DISTINCT application_id, '', '' FROM decisions) \
    SELECT d.model || '|' || d.arm || '|' || c.attribute || '|' || c.group_name || '|' || (d.minute / 60) || '#' || d.bins \
    FROM decisions d JOIN cells c ON c.application_id = d.application_id";

const PROXIES: &str = "\
    SELECT model || '|' || arm || '|' || attribute || '|' || source || '|' || proxy_version || '|' || group_names || '|' \
    || hour || '#' || counts FROM proxies";

const DECIDED_PROXIES: &str = "\
    SELECT d.model || '|' || d.arm || '|' || p.attribute || '|' || p.source || '|' || p.proxy_version || '|' || \
    p.group_names || '|' || (d.minute / 60) || '#' || d.outcome || '#' || p.parts \
    FROM decisions d JOIN group_probabilities p ON p.application_id = d.application_id";

const BINS: &str = "SELECT model || '|' || bin || '|' || labelled || '|' || defaulted || '|' || predicted_sum_ppm \
    FROM calibration WHERE labelled <> 0 OR defaulted <> 0 OR predicted_sum_ppm <> 0";

const RECOUNT_BINS: &str = "\
    WITH ranked AS (SELECT application_id, outcome, ROW_NUMBER() OVER (PARTITION BY application_id \
        ORDER BY occurred_at DESC, event_id DESC) AS place FROM outcome_events), \
    latest AS (SELECT application_id, outcome FROM ranked WHERE place = 1), \
    labelled AS (SELECT d.model, d.probability_ppm, l.outcome, \
        CASE WHEN d.probability_ppm = 1000000 THEN 99 ELSE d.probability_ppm / 10000 END AS bin \
        FROM decisions d JOIN latest l ON l.application_id = d.application_id WHERE d.outcome = 'approve') \
    SELECT model || '|' || bin || '|' || COUNT(*) || '|' || \
    SUM(CASE WHEN outcome = 'defaulted' THEN 1 ELSE 0 END) || '|' || SUM(probability_ppm) \
    FROM labelled GROUP BY model, bin";

const STATE: &str =
    "SELECT last_index || '|' || decisions || '|' || demographics || '|' || outcomes FROM state";

const RECOUNT_STATE: &str = "\
    SELECT (SELECT COALESCE(MAX(log_index), 0) FROM decisions) || '|' || (SELECT COUNT(*) FROM decisions) || '|' || \
    (SELECT COUNT(*) FROM demographics) || '|' || (SELECT COUNT(*) FROM outcome_events)";

const IN_FORCE: &str = "SELECT application_id || '|' || outcome || '|' || occurred_at || '|' || event_id FROM outcomes";

const RECOUNT_IN_FORCE: &str = "\
    SELECT application_id || '|' || outcome || '|' || occurred_at || '|' || event_id FROM (SELECT application_id, \
    outcome, occurred_at, event_id, ROW_NUMBER() OVER (PARTITION BY application_id ORDER BY occurred_at DESC, \
    event_id DESC) AS place FROM outcome_events) ranked WHERE place = 1";

/// Three variables, the first of which has a value in two of three decisions.
fn bins(log_index: u64) -> Vec<u16> {
    let bin = |of: u64| u16::try_from(log_index % of).unwrap();
    vec![bin(3), bin(4) + 1, bin(5) + 1]
}

/// A decision whose other columns follow from its place in the log.
pub(crate) fn decision(log_index: u64, application: &str, outcome: Outcome) -> LoggedDecision {
    let number = i64::try_from(log_index).unwrap();
    let mut random = [0; 10];
    random[..8].copy_from_slice(&log_index.to_be_bytes());
    LoggedDecision {
        log_index,
        decision_id: DecisionId::new(UnixMicros(number), &random),
        decision: Decision {
            application_id: application.parse().unwrap(),
            minute: number / 100,
            model: "demo/1".parse().unwrap(),
            arm: "stable".to_owned(),
            outcome,
            score: 500 + number * 37 % 300,
            probability_ppm: number * 7_919 % 1_000_001,
            bins: bins(log_index),
        },
    }
}

pub(crate) fn demographics(application: &str, attributes: &[(&str, &str)]) -> Demographics {
    let known = |(name, group): &(&str, &str)| {
        let group = KnownGroup {
            group: group.parse().unwrap(),
            source: Source::SelfReported,
        };
        (name.parse().unwrap(), group)
    };
    Demographics {
        application_id: application.parse().unwrap(),
        attributes: attributes.iter().map(known).collect(),
    }
}

/// What the proxy "bisg" of a version says of an applicant's race.
pub(crate) fn probabilities(
    application: &str,
    version: &str,
    of_groups: &[(&str, f64)],
) -> GroupProbabilities {
    let own = |(group, probability): &(&str, f64)| (group.parse().unwrap(), *probability);
    GroupProbabilities {
        application_id: application.parse().unwrap(),
        proxy: ProxyName {
            attribute: "race".parse().unwrap(),
            source: "bisg".parse().unwrap(),
            version: version.parse().unwrap(),
        },
        known: KnownMembership::new(of_groups.iter().map(own).collect()).unwrap(),
    }
}

pub(crate) fn event(id: &str, application: &str, outcome: CreditOutcome, at: i64) -> OutcomeEvent {
    OutcomeEvent {
        event_id: id.parse().unwrap(),
        application_id: application.parse().unwrap(),
        outcome,
        occurred_at: UnixMicros(at),
    }
}
