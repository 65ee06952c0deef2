//! The feed: the log from any index on, for ever.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ApiError, ErrorCode};
use fcs_service::problem::internal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::store_unavailable;
use crate::metrics::Metrics;
use crate::store::{DecisionStore, FeedEntry};

/// Entries of one message at most.
pub const FEED_PAGE_MAX: u32 = 500;
/// How often a feed looks for commits of other gateways on the same store.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Where feeds come from.
#[derive(Clone)]
pub struct FeedSource {
    /// The log.
    pub store: Arc<dyn DecisionStore>,
    /// Highest index that this process has committed.
    pub highest: watch::Receiver<u64>,
    /// Cancelled when the service begins to stop.
    pub draining: CancellationToken,
    /// The metrics.
    pub metrics: Metrics,
}

/// One reader's place in the log.
pub struct Feed {
    source: FeedSource,
    after_index: u64,
}

impl FeedSource {
    /// A feed of the entries with a greater index.
    pub fn subscribe(&self, after_index: u64) -> Feed {
        self.metrics.feed_streams.inc();
        Feed {
            source: self.clone(),
            after_index,
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.source.metrics.feed_streams.dec();
    }
}

impl Feed {
    /// The next entries, in order and without a gap; waits until there are any. After an error the feed is over:
    /// the reader subscribes again after the last entry that it has.
    pub async fn next(&mut self) -> Result<Vec<FeedEntry>, ApiError> {
        loop {
            if self.source.draining.is_cancelled() {
                let message =
                    "this gateway is shutting down; subscribe again after your last entry";
                return Err(ApiError::new(
                    ErrorCode::Unavailable,
                    "SHUTTING_DOWN",
                    message,
                ));
            }
            let store = &self.source.store;
            let page = store
                .feed(self.after_index, FEED_PAGE_MAX)
                .await
                .map_err(store_unavailable)?;
            if let Some(last) = page.last() {
                let last = last.log_index;
                check_contiguous(self.after_index, &page)?;
                self.after_index = last;
                self.source.metrics.feed_entries.inc_by(page.len() as u64);
                return Ok(page);
            }
            self.wait().await;
        }
    }

    async fn wait(&mut self) {
        let changed = async {
            if self.source.highest.changed().await.is_err() {
                // The writer is gone; only the poll is left.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = self.source.draining.cancelled() => {}
            () = changed => {}
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
    }
}

/// A gap is a defect of the log. A reader must never be led over one.
fn check_contiguous(after_index: u64, page: &[FeedEntry]) -> Result<(), ApiError> {
    let expected = after_index + 1..;
    match expected
        .zip(page)
        .find(|(expected, entry)| *expected != entry.log_index)
    {
        None => Ok(()),
        Some((expected, entry)) => {
            let gap = format!(
                "the log has entry {} where {expected} is due",
                entry.log_index
            );
            Err(internal("LOG_HAS_GAP", anyhow::Error::msg(gap)))
        }
    }
}
