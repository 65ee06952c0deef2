//! The decision API: scores applications and keeps the gap-free decision log.
//!
//! For: one call that validates an application, has it scored by the model of its traffic arm, applies policy and
//! reasons, and answers once the record is durable; reading, replaying and following the log; the traffic table.
//! Not for: evaluating models (the model server), demographics (the bias monitor), approvals (deployment-audit).
//!
//! Invariants: no answer before its commit; one decision per idempotency key; log indices start at 1 and have no
//! gap; only models whose signature this process has verified take traffic; no protected attribute gets in.

pub mod app;
pub mod jobs;
pub mod metrics;
pub mod privacy;
pub mod settings;
pub mod store;

mod access;
mod document;
mod grpc;
mod http;

pub use http::openapi_document;

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use fcs_core::Clock;
use fcs_decision::trust::TrustPolicy;
use fcs_service::auth::{Auth, KeySecret, Rule};
use fcs_service::database::{self, Database};
use fcs_service::{OsRandom, Service, ServiceContext, Settings, SystemClock};
use tokio::sync::watch;

use crate::app::App;
use crate::app::catalog::Catalog;
use crate::app::control::TrafficControl;
use crate::app::feed::FeedSource;
use crate::app::flight::Flights;
use crate::app::keys::{Directory, Keys};
use crate::app::page_token::PageTokens;
use crate::app::queue::queue;
use crate::app::shadow::Shadows;
use crate::grpc::model_client::ModelClient;
use crate::grpc::model_servers::ModelServers;
use crate::jobs::eraser::Eraser;
use crate::jobs::heartbeat::Heartbeat;
use crate::jobs::reconcile::{KeyPurge, ModelReconciler};
use crate::jobs::sealer::Sealer;
use crate::jobs::shadow::ShadowWorker;
use crate::jobs::writer::Writer;
use crate::metrics::Metrics;
use crate::privacy::{KeyFile, Vault};
use crate::settings::GatewaySettings;
use crate::store::{CaseStore, DecisionStore, FleetStore, PrivacyStore, ShadowStore, Stores};

/// The service, for `fcs_service::run` and `fcs_service::launch`.
pub struct Gateway;

/// The schema on PostgreSQL and the file name on SQLite.
const SCHEMA: &str = "scoring_gateway";

impl Service for Gateway {
    const NAME: &'static str = "scoring-gateway";
    const SECTION: &'static str = "gateway";
    const HTTP_PORT: u16 = 8000;
    const ADMIN_PORT: u16 = 9000;

    const ACCESS: &'static [Rule] = access::RULES;
    type Settings = GatewaySettings;

    async fn start(ctx: ServiceContext<GatewaySettings>) -> anyhow::Result<Router> {
        let settings = &ctx.settings.service;
        let trust = read_trust_policy(settings)?;
        let database = open(&ctx).await?;
        if ctx.settings.database.migrate_on_start {
            store::migrate(&database).await?;
        } else {
            store::check_migrated(&database).await?;
        }
        let stores = stores(&ctx, &database).await?;
        database.watch(&ctx);
        let keys = keys(&ctx, &database)?;
        let directory = Directory(Arc::clone(&keys.store));
        ctx.auth
            .accept_keys(keys.secret.clone(), Arc::new(directory));
        wire(&ctx, stores, keys, trust).await
    }

    async fn migrate(ctx: ServiceContext<GatewaySettings>) -> anyhow::Result<()> {
        store::migrate(&open(&ctx).await?).await
    }
}

async fn open(ctx: &ServiceContext<GatewaySettings>) -> anyhow::Result<Database> {
    database::open(&ctx.settings.database, &ctx.settings.data_dir, SCHEMA).await
}

/// The stores with the keys from the file. A wrong file is found here, before anything is written with it.
async fn stores(
    ctx: &ServiceContext<GatewaySettings>,
    database: &Database,
) -> anyhow::Result<Stores> {
    let file = KeyFile::load(&ctx.settings, &*ctx.random)?;
    let vault = Vault::new(&file, Arc::clone(&ctx.random));
    let stores = store::of(database, Arc::new(vault));
    stores.privacy.check_keys().await?;
    Ok(stores)
}

fn keys(ctx: &ServiceContext<GatewaySettings>, database: &Database) -> anyhow::Result<Arc<Keys>> {
    Ok(Arc::new(Keys {
        store: store::clients_of(database),
        secret: KeySecret::load(&ctx.settings, &*ctx.random)?,
        auth: ctx.auth.clone(),
        clock: Arc::clone(&ctx.clock),
        random: Arc::clone(&ctx.random),
    }))
}

/// The keys in the gateway's own store, for whoever may read its settings: the way to the first key.
pub async fn local_keys(settings: &Settings<GatewaySettings>) -> anyhow::Result<Keys> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let database = database::open(&settings.database, &settings.data_dir, SCHEMA).await?;
    if settings.database.migrate_on_start {
        store::migrate(&database).await?;
    } else {
        store::check_migrated(&database).await?;
    }
    Ok(Keys {
        store: store::clients_of(&database),
        secret: KeySecret::load(settings, &OsRandom)?,
        auth: Auth::new(&settings.auth, Arc::clone(&clock))?,
        clock,
        random: Arc::new(OsRandom),
    })
}

/// A client as the contract shows it, without anything that opens something.
pub fn shown_client(client: &app::keys::Client) -> fcs_proto::scoring::v1::ApiClient {
    grpc::keys::shown(client)
}

fn read_trust_policy(settings: &GatewaySettings) -> anyhow::Result<TrustPolicy> {
    let path = settings.trust_policy.display();
    let text = std::fs::read_to_string(&settings.trust_policy).with_context(|| {
        format!("cannot read the trust policy {path}; set gateway.trust_policy to the file with the signing keys")
    })?;
    TrustPolicy::parse(&text).with_context(|| format!("the trust policy {path} is not usable"))
}

/// Puts the parts together: tasks on the context, routes as the result.
async fn wire(
    ctx: &ServiceContext<GatewaySettings>,
    stores: Stores,
    keys: Arc<Keys>,
    trust: TrustPolicy,
) -> anyhow::Result<Router> {
    let Stores {
        decisions: store,
        cases,
        privacy,
        erasures,
        shadows: shadow_store,
        fleet,
    } = stores;
    let settings = &ctx.settings.service;
    let metrics = Metrics::default();
    metrics.register(&ctx.metrics);
    let models = Arc::new(model_servers(ctx, &metrics)?);
    let catalog = Arc::new(Catalog::new(models, trust.clone(), Arc::clone(&ctx.clock)));
    let shadows = shadows(ctx, (&store, shadow_store), trust, &metrics)?;
    let traffic = TrafficControl::open(
        Arc::clone(&store),
        Arc::clone(&fleet),
        (Arc::clone(&catalog), Arc::clone(&shadows.catalog)),
        metrics.clone(),
    );
    let traffic = Arc::new(traffic.await?);
    let highest = watch::Sender::new(store.highest_index().await?);
    metrics.log_highest_index.set(*highest.borrow());
    let feed = FeedSource {
        store: Arc::clone(&store),
        highest: highest.subscribe(),
        draining: ctx.draining.clone(),
        metrics: metrics.clone(),
    };
    let (queue, jobs) = queue(settings.queue_capacity);
    let confirmed = queue.confirmed().clone();
    let app = Arc::new(App {
        admission: ctx.admission.clone(),
        store: Arc::clone(&store),
        catalog,
        traffic,
        queue,
        flights: Flights::default(),
        erasures,
        notices: settings.notice.clone(),
        page_tokens: page_tokens(ctx, &*cases).await?,
        cases,
        clock: Arc::clone(&ctx.clock),
        random: Arc::clone(&ctx.random),
        metrics: metrics.clone(),
    });
    let writer = Writer {
        store,
        metrics,
        highest,
        confirmed,
        batch_max: settings.batch_max,
        batch_delay: settings.batch_delay(),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("writer", writer.run(jobs));
    spawn_reconcilers(ctx, &app, privacy);
    spawn_fleet_work(ctx, &app.traffic, fleet, &shadows);
    let services = grpc::routes(ctx, &app, &shadows, keys, feed)?;
    Ok(http::routes(&app, &shadows, settings.score_timeout()).merge(services))
}

/// Scoring for shadow arms, over a connection of its own to a model server.
fn shadows(
    ctx: &ServiceContext<GatewaySettings>,
    (log, store): (&Arc<dyn DecisionStore>, Arc<dyn ShadowStore>),
    trust: TrustPolicy,
    metrics: &Metrics,
) -> anyhow::Result<Arc<Shadows>> {
    let settings = &ctx.settings.service;
    let models = ModelClient::over(ctx.channel(settings.shadow_model_server())?);
    let mut name = [0; 8];
    ctx.random.fill(&mut name);
    Ok(Arc::new(Shadows {
        log: Arc::clone(log),
        store,
        catalog: Arc::new(Catalog::new(
            Arc::new(models),
            trust,
            Arc::clone(&ctx.clock),
        )),
        settings: settings.shadow.clone(),
        instance_id: format!("gw_{:016x}", u64::from_be_bytes(name)),
        metrics: metrics.clone(),
    }))
}

fn model_servers(
    ctx: &ServiceContext<GatewaySettings>,
    metrics: &Metrics,
) -> anyhow::Result<ModelServers> {
    let client = |url: &str| anyhow::Ok((url.to_owned(), ModelClient::over(ctx.channel(url)?)));
    let clients: Vec<_> = ctx
        .settings
        .service
        .model_servers()
        .map(client)
        .collect::<Result<_, _>>()?;
    let (servers, gatherer) = ModelServers::over(clients, metrics.clone());
    ctx.spawn("model-calls", gatherer.run());
    Ok(servers)
}

/// The key of page tokens, the same for every gateway on the store.
async fn page_tokens(
    ctx: &ServiceContext<GatewaySettings>,
    cases: &dyn CaseStore,
) -> anyhow::Result<PageTokens> {
    let mut fresh = [0; 32];
    ctx.random.fill(&mut fresh);
    Ok(PageTokens::new(
        &cases.signing_key("page-token", fresh).await?,
    ))
}

fn spawn_reconcilers(
    ctx: &ServiceContext<GatewaySettings>,
    app: &App,
    privacy: Arc<dyn PrivacyStore>,
) {
    let models = ModelReconciler {
        traffic: Arc::clone(&app.traffic),
        catalog: Arc::clone(&app.catalog),
        latch: ctx.health.dependency("model-server"),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("model-reconciler", models.run());
    let purge = KeyPurge {
        store: Arc::clone(&app.store),
        clock: Arc::clone(&app.clock),
        metrics: app.metrics.clone(),
        days: ctx.settings.service.idempotency_days,
        soft: ctx.soft.clone(),
    };
    ctx.spawn("key-purge", purge.run());
    let sealer = Sealer {
        store: privacy,
        metrics: app.metrics.clone(),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("sealer", sealer.run());
    let eraser = Eraser {
        store: Arc::clone(&app.erasures),
        clock: Arc::clone(&app.clock),
        metrics: app.metrics.clone(),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("eraser", eraser.run());
}

/// What this gateway does beside the others on its store.
fn spawn_fleet_work(
    ctx: &ServiceContext<GatewaySettings>,
    traffic: &Arc<TrafficControl>,
    fleet: Arc<dyn FleetStore>,
    shadows: &Arc<Shadows>,
) {
    let heartbeat = Heartbeat {
        fleet,
        traffic: Arc::clone(traffic),
        instance_id: shadows.instance_id.clone(),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("heartbeat", heartbeat.run());
    let worker = ShadowWorker {
        shadows: Arc::clone(shadows),
        traffic: Arc::clone(traffic),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("shadow-worker", worker.run());
}
