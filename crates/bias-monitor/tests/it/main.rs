//! Integration tests of the bias monitor, on SQLite and on the PostgreSQL of `cargo xtask test`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod alerts;
mod concurrency;
mod counters;
mod drift;
mod erasures;
mod evidence;
mod examinations;
mod feed;
mod gaps;
mod properties;
mod proxies;
mod store;
mod support;
mod transport;
