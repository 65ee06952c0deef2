//! Comparison with other implementations, faulty tables, and properties. Every table here is made up.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may fail loudly; the exemption for tests covers test functions only"
)]

mod faults;
mod golden;
mod properties;
mod support;
