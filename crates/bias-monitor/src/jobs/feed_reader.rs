//! Follows the gateway's feed and counts every decision exactly once in effect: the store writes decisions, counters
//! and index in one transaction and skips what it has, so repeating an entry is harmless and losing one is a gap.

use std::sync::Arc;

use fcs_proto::scoring::v1::feed_service_client::FeedServiceClient;
use fcs_proto::scoring::v1::{SubscribeRequest, SubscribeResponse};
use fcs_service::Random;
use fcs_service::health::Dependency;
use futures::{FutureExt as _, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use tracing::{error, info, warn};

use super::backoff::Backoff;
use crate::app::change::Change;
use crate::app::facts::LoggedDecision;
use crate::grpc::feed::{InvalidEntry, decision};
use crate::metrics::Metrics;
use crate::store::{MonitorStore, StoreError, WriteError};

/// Decisions of one transaction at most.
pub const BATCH_MAX: usize = 2_000;

/// The reader with what it needs.
pub(crate) struct FeedReader {
    /// Where decisions are counted.
    pub(crate) store: Arc<dyn MonitorStore>,
    /// The gateway.
    pub(crate) gateway: Channel,
    /// Bad while the feed cannot be trusted. A gateway that is away does not make it bad: demographics and outcomes
    /// are still welcome.
    pub(crate) integrity: Dependency,
    /// The metrics.
    pub(crate) metrics: Metrics,
    /// For the jitter of pauses.
    pub(crate) random: Arc<dyn Random>,
    /// Cancelled when the reader must end.
    pub(crate) soft: CancellationToken,
}

/// Why following the feed broke off.
#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error("the gateway does not serve the feed")]
    Away(#[source] Box<Status>),
    #[error("the gateway ended the feed")]
    Ended,
    #[error(transparent)]
    Invalid(#[from] InvalidEntry),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Status> for FeedError {
    fn from(status: Status) -> Self {
        Self::Away(Box::new(status))
    }
}

impl FeedError {
    /// Whether the feed itself is at fault, so that counting on would be wrong.
    const fn is_untrusted(&self) -> bool {
        matches!(self, Self::Invalid(_) | Self::Write(WriteError::Gap(_)))
    }
}

impl FeedReader {
    /// Follows the feed until the service ends.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(Arc::clone(&self.random));
        let mut last_failure = None;
        loop {
            match self.follow(&mut backoff, &mut last_failure).await {
                Ok(()) => return Ok(()),
                Err(failure) => self.note(&failure, &mut last_failure),
            }
            tokio::select! {
                () = self.soft.cancelled() => return Ok(()),
                () = tokio::time::sleep(backoff.pause()) => {}
            }
        }
    }

    /// Reads from the stored index on. `Ok` when the service ends.
    async fn follow(
        &self,
        backoff: &mut Backoff,
        last_failure: &mut Option<String>,
    ) -> Result<(), FeedError> {
        let after_index = self.store.status().await?.last_index;
        self.metrics.last_index.set(after_index);
        let mut client = FeedServiceClient::new(self.gateway.clone());
        let subscribe = client.subscribe(SubscribeRequest { after_index });
        let response = tokio::select! {
            () = self.soft.cancelled() => return Ok(()),
            response = subscribe => response?,
        };
        let mut stream = response.into_inner();
        self.metrics.feed_connected.set(1);
        // A fault of the feed itself is over only when a batch was counted.
        if self.integrity.is_good() && last_failure.take().is_some() {
            info!(after_index, "the feed is followed again");
        }
        loop {
            let message = tokio::select! {
                () = self.soft.cancelled() => return Ok(()),
                message = stream.next() => message.ok_or(FeedError::Ended)??,
            };
            // From here to the end of the transaction nothing drops this future.
            let (batch, invalid) = take_ready(&message, &mut stream);
            self.count(&batch).await?;
            if let Some(invalid) = invalid {
                return Err(invalid.into());
            }
            if last_failure.take().is_some() {
                info!(
                    last_index = self.metrics.last_index.get(),
                    "decisions are counted again"
                );
            }
            backoff.reset();
        }
    }

    /// Counts a batch in transactions of limited size. One transaction holds no break in the indices, so that
    /// everything before a gap is counted.
    async fn count(&self, batch: &[LoggedDecision]) -> Result<(), FeedError> {
        let highest = batch
            .iter()
            .map(|logged| logged.log_index)
            .max()
            .unwrap_or(0);
        self.metrics
            .lag
            .set(highest.saturating_sub(self.metrics.last_index.get()));
        let runs = batch.chunk_by(|left, right| right.log_index == left.log_index + 1);
        for chunk in runs.flat_map(|run| run.chunks(BATCH_MAX)) {
            let change = Change::Decisions(chunk.to_vec());
            let receipt = self.store.write(&change).await?;
            self.metrics.recorded(&change, &receipt);
            self.metrics.last_index.set(receipt.last_index);
            self.metrics
                .lag
                .set(highest.saturating_sub(receipt.last_index));
            self.integrity.good();
        }
        Ok(())
    }

    /// Counts a failure; logs it when it is not the one before.
    fn note(&self, failure: &FeedError, last_failure: &mut Option<String>) {
        self.metrics.feed_connected.set(0);
        match failure {
            FeedError::Write(WriteError::Gap(_)) => {
                self.metrics.gaps.inc();
            }
            FeedError::Invalid(_) => {
                self.metrics.invalid_entries.inc();
            }
            FeedError::Away(_) | FeedError::Ended | FeedError::Write(_) | FeedError::Store(_) => {}
        }
        if failure.is_untrusted() {
            self.integrity.bad(failure);
        }
        let text = describe(failure);
        if last_failure.as_ref() == Some(&text) {
            return;
        }
        if failure.is_untrusted() {
            error!(
                failure = text,
                "decisions are not counted any more; the feed is tried again"
            );
        } else {
            warn!(
                failure = text,
                "the feed is not followed; it is tried again"
            );
        }
        *last_failure = Some(text);
    }
}

/// The decisions of a message and of those behind it that have arrived, about one batch, up to the first that makes
/// no sense.
fn take_ready(
    first: &SubscribeResponse,
    stream: &mut Streaming<SubscribeResponse>,
) -> (Vec<LoggedDecision>, Option<InvalidEntry>) {
    let mut batch = Vec::new();
    let mut invalid = read_into(&mut batch, first).err();
    while batch.len() < BATCH_MAX && invalid.is_none() {
        // The end of the stream is met again by the next read.
        let Some(Some(Ok(message))) = stream.next().now_or_never() else {
            break;
        };
        invalid = read_into(&mut batch, &message).err();
    }
    (batch, invalid)
}

fn read_into(
    batch: &mut Vec<LoggedDecision>,
    message: &SubscribeResponse,
) -> Result<(), InvalidEntry> {
    for entry in &message.entries {
        batch.push(decision(entry)?);
    }
    Ok(())
}

/// A failure with its causes in one line, without the metadata of a status, which differs every time.
fn describe(failure: &FeedError) -> String {
    if let FeedError::Away(status) = failure {
        return format!("{failure}: {:?}: {}", status.code(), status.message());
    }
    let mut text = failure.to_string();
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
