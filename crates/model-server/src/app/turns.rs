//! Turns: at most so many at work, at most so many waiting; who comes after that is told at once to retry.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fcs_core::{ApiError, ErrorCode};
use fcs_service::problem::reason;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// When a refused caller may try again.
const RETRY_AFTER_S: u32 = 1;

/// A bounded queue in front of a bounded number of workers.
pub struct Turns {
    workers: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// The right to work; dropping it lets the next one in.
pub struct Turn(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// Leaves the queue also when the caller gives up.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    /// `working_max` at a time, and `waiting_max` in the queue.
    pub fn new(working_max: usize, waiting_max: usize) -> Self {
        Self {
            workers: Arc::new(Semaphore::new(working_max)),
            waiting: AtomicUsize::new(0),
            waiting_max,
        }
    }

    /// Waits for a turn, in the order of arrival.
    ///
    /// # Errors
    /// `Unavailable` with a retry hint when the queue is full.
    pub async fn take(&self) -> Result<Turn, ApiError> {
        if let Ok(permit) = Arc::clone(&self.workers).try_acquire_owned() {
            return Ok(Turn(permit));
        }
        let ahead = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _place = Place(&self.waiting);
        if ahead >= self.waiting_max {
            return Err(ApiError::new(
                ErrorCode::Unavailable,
                reason::BUSY,
                "the queue is full; retry later",
            )
            .retry_after(RETRY_AFTER_S));
        }
        let permit = Arc::clone(&self.workers).acquire_owned().await;
        Ok(Turn(permit.expect("the semaphore is never closed")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn one_works_one_waits_and_the_next_is_refused() {
        let turns = Turns::new(1, 1);
        let first = turns.take().await.unwrap();
        let mut second = Box::pin(turns.take());
        assert!((&mut second).now_or_never().is_none(), "waits");
        let refused = turns.take().await.err().unwrap();
        assert_eq!(refused.code, ErrorCode::Unavailable);
        assert_eq!(refused.retry_after_s, Some(1));
        drop(first);
        let second = second.await.unwrap();

        let gone = Box::pin(turns.take());
        assert!(gone.now_or_never().is_none(), "waits, then gives up");
        let mut third = Box::pin(turns.take());
        assert!((&mut third).now_or_never().is_none(), "took the free place");
        drop(second);
        third.await.unwrap();
    }
}
