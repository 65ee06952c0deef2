//! The REST face of the Open Inference Protocol: parse, call the application, convert.
//!
//! Errors are problems; the edge repeats their detail as `error`, which the protocol names. No content type is
//! asked for, because clients of the protocol send none.

mod binary;
mod data;
mod views;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use fcs_core::{ApiError, ErrorCode};
use fcs_service::Health;
use fcs_service::grpc::Deadline;
use fcs_service::problem::{Problem, reason};
use http::HeaderMap;
use serde::Deserialize;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;

use crate::app::inference::parameters::Parameters;
use crate::app::inference::{EXTENSIONS, Inference, Repository, SERVER_NAME};

/// Paths of the protocol begin with this.
pub(crate) const PREFIX: &str = "/v2";
/// Bytes of a request's body after decompression.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Bytes of the body of a repository command.
const COMMAND_BYTES_MAX: usize = 16 << 10;

/// What the routes need. Cloning shares everything.
#[derive(Clone)]
pub(crate) struct Http {
    /// The commands over the loaded models.
    pub(crate) inference: Arc<Inference>,
    /// Loading and unloading.
    pub(crate) repository: Arc<Repository>,
    /// Readiness.
    pub(crate) health: Health,
    /// How long a request may take.
    pub(crate) request_timeout: Duration,
}

/// A model in a path; without a version the highest that is loaded.
#[derive(Deserialize)]
struct Named {
    model: String,
    #[serde(default)]
    version: String,
}

/// The routes.
pub(crate) fn routes(http: Http) -> Router {
    let mut routes = Router::new()
        .route("/v2", get(server_metadata))
        .route("/v2/health/live", get(live))
        .route("/v2/health/ready", get(ready))
        .route("/v2/models/stats", get(all_statistics))
        .route("/v2/repository/index", post(index))
        .route("/v2/repository/models/{model}/load", post(load))
        .route("/v2/repository/models/{model}/unload", post(unload));
    for model in [
        "/v2/models/{model}",
        "/v2/models/{model}/versions/{version}",
    ] {
        routes = routes
            .route(model, get(model_metadata))
            .route(&format!("{model}/ready"), get(model_ready))
            .route(&format!("{model}/config"), get(config))
            .route(&format!("{model}/stats"), get(statistics))
            .route(&format!("{model}/infer"), post(infer));
    }
    routes
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(RequestDecompressionLayer::new())
        .layer(CompressionLayer::new())
        .with_state(http)
}

async fn server_metadata() -> Response {
    Json(serde_json::json!({
        "name": SERVER_NAME,
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": EXTENSIONS,
    }))
    .into_response()
}

async fn live(State(http): State<Http>) -> Result<Response, Problem> {
    state("live", http.health.is_live())
}

async fn ready(State(http): State<Http>) -> Result<Response, Problem> {
    state("ready", http.health.readiness().ready)
}

fn state(name: &str, good: bool) -> Result<Response, Problem> {
    if good {
        return Ok(Json(serde_json::json!({ name: true })).into_response());
    }
    let message = format!("the server is not {name}");
    Err(ApiError::new(ErrorCode::Unavailable, "NOT_READY", message).into())
}

async fn model_ready(
    State(http): State<Http>,
    Path(named): Path<Named>,
) -> Result<Response, Problem> {
    http.inference.find(&named.model, &named.version)?;
    Ok(Json(serde_json::json!({ "name": named.model, "ready": true })).into_response())
}

async fn model_metadata(
    State(http): State<Http>,
    Path(named): Path<Named>,
) -> Result<Response, Problem> {
    let served = http.inference.find(&named.model, &named.version)?;
    let versions = http.inference.version_names(&named.model);
    Ok(Json(views::metadata(&served, &versions)).into_response())
}

async fn config(State(http): State<Http>, Path(named): Path<Named>) -> Result<Response, Problem> {
    let served = http.inference.find(&named.model, &named.version)?;
    Ok(Json(views::config(&served)).into_response())
}

async fn statistics(
    State(http): State<Http>,
    Path(named): Path<Named>,
) -> Result<Response, Problem> {
    let found = http.inference.find_all(&named.model, &named.version)?;
    Ok(Json(views::statistics(&found)).into_response())
}

async fn all_statistics(State(http): State<Http>) -> Result<Response, Problem> {
    let found = http.inference.find_all("", "")?;
    Ok(Json(views::statistics(&found)).into_response())
}

async fn infer(
    State(http): State<Http>,
    Path(named): Path<Named>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let deadline = Deadline::after(http.request_timeout);
    let width = || {
        let served = http.inference.find(&named.model, &named.version)?;
        Ok(served.model.manifest.features.len())
    };
    let (mut command, form) = binary::parse(&headers, &body, width)?;
    drop(body);
    command.model = named.model;
    command.version = named.version;
    let answer = http.inference.infer(command, deadline).await?;
    Ok(binary::respond(&answer, &form))
}

/// The body of `repository/index`.
#[derive(Default, Deserialize)]
struct IndexBody {
    #[serde(default)]
    ready: bool,
}

/// The body of `load` and `unload`.
#[derive(Default, Deserialize)]
struct CommandBody {
    #[serde(default)]
    parameters: Parameters,
}

async fn index(State(http): State<Http>, body: Bytes) -> Result<Response, Problem> {
    let body: IndexBody = optional(&body)?;
    let entries = http.repository.index("", body.ready).await?;
    Ok(Json(views::index(&entries)).into_response())
}

async fn load(
    State(http): State<Http>,
    Path(named): Path<Named>,
    body: Bytes,
) -> Result<Response, Problem> {
    let body: CommandBody = optional(&body)?;
    let loading = http.repository.load("", &named.model, &body.parameters);
    loading.await?;
    Ok(Json(serde_json::json!({})).into_response())
}

async fn unload(
    State(http): State<Http>,
    Path(named): Path<Named>,
    body: Bytes,
) -> Result<Response, Problem> {
    let body: CommandBody = optional(&body)?;
    http.repository.unload("", &named.model, &body.parameters)?;
    Ok(Json(serde_json::json!({})).into_response())
}

/// A short body that may be missing.
fn optional<T: Default + for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, ApiError> {
    if body.len() > COMMAND_BYTES_MAX {
        return Err(ApiError::new(
            ErrorCode::InvalidArgument,
            reason::BODY_TOO_LARGE,
            "the body is longer than this route accepts",
        ));
    }
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| malformed(&error))
}

/// The body is no JSON of the protocol.
fn malformed(error: &serde_json::Error) -> ApiError {
    let reason = if error.is_data() {
        reason::INVALID_BODY
    } else {
        reason::MALFORMED_JSON
    };
    let message = format!("the body is not a request of the protocol: {error}");
    ApiError::new(ErrorCode::InvalidArgument, reason, message)
}
