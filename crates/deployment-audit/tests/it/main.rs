//! Integration tests of `deployment-audit`: one binary, every store case on both engines.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod activation;
mod checkpoint;
mod reader;
mod rollout_store;
mod store;
mod support;
mod transport;
