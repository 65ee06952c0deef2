//! What a service is given: settings, time, randomness, health, metrics and its tasks.

use std::future::Future;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use fcs_core::{Clock, UnixMicros};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use crate::admission::Admission;
use crate::auth::Auth;
use crate::grpc::{self, is_https};
use crate::settings::{LogSettings, Settings, TelemetrySettings};
use crate::tasks::Tasks;
use crate::tls::ClientTls;
use crate::{Health, MetricsHandle, Telemetry};

/// Everything a service may reach. Cloning shares it.
#[derive(Clone)]
pub struct ServiceContext<T> {
    /// Name of the service.
    pub name: &'static str,
    /// Its settings.
    pub settings: Arc<Settings<T>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// Who calls.
    pub auth: Auth,
    /// How much is worked on at a time.
    pub admission: Admission,
    /// Readiness and its dependencies.
    pub health: Health,
    /// The registry behind `/metrics`.
    pub metrics: MetricsHandle,
    /// Cancelled when the drain begins: endless response streams end on it, or they hold the drain.
    pub draining: CancellationToken,
    /// Cancelled after the last request has ended: background loops finish their step and end.
    pub soft: CancellationToken,
    /// Cancelled at the drain deadline: whatever still runs stops at once.
    pub hard: CancellationToken,
    pub(crate) tasks: Tasks,
}

impl<T> ServiceContext<T> {
    /// Runs a future as a task of the service. An error or a panic makes the process unready, stops it
    /// and gives exit code 1; the drain waits for the task.
    pub fn spawn(
        &self,
        name: &'static str,
        future: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.tasks.spawn(name, future);
    }

    /// A channel to another service that connects at its first use, over TLS where the address says `https`.
    ///
    /// # Errors
    /// When the address is no URL, or the section `client_tls` does not fit.
    pub fn channel(&self, url: &str) -> anyhow::Result<Channel> {
        if !is_https(url) {
            return grpc::channel(url);
        }
        let tls = ClientTls::start(self).with_context(|| format!("cannot call {url}"))?;
        grpc::channel_with(url, &tls)
    }
}

/// A source of random bytes.
pub trait Random: Send + Sync {
    /// Fills the slice.
    fn fill(&self, bytes: &mut [u8]);
}

/// Random bytes of a cryptographic generator that the operating system seeds.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) {
        rand::fill(bytes);
    }
}

/// The wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn now(&self) -> UnixMicros {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMicros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}

/// What the services of one process share.
#[derive(Clone)]
pub struct Shared {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// Logs and traces.
    pub telemetry: Telemetry,
}

impl Shared {
    /// Starts logs and traces, once per process: a second call returns the first one's telemetry.
    /// `process` becomes `service.name`. Call it inside a Tokio runtime.
    pub fn init(
        process: &'static str,
        log: &LogSettings,
        telemetry: &TelemetrySettings,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            telemetry: Telemetry::init(process, log, telemetry)?,
            ..Self::silent()
        })
    }

    /// The real clock and randomness, without logs and traces; for tests.
    pub fn silent() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            telemetry: Telemetry::silent(),
        }
    }
}
