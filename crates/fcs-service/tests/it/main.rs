//! The shell as a service meets it: real listeners, real clients, real stores.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests fail by panicking, spawn freely and read where the test stores are"
)]

mod attacks;
mod auth;
mod cache;
mod database;
mod errors;
mod guards;
mod lifecycle;
mod limits;
mod mapping;
mod process;
mod protocols;
mod sample;
mod settings;
mod standard;
mod tls;
mod tokens;
mod traces;
mod wire;
