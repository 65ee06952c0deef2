//! The HTTP routes: parse, call one use case, convert.

mod deployments;
mod log;
mod rollouts;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::app::deployments::Deployments;
use crate::app::proofs::Proofs;
use crate::app::rollouts::Rollouts;

/// The routes of deployments, of rollouts and of the log.
pub(crate) fn routes(
    app: Arc<Deployments>,
    rollouts: Arc<Rollouts>,
    proofs: Arc<Proofs>,
) -> Router {
    let deployments = Router::new()
        .route(
            "/v1/deployments",
            post(deployments::register).get(deployments::list),
        )
        .route("/v1/deployments/{id}", get(deployments::find))
        .route("/v1/deployments/{id}/approve", post(deployments::approve))
        .route("/v1/deployments/{id}/activate", post(deployments::activate))
        .route(
            "/v1/deployments/{id}/rollback",
            post(deployments::roll_back),
        )
        .with_state(app);
    let log = Router::new()
        .route("/v1/log/checkpoint", get(log::checkpoint))
        .route("/v1/log/tile/{*path}", get(log::tile))
        .route("/v1/log/verifier-key", get(log::verifier_key))
        .route("/v1/log/leaves", get(log::leaves))
        .route("/v1/log/proof/leaf/{index}", get(log::leaf))
        .route("/v1/log/proof/decision/{index}", get(log::decision))
        .route("/v1/log/consistency", get(log::consistency))
        .with_state(proofs);
    deployments.merge(log).merge(rollouts::routes(rollouts))
}
