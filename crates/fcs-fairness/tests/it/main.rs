//! Comparison with other implementations, published numbers, and properties.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may fail loudly; the exemption for tests covers test functions only"
)]

mod drift;
mod evidence;
mod golden;
mod laws;
mod metrics;
mod properties;
mod proxy;
mod published;
mod replay;
mod report;
mod sheets;
mod streams;
mod tables;
