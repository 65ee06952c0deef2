//! The shell of every service: settings, telemetry, lifecycle, health, servers and error mapping.
//!
//! For: everything that a process needs around its own work, so that a service is its routes, its
//! tasks and its stores. A service implements [`Service`] and its `main` calls [`run`].
//! Not for: anything that decides something about credit, models or rollouts.
//!
//! Invariants: nothing starts with bad settings (exit 64 lists every problem); a service is ready only
//! after [`Service::start`] returned and while its dependencies are good; a stop ends within the drain
//! deadline; an outsider never sees internal text; a secret is never printed, and neither is
//! what crates of others, or panics, tell of a request.

pub mod admission;
pub mod auth;
pub mod cache;
pub mod database;
pub mod grpc;
pub mod health;
pub mod metrics;
pub mod problem;
pub mod seed_file;
pub mod settings;
pub mod telemetry;
pub mod tls;

mod admin;
mod context;
mod edge;
mod launch;
mod limit;
mod panics;
mod request_id;
mod serve;
mod shell;
mod tasks;

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::auth::Rule;

pub use context::{OsRandom, Random, ServiceContext, Shared, SystemClock};
pub use health::Health;
pub use launch::{Running, launch};
pub use metrics::MetricsHandle;
pub use request_id::RequestId;
pub use settings::{Environment, Settings, SettingsCheck, SettingsProblems};
pub use shell::{EXIT_BAD_SETTINGS, run};
pub use telemetry::Telemetry;

/// In a profile of the gateway the allocator of the system took over a fifth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A process of the system.
pub trait Service: Sized + Send + 'static {
    /// Name of the process, its binary, its image and its `service.name`, for example `scoring-gateway`.
    const NAME: &'static str;
    /// Section of the settings that belongs to the service, for example `gateway`.
    const SECTION: &'static str;
    /// Default public port.
    const HTTP_PORT: u16;
    /// Default port of the admin listener.
    const ADMIN_PORT: u16;

    /// Whether it keeps something in a database. One that does not needs none, in production either.
    const STORES: bool = true;

    /// The service's own section. Put `#[serde(default, deny_unknown_fields)]` on it; do not skip
    /// fields when serialising, because the serialised default tells which keys exist.
    type Settings: DeserializeOwned
        + Serialize
        + Default
        + Clone
        + Send
        + Sync
        + 'static
        + SettingsCheck;

    /// Which scope each route of [`Service::start`] needs. A route without a rule answers nobody.
    const ACCESS: &'static [Rule];

    /// Builds the stores, spawns tasks on `ctx` and returns the routes: HTTP and gRPC merged in one router.
    /// The service is ready once this returns and its dependencies are good.
    fn start(
        ctx: ServiceContext<Self::Settings>,
    ) -> impl Future<Output = anyhow::Result<axum::Router>> + Send;

    /// Name of a further member that repeats the detail of a problem on this path, for routes whose contract
    /// names one; `None` where RFC 9457 alone holds.
    fn detail_member(path: &str) -> Option<&'static str> {
        let _ = path;
        None
    }

    /// Applies the migrations; `<binary> migrate` calls it. Without stores there is nothing to do.
    fn migrate(
        ctx: ServiceContext<Self::Settings>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send {
        drop(ctx);
        async { Ok(()) }
    }
}
