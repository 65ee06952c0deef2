//! Tests of the public interface of `fcs-decision`.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of a test fails by panicking"
)]

mod catalogue;
mod cel;
mod cohort;
mod condition;
mod decide;
mod encode;
mod fixture;
mod manifest;
mod manifest_format;
mod notice;
mod packages;
mod policy;
mod profile;
mod reasons;
mod record;
mod score;
mod shadow;
mod trust;
