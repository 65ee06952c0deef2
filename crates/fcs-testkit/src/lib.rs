//! What tests share: fresh PostgreSQL databases, the test Redis, S3 servers, Prometheus, certificates, real service
//! processes.
//!
//! For: tests of the service crates and of whole systems.
//! Not for: production code; only development dependencies may name this crate.
//!
//! `cargo xtask test` starts the servers and sets `FCS_TEST_POSTGRES_URL` and `FCS_TEST_REDIS_URL`; it sets
//! `FCS_TEST_MOTO_SERVER`, `FCS_TEST_OIDC_ISSUER` and `FCS_TEST_PROMETHEUS` to the programs that a test of S3, of tokens
//! or of metrics starts for itself, and `FCS_TEST_POSTGRES_PROGRAMS` to the folder of the programs of a PostgreSQL that a test kills.

pub mod certificates;
pub mod chaos;
pub mod collector;
pub mod contract;
pub mod load;
pub mod oidc;
pub mod postgres;
pub mod postgres_server;
pub mod process;
pub mod prometheus;
pub mod redis;
pub mod s3;
pub mod wait;

/// URL of the test Redis.
///
/// # Panics
/// When the tests run without `cargo xtask test`.
pub fn redis_url() -> String {
    server_url("FCS_TEST_REDIS_URL")
}

/// The Python that has Triton's client.
///
/// # Panics
/// When the tests run without `cargo xtask test`.
pub fn tritonclient_python() -> String {
    server_url("FCS_TEST_TRITONCLIENT_PYTHON")
}

/// The program that tests an API from its OpenAPI document.
///
/// # Panics
/// When the tests run without `cargo xtask test`.
pub fn schemathesis() -> String {
    server_url("FCS_TEST_SCHEMATHESIS")
}

/// The Python that has gRPC and its generator.
///
/// # Panics
/// When the tests run without `cargo xtask test`.
pub fn grpc_python() -> String {
    server_url("FCS_TEST_GRPC_PYTHON")
}

#[expect(
    clippy::disallowed_methods,
    clippy::panic,
    reason = "the one place where tests learn of their servers; without them there is no test"
)]
fn server_url(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: run the tests with `cargo xtask test`, which starts and installs what they need"
        )
    })
}
