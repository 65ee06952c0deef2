//! What the tests share.

pub(crate) mod client;
pub(crate) mod fleet;
pub(crate) mod gateway;
pub(crate) mod load;
pub(crate) mod models;
pub(crate) mod package;
pub(crate) mod server;

use std::collections::BTreeMap;

use fcs_core::{Clock, UnixMicros};
use fcs_decision::features::FeatureInput;
use fcs_service::database::{self, Database};
use fcs_service::settings::DatabaseSettings;
use fcs_testkit::postgres::TestDatabase;
use scoring_gateway::store;
use tempfile::TempDir;

/// Tests of the store, each on SQLite and on PostgreSQL.
macro_rules! suite {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::support::TestStore::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::support::TestStore::postgres().await).await;
            })*
        }
    };
}
pub(crate) use suite;

/// A database of a test and what keeps it alive.
pub(crate) struct TestStore {
    pub(crate) database: Database,
    settings: DatabaseSettings,
    folder: TempDir,
    _server: Option<TestDatabase>,
}

impl TestStore {
    pub(crate) async fn sqlite() -> Self {
        Self::open(DatabaseSettings::default(), None).await
    }

    pub(crate) async fn postgres() -> Self {
        let server = fcs_testkit::postgres::database().await;
        let url = fcs_core::Secret::new(server.url.clone());
        let patient = 10_000;
        let settings = DatabaseSettings {
            url,
            acquire_timeout_ms: patient,
            statement_timeout_ms: patient,
            ..DatabaseSettings::default()
        };
        Self::open(settings, Some(server)).await
    }

    async fn open(settings: DatabaseSettings, server: Option<TestDatabase>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = open(&settings, &folder).await;
        store::migrate(&database).await.unwrap();
        Self {
            database,
            settings,
            folder,
            _server: server,
        }
    }

    /// URL of the PostgreSQL database, as its owner.
    pub(crate) fn postgres_url(&self) -> String {
        self.settings.url.expose().clone()
    }

    /// The folder of an SQLite database.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Another pool on the same database, as another process has.
    pub(crate) async fn reopen(&self) -> Database {
        open(&self.settings, &self.folder).await
    }
}

async fn open(settings: &DatabaseSettings, folder: &TempDir) -> Database {
    database::open(settings, folder.path(), "scoring_gateway")
        .await
        .unwrap()
}

/// A clock that stands still.
pub(crate) struct StoppedClock(pub(crate) UnixMicros);

impl Clock for StoppedClock {
    fn now(&self) -> UnixMicros {
        self.0
    }
}

pub(crate) const NOW: UnixMicros = UnixMicros(1_795_385_965_000_001);

/// An applicant of the test model; a low income with delinquencies is denied, a high income without is approved.
pub(crate) fn applicant(income: f64, delinquencies: f64) -> BTreeMap<String, FeatureInput> {
    BTreeMap::from([
        ("income".to_owned(), FeatureInput::Number(income)),
        (
            "delinquencies".to_owned(),
            FeatureInput::Number(delinquencies),
        ),
        (
            "housing".to_owned(),
            FeatureInput::Category("own".to_owned()),
        ),
    ])
}
