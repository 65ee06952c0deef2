//! Asks the gateway what models in the shadow would have decided, and takes it into evidence.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fcs_core::Clock;
use fcs_proto::scoring::v1::shadow_feed_service_client::ShadowFeedServiceClient;
use fcs_proto::scoring::v1::{ListShadowArmsRequest, ListShadowOutcomesRequest};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::Channel;
use tracing::warn;

use super::watcher::tell;
use crate::app::gaps::{GapTurn, PAGE, ShadowArm, ShadowPage};
use crate::app::terms::Terms;
use crate::grpc::feed::{shadow_arm, shadow_page};
use crate::metrics::{AlertLabels, Metrics};
use crate::store::GapStore;

/// The longest that the gateway may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The reader with what it needs.
pub(crate) struct ShadowReader {
    /// Where evidence is kept.
    pub(crate) store: Arc<dyn GapStore>,
    /// The gateway.
    pub(crate) gateway: Channel,
    /// What is watched.
    pub(crate) terms: Arc<Terms>,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// The metrics.
    pub(crate) metrics: Metrics,
    /// How long a decision waits for what is known of its applicant.
    pub(crate) settle: Duration,
    /// The pause between two looks.
    pub(crate) interval: Duration,
    /// Cancelled when the reader must end.
    pub(crate) soft: CancellationToken,
}

impl ShadowReader {
    /// Looks at every interval, until the service ends. A turn is never given up half-way.
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
                Ok(()) => failed = false,
                Err(failure) if failed => tracing::debug!("still the same: {failure:#}"),
                Err(failure) => {
                    failed = true;
                    let failure = format!("{failure:#}");
                    warn!(
                        error = failure,
                        "what models in the shadow decide could not be looked at; trying again"
                    );
                }
            }
        }
    }

    /// Every arm, whatever is wrong with the others; the first failure is told.
    async fn look(&self) -> anyhow::Result<()> {
        let mut models = BTreeSet::new();
        let mut first = Ok(());
        for arm in self.arms().await? {
            let caught_up = match arm {
                // Two arms of one model would count the same applicants twice.
                Ok(arm) if models.insert(arm.model.clone()) => self.catch_up(&arm).await,
                Ok(_) => Ok(()),
                Err(failure) => Err(failure),
            };
            first = first.and(caught_up);
        }
        first
    }

    /// The shadow arms in force; none of a gateway of the release before, which does not tell.
    async fn arms(&self) -> anyhow::Result<Vec<anyhow::Result<ShadowArm>>> {
        let mut client = ShadowFeedServiceClient::new(self.gateway.clone());
        let mut request = tonic::Request::new(ListShadowArmsRequest {});
        request.set_timeout(CALL_TIMEOUT);
        let told = match client.list_shadow_arms(request).await {
            Ok(told) => told.into_inner().arms,
            Err(status) if status.code() == Code::Unimplemented => Vec::new(),
            Err(status) => return Err(status).context("list the shadow arms"),
        };
        let arms = told.into_iter().map(|arm| {
            let name = arm.name.clone();
            shadow_arm(arm).with_context(|| format!("the shadow arm {name:?} makes no sense"))
        });
        Ok(arms.collect())
    }

    async fn catch_up(&self, arm: &ShadowArm) -> anyhow::Result<()> {
        let policy = self.terms.policy.digest();
        let mut position = self.store.position(arm, policy).await?;
        while !self.soft.is_cancelled() {
            let page = self.page(arm, position).await?;
            let turn = GapTurn {
                terms: &self.terms,
                now: self.clock.now(),
                settle_micros: i64::try_from(self.settle.as_micros()).unwrap_or(i64::MAX),
                arm,
                page: &page,
            };
            let Some(turned) = self.store.take_gap_turn(&turn).await? else {
                return Ok(());
            };
            for id in turned.watched.keys() {
                drop(self.metrics.alerts.get_or_create(&AlertLabels::of(id)));
            }
            turned.news.iter().for_each(|it| tell(&self.metrics, it));
            self.metrics.set_shadow_index(arm, turned.last_index);
            if !turned.more {
                return Ok(());
            }
            position = turned.last_index;
        }
        Ok(())
    }

    async fn page(&self, arm: &ShadowArm, after_index: u64) -> anyhow::Result<ShadowPage> {
        let mut client = ShadowFeedServiceClient::new(self.gateway.clone());
        let mut request = tonic::Request::new(ListShadowOutcomesRequest {
            arm: arm.name.clone(),
            since_generation: arm.since_generation,
            after_index,
            page_size: PAGE,
        });
        request.set_timeout(CALL_TIMEOUT);
        let told = client.list_shadow_outcomes(request).await;
        let told = told.with_context(|| format!("read outcomes of the shadow arm {}", arm.name))?;
        shadow_page(after_index, told.get_ref())
            .with_context(|| format!("outcomes of the shadow arm {} make no sense", arm.name))
    }
}
