//! Settings: what they are, where they come from, and every problem with them at once.
//!
//! Layers, later wins: built-in defaults, `config/default.toml`, `config/{environment}.toml`, files named by
//! `--config`, `FCS__SECTION__KEY`, the short variables (`ENVIRONMENT`, `LOG_LEVEL`, `DATABASE_URL`,
//! `REDIS_URL`, `ENABLE_METRICS`, `SENTRY_DSN`, `ENABLE_DEBUG_TOOLBAR`), `--set section.key=value`.

mod callers;
mod check;
mod layers;
mod load;
mod sections;
mod show;
mod suggest;
mod variables;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::auth::AuthSettings;

pub use crate::limit::LimitSettings;
pub use callers::CallerRule;
pub use layers::Sources;
pub use load::load;
pub use sections::{
    AdminSettings, AdmissionSettings, ClientTlsSettings, DatabaseSettings, HttpSettings, LogFormat,
    LogSettings, RedisSettings, ShutdownSettings, TelemetrySettings, TlsSettings,
};
pub use show::{shown_json, shown_toml};

/// Settings of one process; `T` is the service's own section.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings<T> {
    /// Where the process runs.
    pub environment: Environment,
    /// The public listener.
    pub http: HttpSettings,
    /// TLS of the public listener.
    pub tls: TlsSettings,
    /// TLS of the calls to other services.
    pub client_tls: ClientTlsSettings,
    /// Who may call.
    pub auth: AuthSettings,
    /// How much each caller may ask for.
    pub limits: LimitSettings,
    /// How much is worked on at a time.
    pub admission: AdmissionSettings,
    /// The admin listener.
    pub admin: AdminSettings,
    /// Logs.
    pub log: LogSettings,
    /// Metrics and traces.
    pub telemetry: TelemetrySettings,
    /// The database.
    pub database: DatabaseSettings,
    /// The cache.
    pub redis: RedisSettings,
    /// The way a process stops.
    pub shutdown: ShutdownSettings,
    /// Folder of embedded databases and keys.
    pub data_dir: PathBuf,
    /// The service's own section.
    pub service: T,
}

impl<T: Default> Settings<T> {
    /// The built-in defaults of an environment.
    pub fn defaults(environment: Environment, http_port: u16, admin_port: u16) -> Self {
        Self {
            environment,
            http: HttpSettings::defaults(environment, http_port),
            tls: TlsSettings::default(),
            client_tls: ClientTlsSettings::default(),
            auth: AuthSettings::defaults(environment),
            limits: LimitSettings::default(),
            admission: AdmissionSettings::default(),
            admin: AdminSettings::defaults(environment, admin_port),
            log: LogSettings::defaults(environment),
            telemetry: TelemetrySettings::default(),
            database: DatabaseSettings::default(),
            redis: RedisSettings::default(),
            shutdown: ShutdownSettings::defaults(environment),
            data_dir: PathBuf::from(".fcs"),
            service: T::default(),
        }
    }

    /// Settings of an embedded process: free loopback ports, SQLite in a folder, an immediate stop.
    pub fn embedded(data_dir: &Path, service: T) -> Self {
        Self {
            data_dir: data_dir.to_path_buf(),
            service,
            ..Self::defaults(Environment::Test, 0, 0)
        }
    }
}

/// Where a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A developer's machine: embedded stores, readable logs, loopback addresses.
    Development,
    /// Like production, with synthetic data.
    Staging,
    /// Real decisions.
    Production,
    /// An automated test.
    Test,
}

impl Environment {
    /// The text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Test => "test",
        }
    }

    /// Whether other machines are expected to reach the process.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Staging | Self::Production)
    }
}

/// Rules that a service's own section must keep, beyond the types of its fields.
pub trait SettingsCheck {
    /// Every broken rule, each naming its key and what to write instead.
    fn problems(&self) -> Vec<String> {
        Vec::new()
    }

    /// The same, where some rules are of some environments only.
    fn problems_in(&self, _environment: Environment) -> Vec<String> {
        self.problems()
    }
}

impl SettingsCheck for () {}

/// A problem for each address that production would call without TLS: `key` names the setting.
pub fn unencrypted<'a>(
    environment: Environment,
    key: &'a str,
    addresses: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let mut addresses = addresses.into_iter();
    let is_plain = |address: &str| !address.starts_with("https://");
    (environment == Environment::Production && addresses.any(is_plain))
        .then(|| format!("{key}: production calls other services over TLS only; write https://"))
}

/// Every problem with the settings. Nothing starts while there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad settings:\n  - {}", .0.join("\n  - "))]
pub struct SettingsProblems(pub Vec<String>);
