//! Rules of the deployment machine, and its laws under random use.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, a broken expectation is a failure"
)]

mod laws;
mod properties;
mod rollout;
mod rules;
mod statistics;
mod support;
