//! Errors, deadlines, channels and the standard services over gRPC.

mod breaker;
mod client;
mod credential;
mod deadline;
mod dialer;
mod intern;
mod standard;
mod status;

pub use breaker::Breaker;
pub(crate) use client::is_https;
pub use client::{again_unless_begun, channel, channel_with, request};
pub use credential::Credential;
pub use deadline::Deadline;
pub use intern::interned;
pub use standard::add_standard_services;
pub use status::{DOMAIN, api_error, status, status_code, unreadable_is_invalid};
