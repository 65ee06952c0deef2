//! The model server against the real packages, and against every way to spoil one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batch;
mod lifecycle;
mod package;
mod refusals;
mod registry;
mod service;
mod spoiled;
mod tritonclient;
