//! The model server: loads signed model packages, scores rows and attributes margins.
//!
//! For: `faircredit.model.v1.ModelService` and the Open Inference Protocol v2, over gRPC and REST.
//! Not for: policy, reasons and records, which are the gateway's.
//!
//! Invariants: a model in memory passed every check of [`app::package::load`]; a score's attributions
//! add up to its margin, checked on every request.

mod access;
pub mod app;
mod grpc;
mod http;
mod jobs;
mod metrics;
pub mod registry;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use fcs_core::ModelVersion;
use fcs_decision::trust::TrustPolicy;
use fcs_service::auth::Rule;
use fcs_service::grpc::add_standard_services;
use fcs_service::{Service, ServiceContext};
use tonic::service::Routes;

pub use settings::{ModelServerSettings, WatchPolicy};

use app::inference::{Inference, Repository};
use app::lifecycle::Lifecycle;
use app::models::{ModelLimits, Models};
use app::scorer::Scorer;
use app::turns::Turns;
use jobs::watch::Watch;
use metrics::Metrics;
use registry::Registry;

/// The services that health and reflection name.
const SERVICES: [&str; 2] = [
    "faircredit.model.v1.ModelService",
    "inference.GRPCInferenceService",
];

/// The service.
pub struct ModelServer;

impl Service for ModelServer {
    const NAME: &'static str = "model-server";
    const SECTION: &'static str = "model_server";
    const HTTP_PORT: u16 = 8010;
    const ADMIN_PORT: u16 = 9010;
    const ACCESS: &'static [Rule] = access::RULES;
    const STORES: bool = false;
    type Settings = ModelServerSettings;

    async fn start(ctx: ServiceContext<ModelServerSettings>) -> anyhow::Result<Router> {
        let settings = &ctx.settings.service;
        let trust = read_trust(settings).await?;
        let registry = Registry::open(&settings.registry, &settings.s3)?;
        let clock = Arc::clone(&ctx.clock);
        let models = Arc::new(Models::new(registry, trust, clock, limits(settings)));
        let metrics = Metrics::register(&ctx.metrics);
        let lifecycle = Arc::new(Lifecycle::new(Arc::clone(&models), Arc::clone(&metrics)));
        for name in &settings.preload {
            let model: ModelVersion = name.parse()?;
            lifecycle.load(model, None).await?;
        }
        watch(&ctx, &lifecycle);
        let scorer = Arc::new(Scorer {
            turns: Turns::new(concurrency(settings), settings.max_waiting_requests),
            metrics,
            clock: Arc::clone(&ctx.clock),
        });
        routes(&ctx, models, lifecycle, scorer)
    }

    fn detail_member(path: &str) -> Option<&'static str> {
        let rest = path.strip_prefix(http::PREFIX)?;
        (rest.is_empty() || rest.starts_with('/')).then_some("error")
    }
}

/// Both contracts over gRPC, one of them over REST, and the standard services.
fn routes(
    ctx: &ServiceContext<ModelServerSettings>,
    models: Arc<Models>,
    lifecycle: Arc<Lifecycle>,
    scorer: Arc<Scorer>,
) -> anyhow::Result<Router> {
    let inference = Arc::new(Inference {
        models: Arc::clone(&models),
        scorer: Arc::clone(&scorer),
    });
    let repository = Arc::new(Repository {
        inference: Arc::clone(&inference),
        lifecycle: Arc::clone(&lifecycle),
    });
    let own = grpc::BoundedModel::new(grpc::Grpc {
        models,
        lifecycle,
        scorer,
        draining: ctx.draining.clone(),
    });
    let open = grpc::BoundedInference::new(grpc::InferenceGrpc {
        inference: Arc::clone(&inference),
        repository: Arc::clone(&repository),
        health: ctx.health.clone(),
        draining: ctx.draining.clone(),
    });
    let routes = Routes::new(own).add_service(open);
    let routes = add_standard_services(routes, ctx, &SERVICES, fcs_proto::DESCRIPTORS)?;
    let rest = http::routes(http::Http {
        inference,
        repository,
        health: ctx.health.clone(),
        request_timeout: Duration::from_millis(ctx.settings.http.request_timeout_ms),
    });
    Ok(routes.into_axum_router().merge(rest))
}

fn watch(ctx: &ServiceContext<ModelServerSettings>, lifecycle: &Arc<Lifecycle>) {
    let settings = &ctx.settings.service;
    if settings.watch_policy == WatchPolicy::None {
        return;
    }
    let watch = Watch {
        lifecycle: Arc::clone(lifecycle),
        policy: settings.watch_policy,
        interval: Duration::from_millis(settings.watch_interval_ms),
        soft: ctx.soft.clone(),
    };
    ctx.spawn("registry-watch", watch.run());
}

async fn read_trust(settings: &ModelServerSettings) -> anyhow::Result<TrustPolicy> {
    let path = &settings.trust_policy;
    let text = tokio::fs::read_to_string(path)
        .await
        .with_context(|| format!("read the trust policy {}", path.display()))?;
    Ok(TrustPolicy::parse(&text)?)
}

fn limits(settings: &ModelServerSettings) -> ModelLimits {
    ModelLimits {
        models_max: settings.max_loaded_models,
        working_max: match settings.max_concurrent_requests_per_model {
            0 => concurrency(settings),
            limit => limit,
        },
        waiting_max: settings.max_waiting_requests_per_model,
    }
}

fn concurrency(settings: &ModelServerSettings) -> usize {
    match settings.max_concurrent_requests {
        0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
        limit => limit,
    }
}
