//! What the tests share: stores on both engines, a traffic table, a feed, a gateway, an HTTP client.

pub(crate) mod app;
pub(crate) mod feed;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod rollout;

use std::path::Path;
use std::sync::Arc;

use deployment_audit::metrics::Metrics;
use deployment_audit::store::rollouts::RolloutStore;
use deployment_audit::store::{self, Store};
use fcs_core::{Digest, Secret};
use fcs_service::Settings;
use fcs_service::database::{self, Database};
use fcs_service::settings::DatabaseSettings;
use fcs_testkit::postgres::TestDatabase;
use prometheus_client::registry::Registry;
use tempfile::TempDir;

/// A migrated database of its own and the store on it.
pub(crate) struct Backend {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) rollouts: Arc<dyn RolloutStore>,
    pub(crate) database: Database,
    pub(crate) settings: DatabaseSettings,
    pub(crate) folder: TempDir,
    _server: Option<TestDatabase>,
}

impl Backend {
    async fn open(url: Option<&str>, server: Option<TestDatabase>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = embedded(folder.path()).database;
        if let Some(url) = url {
            settings.url = Secret::new(url.to_owned());
        }
        let database = database::open(&settings, folder.path(), "deployment_audit")
            .await
            .unwrap();
        store::migrate(&database).await.unwrap();
        let store = store::open(database.clone());
        let rollouts = store::open_rollouts(database.clone());
        Self {
            store,
            rollouts,
            database,
            settings,
            folder,
            _server: server,
        }
    }

    /// The same backend with its database opened again.
    pub(crate) async fn reopened(self) -> Self {
        let folder = self.folder.path();
        let database = database::open(&self.settings, folder, "deployment_audit")
            .await
            .unwrap();
        Self {
            store: store::open(database.clone()),
            rollouts: store::open_rollouts(database.clone()),
            database,
            ..self
        }
    }

    /// Runs a statement past the store.
    pub(crate) async fn execute(&self, statement: &'static str) -> Result<u64, sqlx::Error> {
        match &self.database {
            Database::Postgres(pool) => sqlx::query(statement)
                .execute(pool)
                .await
                .map(|done| done.rows_affected()),
            Database::Sqlite(pool) => sqlx::query(statement)
                .execute(pool)
                .await
                .map(|done| done.rows_affected()),
        }
    }
}

pub(crate) fn embedded(folder: &Path) -> Settings<()> {
    Settings::embedded(folder, ())
}

pub(crate) async fn sqlite() -> Backend {
    Backend::open(None, None).await
}

pub(crate) async fn postgres() -> Backend {
    let server = fcs_testkit::postgres::database().await;
    let url = server.url.clone();
    Backend::open(Some(&url), Some(server)).await
}

/// Runs each case on both engines.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::support::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::support::postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both;

/// The digest that the tests give to the decision at an index.
pub(crate) fn digest_of(log_index: u64) -> Digest {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&log_index.to_le_bytes());
    Digest::from_bytes(bytes)
}

/// A catalogue and its registry.
pub(crate) fn metrics() -> (Metrics, Registry) {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    (metrics, registry)
}

/// Whether the registry shows a line.
pub(crate) fn shows(registry: &Registry, line: &str) -> bool {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text.lines().any(|shown| shown == line)
}
