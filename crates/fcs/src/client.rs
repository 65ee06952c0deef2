//! gRPC clients of the services.

use anyhow::Context as _;
use fcs_proto::deployment::v1::audit_service_client::AuditServiceClient;
use fcs_proto::deployment::v1::deployment_service_client::DeploymentServiceClient;
use fcs_proto::deployment::v1::rollout_service_client::RolloutServiceClient;
use fcs_proto::monitoring::v1::alert_service_client::AlertServiceClient;
use fcs_proto::monitoring::v1::monitoring_service_client::MonitoringServiceClient;
use fcs_proto::scoring::v1::key_service_client::KeyServiceClient;
use fcs_proto::scoring::v1::privacy_service_client::PrivacyServiceClient;
use fcs_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use fcs_proto::scoring::v1::shadow_service_client::ShadowServiceClient;
use fcs_proto::scoring::v1::traffic_service_client::TrafficServiceClient;
use fcs_service::grpc::{Credential, channel, channel_with};
use fcs_service::settings::ClientTlsSettings;
use fcs_service::tls::ClientTls;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use crate::cli::{Global, TlsArguments};
use crate::endpoints::Endpoints;

/// Pages of decisions with their records, and lists of leaves, pass through here.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// A connection that shows a credential with each call.
pub(crate) type Line = InterceptedService<Channel, Credential>;

/// One client per contract; cloning shares the connections.
#[derive(Clone)]
pub(crate) struct Clients {
    /// Decisions.
    pub(crate) scoring: ScoringServiceClient<Line>,
    /// API keys.
    pub(crate) keys: KeyServiceClient<Line>,
    /// Erasures.
    pub(crate) privacy: PrivacyServiceClient<Line>,
    /// What shadow arms would have decided.
    pub(crate) shadow: ShadowServiceClient<Line>,
    /// The traffic table.
    pub(crate) traffic: TrafficServiceClient<Line>,
    /// Groups.
    pub(crate) monitoring: MonitoringServiceClient<Line>,
    /// Verdicts and alerts on groups.
    pub(crate) alerts: AlertServiceClient<Line>,
    /// Deployments.
    pub(crate) deployment: DeploymentServiceClient<Line>,
    /// Rollouts.
    pub(crate) rollouts: RolloutServiceClient<Line>,
    /// The transparency log.
    pub(crate) audit: AuditServiceClient<Line>,
}

impl Clients {
    /// The services that the flags name, with the credential that they name.
    pub(crate) fn of(global: &Global) -> anyhow::Result<Self> {
        Self::at(&Endpoints::resolve(global), global)
    }

    /// Services with the credential that the flags name. Connects when the first call is made.
    pub(crate) fn at(endpoints: &Endpoints, global: &Global) -> anyhow::Result<Self> {
        let credential = match &global.api_key_file {
            Some(path) => Credential::read(path)?,
            None => Credential::default(),
        };
        let tls = global.tls.load()?;
        let line = |url: &str| -> anyhow::Result<Line> {
            let channel = match &tls {
                Some(tls) => channel_with(url, tls)?,
                None => channel(url).context("open a channel; https needs --ca")?,
            };
            Ok(InterceptedService::new(channel, credential.clone()))
        };
        let gateway = line(&endpoints.gateway)?;
        let monitor = line(&endpoints.bias_monitor)?;
        let audit = line(&endpoints.deployment_audit)?;
        Ok(Self {
            scoring: ScoringServiceClient::new(gateway.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
            keys: KeyServiceClient::new(gateway.clone()),
            privacy: PrivacyServiceClient::new(gateway.clone()),
            shadow: ShadowServiceClient::new(gateway.clone()),
            traffic: TrafficServiceClient::new(gateway),
            monitoring: MonitoringServiceClient::new(monitor.clone()),
            alerts: AlertServiceClient::new(monitor),
            deployment: DeploymentServiceClient::new(audit.clone()),
            rollouts: RolloutServiceClient::new(audit.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
            audit: AuditServiceClient::new(audit).max_decoding_message_size(MESSAGE_BYTES_MAX),
        })
    }
}

impl TlsArguments {
    /// What the flags say; `None` without an authority to trust.
    ///
    /// # Errors
    /// When a file cannot be read or does not fit the others.
    pub(crate) fn load(&self) -> anyhow::Result<Option<ClientTls>> {
        if self.ca.is_none() {
            return Ok(None);
        }
        let settings = ClientTlsSettings {
            ca: self.ca.clone(),
            certificate: self.cert.clone(),
            key: self.cert_key.clone(),
            ..ClientTlsSettings::default()
        };
        ClientTls::load(&settings).map(Some)
    }
}
