//! The model server: loads signed model packages, scores rows and attributes margins.
//!
//! For: `faircredit.model.v1.ModelService`.
//! Not for: policy, reasons and records, which are the gateway's.
//!
//! Invariants: a model in memory passed every check of [`app::package::load`]; a score's attributions
//! add up to its margin, checked on every request.

pub mod app;
mod grpc;
mod metrics;
pub mod registry;
mod settings;

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use fcs_core::ModelVersion;
use fcs_decision::trust::TrustPolicy;
use fcs_proto::model::v1::model_service_server::ModelServiceServer;
use fcs_service::{Service, ServiceContext};
use tokio::sync::Semaphore;
use tonic::service::Routes;

pub use settings::ModelServerSettings;

use app::models::Models;
use metrics::Metrics;
use registry::Registry;

/// Largest request and response: 1,024 rows with attributions fit.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// The service.
pub struct ModelServer;

impl Service for ModelServer {
    const NAME: &'static str = "model-server";
    const SECTION: &'static str = "model_server";
    const HTTP_PORT: u16 = 8010;
    const ADMIN_PORT: u16 = 9010;
    type Settings = ModelServerSettings;

    async fn start(ctx: ServiceContext<ModelServerSettings>) -> anyhow::Result<Router> {
        let settings = &ctx.settings.service;
        let trust = read_trust(settings).await?;
        let registry = Registry::open(&settings.registry, &settings.s3)?;
        let models = Arc::new(Models::new(registry, trust, Arc::clone(&ctx.clock)));
        let metrics = Metrics::register(&ctx.metrics);
        preload(&models, &settings.preload).await?;
        metrics
            .models_loaded
            .set(i64::try_from(models.loaded_count()).unwrap_or(i64::MAX));
        let permits = Arc::new(Semaphore::new(concurrency(settings)));
        let service = ModelServiceServer::new(grpc::Grpc {
            models,
            metrics,
            permits,
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
        Ok(Routes::new(service).into_axum_router())
    }
}

async fn read_trust(settings: &ModelServerSettings) -> anyhow::Result<TrustPolicy> {
    let path = &settings.trust_policy;
    let text = tokio::fs::read_to_string(path)
        .await
        .with_context(|| format!("read the trust policy {}", path.display()))?;
    Ok(TrustPolicy::parse(&text)?)
}

async fn preload(models: &Arc<Models>, names: &[String]) -> anyhow::Result<()> {
    for name in names {
        let model: ModelVersion = name.parse()?;
        let models = Arc::clone(models);
        tokio::task::spawn_blocking(move || models.load(&model)).await??;
    }
    Ok(())
}

fn concurrency(settings: &ModelServerSettings) -> usize {
    match settings.max_concurrent_requests {
        0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
        limit => limit,
    }
}
