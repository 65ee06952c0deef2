//! Tests of the gateway: the store on both engines, the use cases on a real store, both transports.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, and start tasks beside the service"
)]

mod app;
mod application;
mod bad_inputs_grpc;
mod bad_inputs_http;
mod bad_inputs_json;
mod batch;
mod cases;
mod disconnects;
mod erasures;
mod faults;
mod feed;
mod fleet;
mod keys;
mod kills;
mod model_servers;
mod notice;
mod openapi;
mod overload;
mod policy;
mod privacy;
mod redis_faults;
mod replication;
mod review;
mod shadow;
mod shadow_load;
mod store;
mod support;
mod tenants;
mod traffic;
mod transport;
