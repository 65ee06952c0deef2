//! Probes, and the admin listener on a thread and a runtime of its own, so that it answers when the main
//! runtime is busy or stuck.

use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use fcs_core::{ApiError, ErrorCode};
use http::{StatusCode, header};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::metrics::CONTENT_TYPE;
use crate::metrics::connections::ConnectionMetrics;
use crate::problem::Problem;
use crate::serve::{Limits, Public, serve};
use crate::{Health, MetricsHandle, Telemetry};

/// `/health`, `/ready` and `/startup`, for the admin listener and for the public one.
pub(crate) fn probes(health: Health) -> Router {
    Router::new()
        .route("/health", get(live))
        .route("/ready", get(ready))
        .route("/startup", get(started))
        .with_state(health)
}

async fn live(State(health): State<Health>) -> Response {
    answer(
        health.is_live(),
        json!({ "status": word(health.is_live(), "live", "stuck") }),
    )
}

async fn ready(State(health): State<Health>) -> Response {
    let readiness = health.readiness();
    answer(
        readiness.ready,
        serde_json::to_value(&readiness).unwrap_or_default(),
    )
}

async fn started(State(health): State<Health>) -> Response {
    let started = health.is_started();
    answer(
        started,
        json!({ "status": word(started, "started", "starting") }),
    )
}

const fn word(yes: bool, good: &'static str, bad: &'static str) -> &'static str {
    if yes { good } else { bad }
}

fn answer(good: bool, body: serde_json::Value) -> Response {
    let status = if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        [(header::CACHE_CONTROL, "no-store")],
        axum::Json(body),
    )
        .into_response()
}

/// What the admin routes serve.
#[derive(Clone)]
pub(crate) struct AdminState {
    pub(crate) health: Health,
    pub(crate) metrics: Option<MetricsHandle>,
    pub(crate) telemetry: Telemetry,
}

fn routes(state: AdminState) -> Router {
    let probes = probes(state.health.clone());
    let mut routes = Router::new().route("/log-filter", put(set_log_filter));
    if state.metrics.is_some() {
        routes = routes.route("/metrics", get(metrics));
    }
    probes
        .merge(routes.with_state(state))
        .fallback(crate::edge::no_route)
}

async fn metrics(State(state): State<AdminState>) -> Response {
    let text = state
        .metrics
        .map(|metrics| metrics.encode())
        .unwrap_or_default();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

async fn set_log_filter(
    State(state): State<AdminState>,
    directives: String,
) -> Result<StatusCode, Problem> {
    state
        .telemetry
        .set_log_filter(directives.trim())
        .map_err(|error| {
            let message = format!("the log filter stays as it is: {error:#}");
            ApiError::new(ErrorCode::InvalidArgument, "LOG_FILTER_INVALID", message)
        })?;
    tracing::info!(filter = directives.trim(), "the log filter was replaced");
    Ok(StatusCode::NO_CONTENT)
}

/// The running admin listener.
pub(crate) struct Admin {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    /// Binds the address and serves it on a new thread.
    pub(crate) fn start(
        listen: SocketAddr,
        limits: Limits,
        state: AdminState,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen).with_context(|| {
            format!("cannot listen on {listen} (admin.listen, FCS__ADMIN__LISTEN)")
        })?;
        listener
            .set_nonblocking(true)
            .context("cannot prepare the admin listener")?;
        let address = listener
            .local_addr()
            .context("the admin listener has no address")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot build the admin runtime")?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serve_admin = move || {
            runtime.block_on(async move {
                match tokio::net::TcpListener::from_std(listener) {
                    // Probes are short: at the end of the process nothing is worth waiting for.
                    Ok(listener) => {
                        let public = Public {
                            app: routes(state),
                            limits,
                            tls: None,
                            metrics: ConnectionMetrics::default(),
                        };
                        serve(listener, public, stopped.clone(), stopped).await;
                    }
                    Err(error) => tracing::error!(%error, "the admin listener did not start"),
                }
            });
        };
        let thread = std::thread::Builder::new()
            .name("admin".to_owned())
            .spawn(serve_admin)
            .context("cannot start the admin thread")?;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Stops the listener and waits for its thread.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            drop(tokio::task::spawn_blocking(move || thread.join()).await);
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
