//! The bias monitor: counts decisions by group, takes demographics, probabilities of groups and outcomes, reports
//! fairness.
//!
//! For: `faircredit.monitoring.v1.MonitoringService` and the same over HTTP; the one place that knows protected
//! attributes.
//! Not for: decisions. Nothing here reaches scoring. A verdict of a report is of one look and no gate; those of
//! [`app::evidence`] stay valid while they are watched.
//!
//! Invariants: every decision of the log is counted exactly once in effect, in the order of the log and without a
//! gap; counters equal the join of decisions, demographics and outcomes at every moment, whatever the order in which
//! they came, and sums of probabilities likewise; probabilities of groups are never mixed with values, and nobody is put
//! into the most probable group; neither values nor probabilities enter logs or spans.

mod access;
pub mod app;
mod grpc;
mod http;
mod jobs;
mod metrics;
mod render;
mod settings;
pub mod store;

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use fcs_proto::monitoring::v1::alert_service_server::AlertServiceServer;
use fcs_proto::monitoring::v1::monitoring_service_server::MonitoringServiceServer;
use fcs_service::auth::Rule;
use fcs_service::database::{self, Database};
use fcs_service::{Service, ServiceContext, seed_file};
use fcs_tlog::note::SigningKey;

pub use jobs::feed_reader::BATCH_MAX;
pub use metrics::Metrics;
pub use settings::{BiasMonitorSettings, read_policy};

use app::alarms::Alarms;
use app::at_store::Spawn;
use app::drifts::Drifts;
use app::examinations::Examinations;
use app::monitor::Monitor;
use app::rollup::Fineness;
use app::sheets::Sheets;
use app::terms::Terms;
use jobs::erasure_follower::ErasureFollower;
use jobs::feed_reader::FeedReader;
use jobs::profiler::Profiler;
use jobs::publisher::Publisher;
use jobs::roller::Roller;
use jobs::shadow_reader::ShadowReader;
use jobs::watcher::Watcher;
use store::MonitorStore;

/// Schema on PostgreSQL, name of the file on SQLite.
const SCHEMA: &str = "bias_monitor";

/// The service.
pub struct BiasMonitor;

impl Service for BiasMonitor {
    const NAME: &'static str = "bias-monitor";
    const SECTION: &'static str = "bias_monitor";
    const HTTP_PORT: u16 = 8020;
    const ADMIN_PORT: u16 = 9020;
    const ACCESS: &'static [Rule] = access::RULES;
    type Settings = BiasMonitorSettings;

    async fn start(ctx: ServiceContext<BiasMonitorSettings>) -> anyhow::Result<Router> {
        let report_key = report_key(&ctx)?;
        let database = open(&ctx).await?;
        if ctx.settings.database.migrate_on_start {
            store::migrate(&database).await?;
        } else {
            store::check_migrated(&database).await?;
        }
        database.watch(&ctx);
        let store = store::of(&database);
        let metrics = Metrics::default();
        metrics.register(&ctx.metrics);
        let settings = &ctx.settings.service;
        let monitor = Monitor::new(
            Arc::clone(&store),
            (store::rebuild_of(&database), fineness(&ctx)),
            settings.thresholds()?,
            metrics.clone(),
            spawn(&ctx),
        );
        follow_feed(&ctx, store, &metrics)?;
        publish(&ctx, &monitor, &metrics);
        let terms = Arc::new(settings.terms()?);
        look_regularly(&ctx, &database, &terms, &metrics)?;
        let drifts = Drifts::new(
            store::profiles_of(&database),
            Arc::clone(&terms),
            Arc::clone(&ctx.clock),
            spawn(&ctx),
        );
        let alarms = Alarms::new(
            store::evidence_of(&database),
            terms,
            Arc::clone(&ctx.clock),
            spawn(&ctx),
        );
        let examinations = Examinations::new(
            store::examinations_of(&database),
            settings.thresholds()?,
            metrics.clone(),
            spawn(&ctx),
        );
        let sheets = Sheets::new(
            monitor.clone(),
            alarms.clone(),
            drifts.clone(),
            examinations.clone(),
            (report_key, Arc::clone(&ctx.clock)),
        );
        let monitoring = MonitoringServiceServer::new(grpc::Grpc {
            monitor: monitor.clone(),
            drifts: drifts.clone(),
            sheets: sheets.clone(),
            examinations: examinations.clone(),
        });
        let alerts = AlertServiceServer::new(grpc::Alerts {
            alarms: alarms.clone(),
            draining: ctx.draining.clone(),
        });
        let grpc = tonic::service::Routes::new(monitoring)
            .add_service(alerts)
            .into_axum_router();
        Ok(http::routes(monitor)
            .merge(http::alarms::routes(alarms))
            .merge(http::drift::routes(drifts))
            .merge(http::sheet::routes(sheets))
            .merge(http::examination::routes(examinations))
            .merge(grpc))
    }

    async fn migrate(ctx: ServiceContext<BiasMonitorSettings>) -> anyhow::Result<()> {
        let database = open(&ctx).await?;
        store::migrate(&database).await?;
        database.close().await;
        Ok(())
    }
}

/// The key that signs reports.
fn report_key(ctx: &ServiceContext<BiasMonitorSettings>) -> anyhow::Result<SigningKey> {
    let settings = &ctx.settings;
    let name = settings.service.report_signer.parse();
    let file = settings.service.report_key_file.clone();
    let file = file.unwrap_or_else(|| settings.data_dir.join("report-signing.key"));
    let setting = "bias_monitor.report_key_file";
    let seed = seed_file::load(&file, setting, settings.environment, &*ctx.random)?;
    Ok(SigningKey::from_seed(
        name.context("read report_signer")?,
        seed.expose(),
    ))
}

async fn open(ctx: &ServiceContext<BiasMonitorSettings>) -> anyhow::Result<Database> {
    database::open(&ctx.settings.database, &ctx.settings.data_dir, SCHEMA).await
}

fn spawn(ctx: &ServiceContext<BiasMonitorSettings>) -> Spawn {
    let ctx = ctx.clone();
    Arc::new(move |work| {
        ctx.spawn("store-request", async {
            work.await;
            Ok(())
        });
    })
}

fn follow_feed(
    ctx: &ServiceContext<BiasMonitorSettings>,
    store: Arc<dyn MonitorStore>,
    metrics: &Metrics,
) -> anyhow::Result<()> {
    // The gateway may be away; only a feed that cannot be trusted makes the monitor unready.
    let integrity = ctx.health.dependency("feed_integrity");
    integrity.good();
    let reader = FeedReader {
        store,
        gateway: ctx.channel(&ctx.settings.service.gateway_url)?,
        integrity,
        metrics: metrics.clone(),
        random: Arc::clone(&ctx.random),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("feed-reader", reader.run());
    Ok(())
}

fn publish(ctx: &ServiceContext<BiasMonitorSettings>, monitor: &Monitor, metrics: &Metrics) {
    let settings = &ctx.settings.service;
    let publisher = Publisher {
        monitor: monitor.clone(),
        metrics: metrics.clone(),
        minimum_group_size: settings.minimum_group_size,
        interval: settings.report_interval(),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("publisher", publisher.run());
}

/// Starts everything that looks at what is stored again and again.
fn look_regularly(
    ctx: &ServiceContext<BiasMonitorSettings>,
    database: &Database,
    terms: &Arc<Terms>,
    metrics: &Metrics,
) -> anyhow::Result<()> {
    watch(ctx, database, terms, metrics);
    roll_up(ctx, database);
    follow_erasures(ctx, database)?;
    read_shadows(ctx, database, terms, metrics)?;
    profile(ctx, database, terms, metrics)
}

fn watch(
    ctx: &ServiceContext<BiasMonitorSettings>,
    database: &Database,
    terms: &Arc<Terms>,
    metrics: &Metrics,
) {
    let settings = &ctx.settings.service;
    let watcher = Watcher {
        store: store::evidence_of(database),
        terms: Arc::clone(terms),
        clock: Arc::clone(&ctx.clock),
        metrics: metrics.clone(),
        settle: settings.settle(),
        interval: settings.report_interval(),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("watcher", watcher.run());
}

fn fineness(ctx: &ServiceContext<BiasMonitorSettings>) -> Fineness {
    Fineness {
        clock: Arc::clone(&ctx.clock),
        days: ctx.settings.service.fine_counters_days,
    }
}

fn roll_up(ctx: &ServiceContext<BiasMonitorSettings>, database: &Database) {
    let roller = Roller {
        store: store::rebuild_of(database),
        fineness: fineness(ctx),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("roller", roller.run());
}

fn follow_erasures(
    ctx: &ServiceContext<BiasMonitorSettings>,
    database: &Database,
) -> anyhow::Result<()> {
    let settings = &ctx.settings.service;
    let follower = ErasureFollower {
        store: store::erasures_of(database),
        gateway: ctx.channel(&settings.gateway_url)?,
        // Nobody waits for it as for verdicts.
        interval: settings.report_interval() * 6,
        soft: ctx.soft.clone(),
    };
    ctx.spawn("erasure-follower", follower.run());
    Ok(())
}

fn read_shadows(
    ctx: &ServiceContext<BiasMonitorSettings>,
    database: &Database,
    terms: &Arc<Terms>,
    metrics: &Metrics,
) -> anyhow::Result<()> {
    let settings = &ctx.settings.service;
    let reader = ShadowReader {
        store: store::gaps_of(database),
        gateway: ctx.channel(&settings.gateway_url)?,
        terms: Arc::clone(terms),
        clock: Arc::clone(&ctx.clock),
        metrics: metrics.clone(),
        settle: settings.settle(),
        interval: settings.report_interval(),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("shadow-reader", reader.run());
    Ok(())
}

fn profile(
    ctx: &ServiceContext<BiasMonitorSettings>,
    database: &Database,
    terms: &Arc<Terms>,
    metrics: &Metrics,
) -> anyhow::Result<()> {
    let settings = &ctx.settings.service;
    let profiler = Profiler {
        store: store::profiles_of(database),
        gateway: ctx.channel(&settings.gateway_url)?,
        terms: Arc::clone(terms),
        clock: Arc::clone(&ctx.clock),
        metrics: metrics.clone(),
        interval: settings.report_interval(),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("profiler", profiler.run());
    Ok(())
}
