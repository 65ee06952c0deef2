//! Whole systems: the embedded one, and four real processes on PostgreSQL and SQLite.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod api;
mod audit_commands;
mod bias_compute;
mod bias_proxy;
mod bias_watching;
mod canary;
mod client;
mod command_line;
mod conformance;
mod crash;
mod demo;
mod environments;
mod formats;
mod keys;
mod log_peers;
mod marker;
mod monitor_kills;
mod monitoring;
mod mtls;
mod packages;
mod policy;
mod predict;
mod privacy;
mod processes;
mod restarts;
mod rollout_commands;
mod rollouts;
mod settings;
mod system;
mod up;
