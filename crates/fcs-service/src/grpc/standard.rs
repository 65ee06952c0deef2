//! The services that every gRPC server offers beside its own: health and reflection.

use std::pin::Pin;

use anyhow::Context as _;
use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::server::Builder;

use crate::{Health, ServiceContext};

/// Adds `grpc.health.v1.Health` and reflection, v1 and v1alpha. `services` are the full names of the
/// services of `routes`; `descriptors` is a serialised `FileDescriptorSet` that describes them.
///
/// Each named service, and the empty name, is serving while the process is ready. Another name is
/// `NOT_FOUND` for `Check` and `SERVICE_UNKNOWN` for `Watch`, as the protocol of gRPC health checks says.
///
/// # Errors
/// When the descriptors cannot be read.
pub fn add_standard_services<T>(
    routes: Routes,
    ctx: &ServiceContext<T>,
    services: &'static [&'static str],
    descriptors: &'static [u8],
) -> anyhow::Result<Routes> {
    let reflection = || {
        let mut builder = Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        for service in services {
            builder = builder.with_service_name(*service);
        }
        builder
    };
    let health = Standard {
        health: ctx.health.clone(),
        draining: ctx.draining.clone(),
        services,
    };
    Ok(routes
        .add_service(HealthServer::new(health))
        .add_service(reflection().build_v1().context("build the reflection")?)
        .add_service(
            reflection()
                .build_v1alpha()
                .context("build the old reflection")?,
        ))
}

#[derive(Clone)]
struct Standard {
    health: Health,
    draining: CancellationToken,
    services: &'static [&'static str],
}

impl Standard {
    fn status(&self, service: &str) -> Option<ServingStatus> {
        if !service.is_empty() && !self.services.contains(&service) {
            return None;
        }
        Some(if self.health.readiness().ready {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        })
    }

    /// Sends the status now and at every change, until the caller leaves or the server drains.
    async fn watch(self, service: String, answers: mpsc::Sender<Answer>) {
        let mut changes = self.health.changes();
        let mut last = None;
        loop {
            changes.mark_unchanged();
            let status = self
                .status(&service)
                .unwrap_or(ServingStatus::ServiceUnknown);
            if last != Some(status) && answers.send(Ok(response(status))).await.is_err() {
                return;
            }
            last = Some(status);
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = answers.closed() => return,
                () = self.draining.cancelled() => return,
            }
        }
    }
}

type Answer = Result<HealthCheckResponse, Status>;

#[tonic::async_trait]
impl HealthService for Standard {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        self.status(&service)
            .map(|status| Response::new(response(status)))
            .ok_or_else(|| Status::not_found("there is no such service"))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Answer> + Send>>;

    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends with its caller's stream or with the drain, which it watches"
    )]
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (sender, answers) = mpsc::channel(1);
        tokio::spawn(self.clone().watch(request.into_inner().service, sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}
