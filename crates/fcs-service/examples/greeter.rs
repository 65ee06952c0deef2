//! The smallest service: one HTTP route, one gRPC service, one task. The tests run it as a real process.
//!
//! `cargo run -p fcs-service --example greeter -- --set greeter.greeting=moin`

use std::process::ExitCode;
use std::time::Duration;

use axum::extract::State;
use axum::{Router, routing::post};
use fcs_core::ApiError;
use fcs_service::auth::Rule;
use fcs_service::problem::{Problem, ProblemJson};
use fcs_service::{Service, ServiceContext, SettingsCheck};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    greeting: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            greeting: "hello".to_owned(),
        }
    }
}

impl SettingsCheck for Settings {
    fn problems(&self) -> Vec<String> {
        let empty = self.greeting.is_empty();
        if empty {
            vec!["greeter.greeting: must not be empty".to_owned()]
        } else {
            Vec::new()
        }
    }
}

struct Greeter;

impl Service for Greeter {
    const NAME: &'static str = "greeter";
    const SECTION: &'static str = "greeter";
    const HTTP_PORT: u16 = 8090;
    const ADMIN_PORT: u16 = 9090;
    const ACCESS: &'static [Rule] = &[Rule::public("POST", "/v1/greetings")];
    type Settings = Settings;

    async fn start(ctx: ServiceContext<Settings>) -> anyhow::Result<Router> {
        let soft = ctx.soft.clone();
        ctx.spawn("tidy", async move {
            let mut interval = tokio::time::interval(Duration::from_secs(1));
            loop {
                tokio::select! {
                    () = soft.cancelled() => return Ok(()),
                    _ = interval.tick() => {}
                }
            }
        });
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter
            .set_service_status("greeter", tonic_health::ServingStatus::Serving)
            .await;
        let grpc = tonic::service::Routes::new(health).into_axum_router();
        Ok(Router::new()
            .route("/v1/greetings", post(greet))
            .with_state(ctx)
            .merge(grpc))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

#[derive(Debug, Serialize)]
struct Greeting {
    text: String,
}

async fn greet(
    State(ctx): State<ServiceContext<Settings>>,
    ProblemJson(body): ProblemJson<Name>,
) -> Result<ProblemJson<Greeting>, Problem> {
    if body.name.is_empty() {
        return Err(ApiError::invalid("NAME_EMPTY", "the name is empty", Vec::new()).into());
    }
    // The tests want a panic that tells what a caller sent.
    assert!(!body.name.starts_with("panic "), "greeting {}", body.name);
    let text = format!("{} {}", ctx.settings.service.greeting, body.name);
    tracing::info!("somebody was greeted");
    Ok(ProblemJson(Greeting { text }))
}

fn main() -> ExitCode {
    fcs_service::run::<Greeter>()
}
