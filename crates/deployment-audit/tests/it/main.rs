//! Integration tests of `deployment-audit`: one binary, every store case on both engines.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod activation;
mod checkpoint;
mod metric_source;
mod publication;
mod reader;
mod rollout;
mod rollout_faults;
mod rollout_store;
mod rollout_transport;
mod store;
mod support;
mod transport;
