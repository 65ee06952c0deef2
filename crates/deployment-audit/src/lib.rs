//! Deployments with approvals, the gateway's traffic table, and the transparency log.
//!
//! For: recording who changed what and who approved it, making approved traffic true, and proving to an
//! outsider what was decided and deployed.
//! Not for: deciding what a deployment may do (`fcs-rollout`) and how a log hashes (`fcs-tlog`).
//!
//! Invariants: an event and its leaf are one transaction; leaf indexes and decision indexes have no gap;
//! a checkpoint is stored before it is shown; a log that differs from its last checkpoint is never signed.

pub mod app;
pub mod bias_monitor;
pub mod gateway;
pub mod jobs;
pub mod metrics;
pub mod prometheus;
pub mod recovery;
pub mod settings;
pub mod store;
pub mod tile_folder;
pub mod witness_client;

mod access;
mod grpc;
mod http;
mod key;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use fcs_service::auth::Rule;
use fcs_service::database::{self, Database};
use fcs_service::{Environment, Random, Service, ServiceContext, Settings};
use fcs_tlog::Policy;

use app::controller::Controller;
use app::deployments::Deployments;
use app::log::{LogError, LogParts, TransparencyLog};
use app::progress::Progress;
use app::proofs::Proofs;
use app::publication::Publication;
use app::reconcile::Reconciler;
use app::recorder::Recorder;
use app::rollouts::Rollouts;
use app::witnessing::Witnesses;
use app::writer::Writer;
use bias_monitor::Monitor;
use gateway::Gateway;
use jobs::decision_reader::DecisionReader;
use jobs::{checkpointer, rollout_driver, scrubber, traffic_reconciler};
use metrics::Metrics;
use prometheus::Prometheus;
use recovery::{Recovered, Recovery};
use settings::AuditSettings;
use store::Store;
use store::rollouts::RolloutStore;
use tile_folder::TileFolder;
use witness_client::HttpWitness;

/// Schema on PostgreSQL and name of the file on SQLite.
const SCHEMA: &str = "deployment_audit";

/// How long a round over the rollouts waits for the gateways to take a table over.
const FOLLOW: Duration = Duration::from_secs(3);

/// The service.
pub struct DeploymentAudit;

impl Service for DeploymentAudit {
    const NAME: &'static str = "deployment-audit";
    const SECTION: &'static str = "deployment_audit";
    const HTTP_PORT: u16 = 8030;
    const ADMIN_PORT: u16 = 9030;
    const ACCESS: &'static [Rule] = access::RULES;
    type Settings = AuditSettings;

    async fn start(ctx: ServiceContext<AuditSettings>) -> anyhow::Result<Router> {
        let database = open(&ctx).await?;
        if ctx.settings.database.migrate_on_start {
            store::migrate(&database).await?;
        }
        database.watch(&ctx);
        let metrics = ctx.metrics.register(Metrics::register);
        let parts = Parts {
            store: store::open(database.clone()),
            rollouts: store::open_rollouts(database),
            gateway: Arc::new(Gateway::over(
                ctx.channel(&ctx.settings.service.gateway_url)?,
            )),
            metrics,
        };
        if ctx.settings.service.replay_tiles {
            replay(&ctx.settings, &parts, ctx.random.as_ref()).await?;
        }
        let log = open_log(&ctx, &parts).await?;
        let deployments = start_deployments(&ctx, &parts);
        let rollouts = start_rollouts(&ctx, &parts)?;
        start_reader(&ctx, &parts);
        let proofs = Arc::new(Proofs {
            store: Arc::clone(&parts.store),
            log,
        });
        let grpc = grpc::routes(
            Arc::clone(&deployments),
            Arc::clone(&rollouts),
            Arc::clone(&proofs),
        );
        Ok(http::routes(deployments, rollouts, proofs).merge(grpc))
    }

    async fn migrate(ctx: ServiceContext<AuditSettings>) -> anyhow::Result<()> {
        store::migrate(&open(&ctx).await?).await
    }
}

/// What several parts of the service share.
struct Parts {
    store: Arc<dyn Store>,
    rollouts: Arc<dyn RolloutStore>,
    gateway: Arc<Gateway>,
    metrics: Metrics,
}

async fn open(ctx: &ServiceContext<AuditSettings>) -> anyhow::Result<Database> {
    database::open(&ctx.settings.database, &ctx.settings.data_dir, SCHEMA).await
}

/// Opens the log, signs what is stored and keeps signing.
async fn open_log(
    ctx: &ServiceContext<AuditSettings>,
    parts: &Parts,
) -> anyhow::Result<Arc<TransparencyLog>> {
    let key = key::load(&ctx.settings, ctx.random.as_ref())?;
    let (store, clock) = (Arc::clone(&parts.store), Arc::clone(&ctx.clock));
    let folder = folder(&ctx.settings);
    let log = TransparencyLog::open(LogParts {
        store,
        key,
        clock,
        metrics: parts.metrics.clone(),
        publication: Publication::new(Some(folder)),
        witnesses: witnesses(&ctx.settings.service)?,
    })
    .await
    .context("open the transparency log")?;
    let log = Arc::new(log);
    match log.publish().await {
        // A log that may not be signed is served as not ready: people must see what it holds.
        Ok(()) | Err(LogError::Refused(_)) => {}
        Err(error) => return Err(error).context("sign the first checkpoint"),
    }
    let health = ctx.health.dependency("transparency_log");
    ctx.spawn(
        "checkpointer",
        checkpointer::run(Arc::clone(&log), health, ctx.soft.clone()),
    );
    let job = scrubber::run(Arc::clone(&log), ctx.soft.clone());
    ctx.spawn("scrubber", job);
    Ok(log)
}

/// Where the log is published.
fn folder(settings: &Settings<AuditSettings>) -> TileFolder {
    let named = settings.service.tiles_dir.clone();
    TileFolder::new(named.unwrap_or_else(|| settings.data_dir.join("tiles")))
}

/// Puts back what the database lacks of the published log. The service itself must not run meanwhile; the gateway must.
pub async fn recover(
    settings: &Settings<AuditSettings>,
    random: &dyn Random,
) -> anyhow::Result<Recovered> {
    let database = database::open(&settings.database, &settings.data_dir, SCHEMA).await?;
    let gateway = fcs_service::grpc::channel(&settings.service.gateway_url)?;
    let parts = Parts {
        store: store::open(database.clone()),
        rollouts: store::open_rollouts(database),
        gateway: Arc::new(Gateway::over(gateway)),
        metrics: Metrics::register(&mut prometheus_client::registry::Registry::default()),
    };
    replay(settings, &parts, random).await
}

async fn replay(
    settings: &Settings<AuditSettings>,
    parts: &Parts,
    random: &dyn Random,
) -> anyhow::Result<Recovered> {
    let recovery = Recovery {
        store: Arc::clone(&parts.store),
        rollouts: Arc::clone(&parts.rollouts),
        feed: Arc::clone(&parts.gateway) as _,
        folder: folder(settings),
        key: key::load(settings, random)?.verifier_key().clone(),
    };
    let recovered = recovery
        .run()
        .await
        .context("put back what was published")?;
    let Recovered { had, has } = recovered;
    tracing::info!(had, has, "the database holds what was published");
    Ok(recovered)
}

/// The witnesses that the policy file names, of which those with an address are asked.
fn witnesses(settings: &AuditSettings) -> anyhow::Result<Witnesses> {
    let policy = match &settings.witness_policy_file {
        None => Policy::parse(b"quorum none\n")?,
        Some(path) => {
            let name = || format!("read the witness policy {}", path.display());
            let bytes = std::fs::read(path).with_context(name)?;
            Policy::parse(&bytes).with_context(name)?
        }
    };
    let mut asked: Vec<Arc<dyn app::ports::Witness>> = Vec::new();
    for witness in policy.witnesses() {
        if let Some(witness) = HttpWitness::of(witness)? {
            asked.push(Arc::new(witness));
        }
    }
    Ok(Witnesses::new(policy, asked))
}

fn start_deployments(ctx: &ServiceContext<AuditSettings>, parts: &Parts) -> Arc<Deployments> {
    let environment = environment(ctx.settings.environment);
    let (writer, handle) = Writer::new(
        Arc::clone(&parts.store),
        Arc::clone(&ctx.clock),
        parts.metrics.clone(),
    );
    ctx.spawn("deployment writer", writer.run(ctx.soft.clone()));
    let progress = Arc::new(Progress::default());
    let traffic: Arc<dyn app::ports::Traffic> = Arc::clone(&parts.gateway) as _;
    let reconciler = Reconciler {
        store: Arc::clone(&parts.store),
        traffic: Arc::clone(&traffic),
        writer: handle.clone(),
        progress: Arc::clone(&progress),
        metrics: parts.metrics.clone(),
        environment: environment.as_str(),
    };
    let job = traffic_reconciler::run(reconciler, Arc::clone(&progress), ctx.soft.clone());
    ctx.spawn("traffic reconciler", job);
    Arc::new(Deployments {
        store: Arc::clone(&parts.store),
        traffic,
        writer: handle,
        progress,
        clock: Arc::clone(&ctx.clock),
        random: Arc::clone(&ctx.random),
        environment,
    })
}

fn start_rollouts(
    ctx: &ServiceContext<AuditSettings>,
    parts: &Parts,
) -> anyhow::Result<Arc<Rollouts>> {
    let environment = environment(ctx.settings.environment);
    let recorder = Recorder {
        store: Arc::clone(&parts.rollouts),
        clock: Arc::clone(&ctx.clock),
    };
    let settings = &ctx.settings.service;
    let mut random = [0; 16];
    ctx.random.fill(&mut random);
    let controller = Controller {
        recorder: recorder.clone(),
        traffic: Arc::clone(&parts.gateway) as _,
        source: Arc::new(Prometheus::new(&settings.prometheus_url)?),
        monitor: Arc::new(Monitor::over(ctx.channel(&settings.bias_monitor_url)?)),
        environment,
        follow: FOLLOW,
        holder: format!("{:032x}", u128::from_be_bytes(random)),
    };
    let nudge = Arc::default();
    let interval = Duration::from_millis(settings.rollout_interval_ms);
    let job = rollout_driver::run(controller, Arc::clone(&nudge), interval, ctx.soft.clone());
    ctx.spawn("rollout driver", job);
    Ok(Arc::new(Rollouts {
        recorder,
        traffic: Arc::clone(&parts.gateway) as _,
        nudge,
        random: Arc::clone(&ctx.random),
        environment,
    }))
}

fn start_reader(ctx: &ServiceContext<AuditSettings>, parts: &Parts) {
    let settings = &ctx.settings.service;
    let reader = DecisionReader {
        store: Arc::clone(&parts.store),
        feed: Arc::clone(&parts.gateway) as _,
        metrics: parts.metrics.clone(),
        health: ctx.health.dependency("decision_feed"),
        batch_entries: settings.batch_entries,
        batch_delay: Duration::from_millis(settings.batch_delay_ms),
    };
    ctx.spawn("decision reader", reader.run(ctx.soft.clone()));
}

/// The environment that deployments name; a test is a developer's machine.
const fn environment(environment: Environment) -> fcs_rollout::Environment {
    match environment {
        Environment::Development | Environment::Test => fcs_rollout::Environment::Development,
        Environment::Staging => fcs_rollout::Environment::Staging,
        Environment::Production => fcs_rollout::Environment::Production,
    }
}
