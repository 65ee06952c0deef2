//! The bias monitor over gRPC, behind [`BiasMonitor`].

use std::time::Duration;

use async_trait::async_trait;
use fcs_core::ModelVersion;
use fcs_proto::monitoring::v1 as wire;
use fcs_proto::monitoring::v1::alert_service_client::AlertServiceClient;
use fcs_rollout::rollout::BiasAlarm;
use fcs_service::grpc::{Deadline, request};
use tonic::transport::Channel;

use crate::app::ports::{BiasMonitor, MonitorError};

/// Longest wait for verdicts.
const LIMIT: Duration = Duration::from_secs(2);

/// The monitor at one address. Cloning shares the connection.
#[derive(Debug, Clone)]
pub struct Monitor(AlertServiceClient<Channel>);

impl Monitor {
    /// The monitor at the other end.
    pub fn over(channel: Channel) -> Self {
        Self(AlertServiceClient::new(channel))
    }
}

#[async_trait]
impl BiasMonitor for Monitor {
    /// A muted alarm fires as well: muting silences notices and opens no gate.
    async fn firing(&self, model: &ModelVersion) -> Result<Vec<BiasAlarm>, MonitorError> {
        let asked = wire::ListVerdictsRequest {
            model: model.to_string(),
        };
        let mut alerts = self.0.clone();
        let answer = alerts.list_verdicts(request(asked, Deadline::after(LIMIT)));
        let answer = answer.await.map_err(|status| {
            MonitorError(format!("{} ({:?})", status.message(), status.code()))
        })?;
        let verdicts = answer.into_inner().verdicts.into_iter();
        let firing = verdicts.filter(|it| it.alert() == wire::AlertStatus::Firing);
        firing.filter_map(|it| it.watched).map(alarm).collect()
    }
}

fn alarm(watched: wire::WatchedGroup) -> Result<BiasAlarm, MonitorError> {
    let baseline = Some(watched.baseline_model).filter(|model| !model.is_empty());
    let baseline = baseline.map(|model| model.parse()).transpose();
    Ok(BiasAlarm {
        attribute: watched.attribute,
        group: watched.group,
        baseline: baseline.map_err(|error| MonitorError(format!("a baseline model: {error}")))?,
    })
}
