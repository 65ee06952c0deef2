//! The service that the tests run.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::auth::{Directory, secret};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use fcs_core::{ApiError, ErrorCode};
use fcs_service::auth::{Principal, Rule, Scope};
use fcs_service::grpc::{Deadline, again_unless_begun, api_error, request};
use fcs_service::problem::{Problem, ProblemJson};
use fcs_service::settings::Settings;
use fcs_service::tls::PeerIdentity;
use fcs_service::{Running, Service, ServiceContext, SettingsCheck, Shared, launch};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore};
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// What a test does to a running service from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Levers {
    /// Counts the requests that wait at `/v1/gate`.
    pub(crate) arrived: Arc<Notify>,
    /// Each permit lets one of them go.
    pub(crate) gate: Option<Arc<Semaphore>>,
    /// Lets the service's task fail.
    pub(crate) fail: Arc<Notify>,
    /// Clients with API keys.
    pub(crate) keys: Option<Arc<Directory>>,
    /// The names of the clients whose requests came, in their order.
    pub(crate) callers: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Levers {
    /// The names of the client of the latest request.
    pub(crate) fn last_caller(&self) -> Vec<String> {
        self.callers
            .lock()
            .unwrap()
            .last()
            .cloned()
            .unwrap_or_default()
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SampleSettings {
    pub(crate) greeting: String,
    pub(crate) floor: f64,
    pub(crate) names: Vec<String>,
    pub(crate) limit: Option<u32>,
    /// A task that ignores the end of the service.
    pub(crate) stubborn: bool,
    /// A service of the same kind, which `/v1/relay` asks for its health.
    pub(crate) peer: Option<String>,
    #[serde(with = "levers")]
    pub(crate) levers: Levers,
}

/// Levers have no text form.
mod levers {
    use super::Levers;
    use serde::{Deserialize as _, Deserializer, Serializer, de::IgnoredAny};

    pub(super) fn serialize<S: Serializer>(_: &Levers, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Levers, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Levers::default())
    }
}

impl Default for SampleSettings {
    fn default() -> Self {
        Self {
            greeting: "hello".to_owned(),
            floor: 0.8,
            names: Vec::new(),
            limit: None,
            stubborn: false,
            peer: None,
            levers: Levers::default(),
        }
    }
}

impl SettingsCheck for SampleSettings {
    fn problems(&self) -> Vec<String> {
        if self.floor <= 1.0 {
            Vec::new()
        } else {
            vec!["floor: must be at most 1".to_owned()]
        }
    }
}

pub(crate) struct Sample;

impl Service for Sample {
    const NAME: &'static str = "sample";
    const SECTION: &'static str = "sample";
    const HTTP_PORT: u16 = 8090;
    const ADMIN_PORT: u16 = 9090;
    const ACCESS: &'static [Rule] = &[
        Rule::get("/v1/gate", Scope::DecisionsRead),
        Rule::post("/v1/echo", Scope::DecisionsScore),
        Rule::get("/v1/items/{id}", Scope::DecisionsRead),
        Rule::get("/v1/large", Scope::DecisionsRead),
        Rule::get("/v1/panic", Scope::DecisionsRead),
        Rule::get("/v1/relay", Scope::DecisionsRead),
        Rule::get("/v1/defect", Scope::DecisionsRead),
        Rule::get("/v1/whoami", Scope::TrafficWrite),
        Rule::call("/sample.Sample/Score", Scope::DecisionsScore),
        Rule::call("/sample.Gate/Wait", Scope::DecisionsRead),
    ];
    type Settings = SampleSettings;

    fn detail_member(path: &str) -> Option<&'static str> {
        path.starts_with("/v1/").then_some("error")
    }

    async fn start(ctx: ServiceContext<SampleSettings>) -> anyhow::Result<Router> {
        ctx.health.dependency("database").good();
        if let Some(keys) = ctx.settings.service.levers.keys.clone() {
            ctx.auth.accept_keys(secret(), keys);
        }
        let soft = ctx.soft.clone();
        let own = ctx.settings.service.clone();
        ctx.spawn("worker", async move {
            tokio::select! {
                () = soft.cancelled(), if !own.stubborn => Ok(()),
                () = own.levers.fail.notified() => anyhow::bail!("the disk is full"),
            }
        });
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter
            .set_service_status("sample", tonic_health::ServingStatus::Serving)
            .await;
        let grpc = tonic::service::Routes::new(health).into_axum_router();
        Ok(Router::new()
            .route("/v1/gate", get(gate))
            .route("/sample.Gate/{*rest}", post(gate))
            .route("/v1/echo", post(echo))
            .route("/v1/items/{id}", get(item))
            .route("/v1/large", get(large))
            .route("/v1/panic", get(panics))
            .route("/v1/defect", get(defect))
            .route("/v1/whoami", get(whoami))
            .with_state(ctx.clone())
            .merge(relay(&ctx)?)
            .merge(grpc)
            .layer(from_fn_with_state(ctx, note_caller)))
    }
}

/// A route that needs the peer.
fn relay(ctx: &ServiceContext<SampleSettings>) -> anyhow::Result<Router> {
    let Some(peer) = &ctx.settings.service.peer else {
        return Ok(Router::new());
    };
    let client = HealthClient::new(ctx.channel(peer)?);
    let ask = async |State(client): State<HealthClient<Channel>>| {
        let deadline = Deadline::after(SOON);
        let asked = again_unless_begun(|| {
            let mut client = client.clone();
            let message = HealthCheckRequest {
                service: "sample".to_owned(),
            };
            async move { client.check(request(message, deadline)).await }
        });
        asked
            .await
            .map(|_| "healthy")
            .map_err(|status| Problem(api_error(&status)))
    };
    Ok(Router::new()
        .route("/v1/relay", get(ask))
        .with_state(client))
}

async fn note_caller(
    State(ctx): State<ServiceContext<SampleSettings>>,
    request: Request,
    next: Next,
) -> Response {
    let caller = request.extensions().get::<PeerIdentity>();
    let names = caller.map(|caller| caller.names().map(str::to_owned).collect());
    let callers = &ctx.settings.service.levers.callers;
    callers.lock().unwrap().push(names.unwrap_or_default());
    next.run(request).await
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    text: String,
}

async fn echo(ProblemJson(note): ProblemJson<Note>) -> Result<ProblemJson<Note>, Problem> {
    Ok(ProblemJson(note))
}

async fn item(UrlPath(id): UrlPath<u32>) -> Result<String, Problem> {
    let message = format!("there is no item {id}");
    Err(ApiError::not_found("ITEM_UNKNOWN", message)
        .retry_after(7)
        .into())
}

async fn gate(State(ctx): State<ServiceContext<SampleSettings>>) -> &'static str {
    let levers = &ctx.settings.service.levers;
    levers.arrived.notify_one();
    if let Some(gate) = &levers.gate {
        gate.acquire()
            .await
            .expect("the gate is never closed")
            .forget();
    }
    "through"
}

async fn whoami(principal: Principal) -> String {
    principal.to_string()
}

/// A megabyte in pieces.
async fn large() -> Body {
    static PIECE: [u8; 65_536] = [b'a'; 65_536];
    let pieces = (0..16).map(|_| Ok::<_, Infallible>(Bytes::from_static(&PIECE)));
    Body::from_stream(futures::stream::iter(pieces))
}

async fn panics() -> &'static str {
    panic!("secret-panic-text")
}

async fn defect() -> Result<String, Problem> {
    Err(ApiError::new(ErrorCode::Internal, "BROKEN", "secret-defect-text").into())
}

/// Settings with short limits, on free ports.
pub(crate) fn settings(folder: &Path) -> Settings<SampleSettings> {
    let mut settings = Settings::embedded(folder, SampleSettings::default());
    settings.http.header_timeout_ms = 300;
    settings.shutdown.drain_deadline_ms = 10_000;
    settings
}

pub(crate) async fn start(settings: Settings<SampleSettings>) -> Running {
    launch::<Sample>(settings, &Shared::silent())
        .await
        .expect("the sample starts")
}

/// A limit for what must happen soon.
pub(crate) const SOON: Duration = Duration::from_secs(8);
