//! Follows the gateway's decision log and puts its decisions into the transparency log.

use std::sync::Arc;
use std::time::Duration;

use fcs_service::health::Dependency;
use futures::StreamExt as _;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Backoff;
use crate::app::intake::{Accepted, Intake, IntakeError};
use crate::app::ports::{DecisionStream, Feed, FeedDecision, GatewayError};
use crate::metrics::{FeedOutcome, Metrics};
use crate::store::{Store, StoreError};

/// What the reader works with.
pub struct DecisionReader {
    /// Where decisions go.
    pub store: Arc<dyn Store>,
    /// Where they come from.
    pub feed: Arc<dyn Feed>,
    /// The catalogue.
    pub metrics: Metrics,
    /// Bad for ever once the feed contradicts the log.
    pub health: Dependency,
    /// Most decisions in one leaf.
    pub batch_entries: usize,
    /// Longest wait of a decision for its leaf.
    pub batch_delay: Duration,
}

/// Why a subscription ended before the service did.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the feed failed")]
    Feed(#[from] GatewayError),
    #[error("the feed ended")]
    End,
    #[error("a decision was not taken")]
    Intake(#[from] IntakeError),
    #[error("the end of the log could not be read")]
    Store(#[source] StoreError),
}

impl DecisionReader {
    /// Works until `stop`. A lost feed is taken up again after the last stored decision; a feed that
    /// contradicts the log ends the reading, because either of the two is not what was signed.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        self.health.good();
        let mut backoff = Backoff::new();
        loop {
            match self.subscription(&mut backoff, &stop).await {
                Ok(()) => return Ok(()),
                Err(Ended::Intake(error)) if error.is_contradiction() => {
                    self.contradicted(&error);
                    stop.cancelled().await;
                    return Ok(());
                }
                Err(ended) => {
                    self.metrics.feed_reconnects.inc();
                    let wait = backoff.next();
                    warn!(
                        error = format!("{:#}", anyhow::Error::from(ended)),
                        retry_in_ms = wait.as_millis(),
                        "the decision feed is interrupted"
                    );
                    tokio::select! {
                        () = stop.cancelled() => return Ok(()),
                        () = sleep(wait) => {}
                    }
                }
            }
        }
    }

    async fn subscription(
        &self,
        backoff: &mut Backoff,
        stop: &CancellationToken,
    ) -> Result<(), Ended> {
        let mut intake = Intake::resume(Arc::clone(&self.store))
            .await
            .map_err(Ended::Store)?;
        let stream = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            stream = self.feed.subscribe(intake.after_index()) => stream?,
        };
        info!(
            stored_index = intake.stored_index(),
            "the decision feed is subscribed"
        );
        backoff.reset();
        let outcome = self.follow(&mut intake, stream, stop).await;
        // What came before the end is true and contiguous, whatever the end was.
        self.flush(&mut intake).await?;
        outcome
    }

    async fn follow(
        &self,
        intake: &mut Intake,
        mut stream: DecisionStream,
        stop: &CancellationToken,
    ) -> Result<(), Ended> {
        let mut oldest_wait_ends = Instant::now();
        loop {
            let run = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep_until(oldest_wait_ends), if intake.waiting() > 0 => {
                    self.flush(intake).await?;
                    continue;
                }
                run = stream.next() => run.ok_or(Ended::End)??,
            };
            for decision in run {
                if intake.waiting() == 0 {
                    oldest_wait_ends = Instant::now() + self.batch_delay;
                }
                self.take(intake, decision).await?;
                if intake.waiting() >= self.batch_entries {
                    self.flush(intake).await?;
                }
            }
        }
    }

    async fn take(&self, intake: &mut Intake, decision: FeedDecision) -> Result<(), IntakeError> {
        if intake.accept(decision).await? == Accepted::Repeated {
            self.metrics.feed_entries(FeedOutcome::Repeated, 1);
        }
        Ok(())
    }

    async fn flush(&self, intake: &mut Intake) -> Result<(), IntakeError> {
        let stored = intake.flush().await?;
        self.metrics.feed_entries(FeedOutcome::New, stored as u64);
        Ok(())
    }

    fn contradicted(&self, error: &IntakeError) {
        let outcome = match error {
            IntakeError::Gap { .. } => FeedOutcome::Gap,
            _ => FeedOutcome::Altered,
        };
        self.metrics.feed_entries(outcome, 1);
        error!(%error, "the decision feed contradicts the log; reading has stopped");
        self.health.bad(error);
    }
}
