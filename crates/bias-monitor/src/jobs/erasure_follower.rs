//! Asks the gateway which applications were erased, and forgets their ids.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fcs_proto::scoring::v1::ListExecutedErasuresRequest;
use fcs_proto::scoring::v1::erasure_feed_service_client::ErasureFeedServiceClient;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::Channel;
use tracing::{info, warn};

use crate::app::erasure::Erased;
use crate::grpc::feed::erased;
use crate::store::ErasureStore;

/// The longest that the gateway may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Erasures of one page.
const PAGE: u32 = 1_000;
/// Places that are read again each time: those that are executed at the same time may appear out of order, and a decision
/// that was on its way may have come with its id afterwards.
const OVERLAP: u64 = 1_000;

/// The follower with what it needs.
pub(crate) struct ErasureFollower {
    /// Where application ids are kept.
    pub(crate) store: Arc<dyn ErasureStore>,
    /// The gateway.
    pub(crate) gateway: Channel,
    /// The pause between two looks.
    pub(crate) interval: Duration,
    /// Cancelled when the follower must end.
    pub(crate) soft: CancellationToken,
}

impl ErasureFollower {
    /// Looks at every interval, until the service ends. A page is never given up half-way.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut interval = tokio::time::interval(self.interval);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failed = false;
        loop {
            tokio::select! {
                () = self.soft.cancelled() => return Ok(()),
                _ = interval.tick() => {}
            }
            match self.look().await {
                Ok(0) => failed = false,
                Ok(applications) => {
                    failed = false;
                    info!(
                        applications,
                        "the ids of erased applications were forgotten"
                    );
                }
                Err(failure) if failed => tracing::debug!("still the same: {failure:#}"),
                Err(failure) => {
                    failed = true;
                    let failure = format!("{failure:#}");
                    warn!(
                        error = failure,
                        "erasures could not be followed; trying again"
                    );
                }
            }
        }
    }

    async fn look(&self) -> anyhow::Result<u64> {
        let mut after = self.store.place().await?.saturating_sub(OVERLAP);
        let mut renamed = 0;
        while !self.soft.is_cancelled() {
            let page = self.page(after).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = last.place;
            renamed += self.store.follow(&page).await?;
        }
        Ok(renamed)
    }

    /// The next erasures; none of a gateway of the release before, which does not tell.
    async fn page(&self, after_place: u64) -> anyhow::Result<Vec<Erased>> {
        let mut client = ErasureFeedServiceClient::new(self.gateway.clone());
        let mut request = tonic::Request::new(ListExecutedErasuresRequest {
            after_place,
            page_size: PAGE,
        });
        request.set_timeout(CALL_TIMEOUT);
        let told = match client.list_executed_erasures(request).await {
            Ok(told) => told.into_inner().erasures,
            Err(status) if status.code() == Code::Unimplemented => Vec::new(),
            Err(status) => return Err(status).context("list the erasures"),
        };
        erased(after_place, told).context("the erasures make no sense")
    }
}
