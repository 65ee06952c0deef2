//! Asks the gateway what models were built on, and brings the published drift up to date.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fcs_core::{Clock, ModelVersion};
use fcs_proto::scoring::v1::GetModelProfileRequest;
use fcs_proto::scoring::v1::feed_service_client::FeedServiceClient;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tracing::{error, warn};

use crate::app::drift::{DriftQuery, HOURS_DEFAULT, Windows, drift_sheet};
use crate::app::terms::Terms;
use crate::grpc::feed::variables;
use crate::metrics::{DriftLabels, Metrics};
use crate::store::{ProfileStore, StoreError};

/// The longest that the gateway may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The profiler with what it needs.
pub(crate) struct Profiler {
    /// Where counts and profiles are kept.
    pub(crate) store: Arc<dyn ProfileStore>,
    /// The gateway.
    pub(crate) gateway: Channel,
    /// The thresholds.
    pub(crate) terms: Arc<Terms>,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// The metrics.
    pub(crate) metrics: Metrics,
    /// The pause between two looks.
    pub(crate) interval: Duration,
    /// Cancelled when the profiler must end.
    pub(crate) soft: CancellationToken,
}

impl Profiler {
    /// Looks at every interval, until the service ends.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut published = BTreeSet::new();
        let mut untold = BTreeSet::new();
        let mut interval = tokio::time::interval(self.interval);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.soft.cancelled() => return Ok(()),
                _ = interval.tick() => {}
            }
            let look = self.look(&mut published, &mut untold);
            tokio::select! {
                () = self.soft.cancelled() => return Ok(()),
                looked = look => if let Err(failure) = looked {
                    let failure = format!("{:#}", anyhow::Error::new(failure));
                    error!(error = failure, "drift could not be brought up to date; trying again");
                },
            }
        }
    }

    async fn look(
        &self,
        published: &mut BTreeSet<DriftLabels>,
        untold: &mut BTreeSet<ModelVersion>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut gauges = Vec::new();
        let windows = Windows::of(HOURS_DEFAULT, now);
        for counted in self.store.models(windows.current).await? {
            if !counted.is_described && !self.describe(&counted.model, untold).await? {
                continue;
            }
            let query = DriftQuery {
                model: counted.model,
                hours: HOURS_DEFAULT,
            };
            let counts = self.store.counts(&query.model, windows).await?;
            if let Ok(sheet) = drift_sheet(&query, &counts, &self.terms.policy, now) {
                gauges.extend(DriftLabels::of(&query.model, &sheet));
            }
        }
        self.metrics.publish_drift(&gauges, published);
        Ok(())
    }

    /// Whether the gateway told what a model was built on. `untold` are those of which it is known that it does not.
    async fn describe(
        &self,
        model: &ModelVersion,
        untold: &mut BTreeSet<ModelVersion>,
    ) -> Result<bool, StoreError> {
        let mut request = tonic::Request::new(GetModelProfileRequest {
            model: model.to_string(),
        });
        request.set_timeout(CALL_TIMEOUT);
        let mut client = FeedServiceClient::new(self.gateway.clone());
        let described = match client.get_model_profile(request).await {
            Ok(response) => variables(response.into_inner()),
            Err(status) => {
                let (code, message) = (status.code(), status.message());
                if untold.insert(model.clone()) {
                    warn!(%model, ?code, message, "it is not known what a model was built on, so its drift is not either");
                }
                return Ok(false);
            }
        };
        let Some(variables) = described else {
            if untold.insert(model.clone()) {
                error!(%model, "what the gateway told of a model makes no sense, so its drift is not known");
            }
            return Ok(false);
        };
        self.store.put_profile(model, &variables).await?;
        untold.remove(model);
        Ok(true)
    }
}
