//! The use cases with their writer, on a real store and the fake model server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ApiError, Clock};
use fcs_decision::application::Application;
use fcs_decision::features::FeatureInput;
use fcs_decision::trust::TrustPolicy;
use fcs_service::admission::Admission;
use fcs_service::auth::Principal;
use fcs_service::database::Database;
use fcs_service::grpc::Deadline;
use fcs_service::settings::AdmissionSettings;
use fcs_service::{MetricsHandle, OsRandom};
use scoring_gateway::app::App;
use scoring_gateway::app::catalog::Catalog;
use scoring_gateway::app::command::ScoreCommand;
use scoring_gateway::app::control::TrafficControl;
use scoring_gateway::app::feed::FeedSource;
use scoring_gateway::app::flight::Flights;
use scoring_gateway::app::page_token::PageTokens;
use scoring_gateway::app::queue::{Job, Queue, Scored, queue};
use scoring_gateway::app::shadow::Shadows;
use scoring_gateway::app::traffic::{ProposedArm, ProposedTable};
use scoring_gateway::jobs::writer::Writer;
use scoring_gateway::metrics::Metrics;
use scoring_gateway::privacy::{KeyFile, Vault};
use scoring_gateway::settings::{NoticeSettings, ShadowSettings};
use scoring_gateway::store::{
    self, CaseStore, DecisionStore, ErasureStore, FleetStore, ShadowStore,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::models::FakeModels;
use super::{NOW, StoppedClock, package};

/// What a gateway keeps, on one database.
pub(crate) struct Stores {
    pub(crate) decisions: Arc<dyn DecisionStore>,
    pub(crate) cases: Arc<dyn CaseStore>,
    pub(crate) fleet: Arc<dyn FleetStore>,
    pub(crate) shadows: Arc<dyn ShadowStore>,
    pub(crate) erasures: Arc<dyn ErasureStore>,
}

/// The stores of an open database.
pub(crate) fn stores(database: &Database) -> Stores {
    let stores = store::of(database, vault());
    Stores {
        decisions: stores.decisions,
        cases: stores.cases,
        fleet: stores.fleet,
        shadows: stores.shadows,
        erasures: stores.erasures,
    }
}

/// The keys of every test's data.
pub(crate) const KEY_FILE: &str = "blind_index_key = \"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\"\n\
                                   [[key_encryption_keys]]\n\
                                   id = \"kek-1\"\n\
                                   key = \"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"\n";

pub(crate) fn vault() -> Arc<Vault> {
    Arc::new(Vault::new(
        &KeyFile::parse(KEY_FILE).unwrap(),
        Arc::new(OsRandom),
    ))
}

/// A creditor for notices.
pub(crate) fn notices() -> NoticeSettings {
    NoticeSettings {
        creditor_name: "First Test Bank".to_owned(),
        creditor_address: "1 Main Street, Springfield, IL 62701".to_owned(),
        agency: "Bureau of Tests, 2 Agency Road, Washington, DC 20552".to_owned(),
        ..NoticeSettings::default()
    }
}

pub(crate) struct Gateway {
    pub(crate) app: Arc<App>,
    pub(crate) models: Arc<FakeModels>,
    /// The model server of the shadow arms.
    pub(crate) shadow_models: Arc<FakeModels>,
    pub(crate) shadows: Shadows,
    pub(crate) feed: FeedSource,
    pub(crate) draining: CancellationToken,
    pub(crate) soft: CancellationToken,
    pub(crate) writer: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Gateway {
    pub(crate) async fn start(stores: Stores) -> Self {
        let (queue, jobs) = queue(1_000);
        let (mut gateway, writer) = Self::without_writer(stores, queue).await;
        gateway.writer = Some(tokio::spawn(writer.run(jobs)));
        gateway
    }

    /// A gateway whose queue nobody empties, and the queue's end.
    pub(crate) async fn stuck(stores: Stores, capacity: usize) -> (Self, mpsc::Receiver<Job>) {
        let (queue, jobs) = queue(capacity);
        (Self::without_writer(stores, queue).await.0, jobs)
    }

    async fn without_writer(stores: Stores, queue: Queue) -> (Self, Writer) {
        let Stores {
            decisions: store,
            cases,
            fleet,
            shadows,
            erasures,
        } = stores;
        let (models, shadow_models) = (Arc::new(FakeModels::default()), Arc::default());
        let clock = Arc::new(StoppedClock(NOW)) as Arc<dyn Clock>;
        let catalog = catalog_of(&models, &clock);
        let metrics = Metrics::default();
        let shadows = Shadows {
            log: Arc::clone(&store),
            store: shadows,
            catalog: catalog_of(&shadow_models, &clock),
            settings: ShadowSettings::default(),
            instance_id: "gw_test".to_owned(),
            metrics: metrics.clone(),
        };
        let catalogs = (Arc::clone(&catalog), Arc::clone(&shadows.catalog));
        let traffic = TrafficControl::open(Arc::clone(&store), fleet, catalogs, metrics.clone());
        let traffic = Arc::new(traffic.await.unwrap());
        let highest = watch::Sender::new(store.highest_index().await.unwrap());
        let (draining, soft) = (CancellationToken::new(), CancellationToken::new());
        let feed = FeedSource {
            store: Arc::clone(&store),
            highest: highest.subscribe(),
            draining: draining.clone(),
            metrics: metrics.clone(),
        };
        let confirmed = queue.confirmed().clone();
        let app = Arc::new(App {
            admission: Admission::new(&AdmissionSettings::default(), &MetricsHandle::default()),
            store: Arc::clone(&store),
            cases,
            catalog,
            traffic,
            queue,
            flights: Flights::default(),
            erasures,
            notices: notices(),
            page_tokens: PageTokens::new(&[1; 32]),
            clock,
            random: Arc::new(OsRandom),
            metrics: metrics.clone(),
        });
        let writer = Writer {
            store,
            metrics,
            highest,
            confirmed,
            batch_max: 64,
            batch_delay: Duration::from_millis(3),
            soft: soft.clone(),
        };
        (
            Self {
                app,
                models,
                shadow_models,
                shadows,
                feed,
                draining,
                soft,
                writer: None,
            },
            writer,
        )
    }

    /// Gives all traffic to a version of the test model.
    pub(crate) async fn activate(&self, version: &str) {
        let generation = self.app.traffic.table().generation;
        self.app
            .traffic
            .apply(generation, table(generation + 1, version))
            .await
            .unwrap();
    }

    pub(crate) async fn score(
        &self,
        key: &str,
        features: BTreeMap<String, FeatureInput>,
    ) -> Result<Scored, ApiError> {
        self.apply(key, features, Application::default()).await
    }

    pub(crate) async fn score_as(
        &self,
        key: &str,
        application_id: &str,
        features: BTreeMap<String, FeatureInput>,
    ) -> Result<Scored, ApiError> {
        let command = ScoreCommand::new(key, application_id, features, Application::default())?;
        self.decide(command).await
    }

    pub(crate) async fn apply(
        &self,
        key: &str,
        features: BTreeMap<String, FeatureInput>,
        application: Application,
    ) -> Result<Scored, ApiError> {
        self.decide(ScoreCommand::new(
            key,
            &format!("A-{key}"),
            features,
            application,
        )?)
        .await
    }

    async fn decide(&self, command: ScoreCommand) -> Result<Scored, ApiError> {
        self.app
            .score(
                &Principal::anyone(),
                command,
                Deadline::after(Duration::from_secs(10)),
            )
            .await
    }
}

fn catalog_of(models: &Arc<FakeModels>, clock: &Arc<dyn Clock>) -> Arc<Catalog> {
    let trust = TrustPolicy::parse(&package::trust_policy()).unwrap();
    Arc::new(Catalog::new(
        Arc::clone(models) as _,
        trust,
        Arc::clone(clock),
    ))
}

pub(crate) fn table(generation: u64, version: &str) -> ProposedTable {
    let arm = ProposedArm {
        name: "stable".to_owned(),
        version: package::version(version),
        manifest_digest: None,
        weight_basis_points: 10_000,
    };
    ProposedTable {
        generation,
        salt: "test".to_owned(),
        arms: vec![arm],
        shadows: None,
    }
}
