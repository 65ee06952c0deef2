//! Errors, deadlines and channels over gRPC.

mod client;
mod deadline;
mod intern;
mod status;

pub use client::{channel, request};
pub use deadline::Deadline;
pub use status::{DOMAIN, api_error, status, status_code};
