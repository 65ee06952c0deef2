//! The sections that every service shares.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use fcs_core::Secret;
use serde::{Deserialize, Serialize};

use super::{CallerRule, Environment};

/// The public listener: HTTP/1.1 and HTTP/2, routes and gRPC on one port.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How long a client may take to send the first bytes or a request head.
    pub header_timeout_ms: u64,
    /// How long a connection may stay open without a request.
    pub idle_timeout_ms: u64,
    /// How long the body of a request may take to arrive; a method that streams its answer is free of it.
    pub body_timeout_ms: u64,
    /// How long a client may leave an answer unread.
    pub write_timeout_ms: u64,
    /// How long an HTTP request may take; gRPC calls carry their own deadline.
    pub request_timeout_ms: u64,
    /// Connections at a time; further ones wait in the listener's queue.
    pub max_connections: usize,
    /// Connections of one address at a time; further ones are closed. Behind a proxy, which is one address, give it
    /// as many as `max_connections`.
    pub max_connections_per_address: usize,
    /// How long a connection is used before its client is asked to open another one.
    pub max_connection_age_ms: u64,
    /// How long its requests may take to end after that.
    pub connection_age_grace_ms: u64,
    /// Bytes of a request body.
    pub max_body_bytes: usize,
}

impl HttpSettings {
    pub(super) fn defaults(environment: Environment, port: u16) -> Self {
        Self {
            listen: default_address(environment, port),
            header_timeout_ms: 3_000,
            idle_timeout_ms: 60_000,
            body_timeout_ms: 8_000,
            write_timeout_ms: 8_000,
            request_timeout_ms: 10_000,
            max_connections: 4_096,
            max_connections_per_address: 1_024,
            max_connection_age_ms: 600_000,
            connection_age_grace_ms: 600_000,
            max_body_bytes: 1_048_576,
        }
    }
}

/// Requests that are worked on at a time, and those that wait for a place.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmissionSettings {
    /// Requests at work.
    pub places: usize,
    /// Requests of one kind that wait; the oldest is pushed out by a newer one.
    pub waiting: usize,
    /// How long a request waits.
    pub wait_ms: u64,
}

impl Default for AdmissionSettings {
    fn default() -> Self {
        Self {
            places: 256,
            waiting: 256,
            wait_ms: 8,
        }
    }
}

/// TLS of the public listener. Without a certificate it speaks plain text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// PEM file with the server's certificate and those between it and the root.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of the certificate.
    pub key: Option<PathBuf>,
    /// PEM file with the roots of client certificates; with it, every client must show one (mTLS).
    pub client_ca: Option<PathBuf>,
    /// Whether a client may also come without a certificate. It is then nobody: rules of `callers` refuse it, and a route
    /// needs another credential. For load balancers, which have none to show; needs `client_ca`.
    pub client_certificate_optional: bool,
    /// PEM file with lists of revoked client certificates, one for each authority that signs them.
    pub client_revocations: Option<PathBuf>,
    /// Who may call what: `PATH=NAME`. A path with an entry is only for clients whose certificate has one of the
    /// names of its entries; a path that ends with `/` stands for all below it.
    pub callers: Vec<CallerRule>,
    /// How often the files are read again; new ones count for new connections.
    pub reload_interval_ms: u64,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            client_ca: None,
            client_certificate_optional: false,
            client_revocations: None,
            callers: Vec::new(),
            reload_interval_ms: 60_000,
        }
    }
}

/// TLS of the calls to other services, for addresses that begin with `https://`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTlsSettings {
    /// PEM file with the roots of the servers' certificates.
    pub ca: Option<PathBuf>,
    /// PEM file with the certificate to show to servers that ask for one.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of that certificate.
    pub key: Option<PathBuf>,
    /// How often the files are read again; new ones count for new connections.
    pub reload_interval_ms: u64,
}

impl Default for ClientTlsSettings {
    fn default() -> Self {
        Self {
            ca: None,
            certificate: None,
            key: None,
            reload_interval_ms: 60_000,
        }
    }
}

/// The admin listener: health, metrics and the log filter. Not for the public.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminSettings {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
}

impl AdminSettings {
    pub(super) fn defaults(environment: Environment, port: u16) -> Self {
        Self {
            listen: default_address(environment, port),
        }
    }
}

fn default_address(environment: Environment, port: u16) -> SocketAddr {
    let address = if environment.is_shared() {
        Ipv4Addr::UNSPECIFIED
    } else {
        Ipv4Addr::LOCALHOST
    };
    SocketAddr::new(IpAddr::V4(address), port)
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// Logs, written to standard error.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`, `off`) or a filter such as `info,sqlx=warn`. Of crates that
    /// are not ours nothing below `info` is logged in any case.
    pub level: String,
    /// Shape of a line.
    pub format: LogFormat,
}

impl LogSettings {
    pub(super) fn defaults(environment: Environment) -> Self {
        let format = if environment.is_shared() {
            LogFormat::Json
        } else {
            LogFormat::Pretty
        };
        Self {
            level: "info".to_owned(),
            format,
        }
    }
}

/// Metrics, traces and error reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// Whether `/metrics` answers.
    pub metrics: bool,
    /// Where traces go over OTLP/gRPC, for example `http://127.0.0.1:4317`; without it there are none.
    pub otlp_endpoint: Option<String>,
    /// Share of new traces that are recorded, 0 to 1. A caller's decision to record is kept.
    pub trace_sample_ratio: f64,
    /// Where error reports would go. Checked, but without effect in this build.
    pub sentry_dsn: Option<Secret<String>>,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            metrics: true,
            otlp_endpoint: None,
            trace_sample_ratio: 0.01,
            sentry_dsn: None,
        }
    }
}

/// The database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `postgresql://user:password@host:port/name`, `sqlite:` (a file in the data folder) or `sqlite:PATH`.
    pub url: Secret<String>,
    /// Connections of the pool.
    pub max_connections: u32,
    /// How long to wait for a connection of the pool.
    pub acquire_timeout_ms: u64,
    /// How long the server works on one statement.
    pub statement_timeout_ms: u64,
    /// Whether the service applies its migrations when it starts.
    pub migrate_on_start: bool,
}

/// The database of the data folder.
pub(super) const EMBEDDED_DATABASE_URL: &str = "sqlite:";

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: Secret::new(EMBEDDED_DATABASE_URL.to_owned()),
            max_connections: 8,
            acquire_timeout_ms: 1_000,
            statement_timeout_ms: 2_000,
            migrate_on_start: true,
        }
    }
}

/// The cache. Optional: without it the system is slower, never wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// `redis://host:port`; without it nothing is cached.
    pub url: Option<Secret<String>>,
    /// How long a call may take, connecting included.
    pub timeout_ms: u64,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            url: None,
            timeout_ms: 50,
        }
    }
}

/// The way a process stops.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownSettings {
    /// How long the process answers as "not ready" before it stops accepting.
    pub unready_delay_ms: u64,
    /// How long requests and tasks may take to end after that.
    pub drain_deadline_ms: u64,
    /// What the platform grants between SIGTERM and SIGKILL, when known.
    pub termination_grace_ms: Option<u64>,
}

impl ShutdownSettings {
    pub(super) fn defaults(environment: Environment) -> Self {
        Self {
            unready_delay_ms: if environment.is_shared() { 5_000 } else { 0 },
            drain_deadline_ms: 20_000,
            termination_grace_ms: None,
        }
    }
}
