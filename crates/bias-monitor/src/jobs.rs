//! The background work of the monitor.

mod backoff;
pub(crate) mod erasure_follower;
pub(crate) mod feed_reader;
pub(crate) mod profiler;
pub(crate) mod publisher;
pub(crate) mod roller;
pub(crate) mod shadow_reader;
pub(crate) mod watcher;
