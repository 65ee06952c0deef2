//! Tests of the public interface of `fcs-decision`.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of a test fails by panicking"
)]

mod cohort;
mod decide;
mod encode;
mod fixture;
mod manifest;
mod manifest_format;
mod packages;
mod reasons;
mod record;
mod score;
mod trust;
