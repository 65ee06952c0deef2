//! gRPC clients of the services.

use fcs_proto::deployment::v1::audit_service_client::AuditServiceClient;
use fcs_proto::deployment::v1::deployment_service_client::DeploymentServiceClient;
use fcs_proto::monitoring::v1::monitoring_service_client::MonitoringServiceClient;
use fcs_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use fcs_proto::scoring::v1::traffic_service_client::TrafficServiceClient;
use fcs_service::grpc::channel;
use tonic::transport::Channel;

use crate::endpoints::Endpoints;

/// Pages of decisions with their records, and lists of leaves, pass through here.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// One client per contract; cloning shares the connections.
#[derive(Clone)]
pub(crate) struct Clients {
    /// Decisions.
    pub(crate) scoring: ScoringServiceClient<Channel>,
    /// The traffic table.
    pub(crate) traffic: TrafficServiceClient<Channel>,
    /// Groups.
    pub(crate) monitoring: MonitoringServiceClient<Channel>,
    /// Deployments.
    pub(crate) deployment: DeploymentServiceClient<Channel>,
    /// The transparency log.
    pub(crate) audit: AuditServiceClient<Channel>,
}

impl Clients {
    /// Connects when the first call is made.
    pub(crate) fn new(endpoints: &Endpoints) -> anyhow::Result<Self> {
        let gateway = channel(&endpoints.gateway)?;
        let audit = channel(&endpoints.deployment_audit)?;
        Ok(Self {
            scoring: ScoringServiceClient::new(gateway.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
            traffic: TrafficServiceClient::new(gateway),
            monitoring: MonitoringServiceClient::new(channel(&endpoints.bias_monitor)?),
            deployment: DeploymentServiceClient::new(audit.clone()),
            audit: AuditServiceClient::new(audit).max_decoding_message_size(MESSAGE_BYTES_MAX),
        })
    }
}
