//! The way from a request to the writer task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fcs_core::{ApiError, ErrorCode};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::decisions::kept;
use super::flight::Flight;
use crate::store::{Claim, Claimed, Draft, StoredDecision};

/// What the writer is asked for.
#[derive(Debug)]
pub struct Job {
    /// The work.
    pub work: Work,
    /// Where the answer goes; the requester may be gone.
    pub answer: oneshot::Sender<Result<Scored, ApiError>>,
}

/// What is to be done with the log.
#[derive(Debug)]
pub enum Work {
    /// Write a decision.
    Write {
        /// What to write.
        draft: Box<Draft>,
        /// Keeps the key in flight until the answer is known.
        flight: Flight,
    },
    /// Find out for sure what a key stands for.
    Confirm(Claim),
}

/// The answer to a request for a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scored {
    /// The decision, durable.
    pub decision: StoredDecision,
    /// Whether it was made for an earlier request with the same key.
    pub replayed: bool,
}

/// The bounded queue of the writer.
#[derive(Debug, Clone)]
pub struct Queue {
    jobs: mpsc::Sender<Job>,
    confirmed: Confirmed,
}

/// Highest index whose commit the store has confirmed to this process; every lower one is as durable. A reader sees
/// more than that: what another gateway wrote, and what became visible without being replicated, as when the wait for
/// a standby was cancelled or the server restarted in it. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Confirmed(Arc<AtomicU64>);

impl Confirmed {
    /// A commit of this index was confirmed.
    pub fn raise(&self, log_index: u64) {
        self.0.fetch_max(log_index, Ordering::AcqRel);
    }

    /// Whether a decision with this index may be answered.
    pub fn covers(&self, log_index: u64) -> bool {
        log_index <= self.0.load(Ordering::Acquire)
    }
}

/// A place in the queue, taken before any work is done, so that overload is told at once.
#[derive(Debug)]
pub struct Place(mpsc::OwnedPermit<Job>);

/// A queue for at most `capacity` decisions in flight, and the writer's end of it.
pub fn queue(capacity: usize) -> (Queue, mpsc::Receiver<Job>) {
    let (jobs, receiver) = mpsc::channel(capacity);
    let confirmed = Confirmed::default();
    (Queue { jobs, confirmed }, receiver)
}

impl Queue {
    /// What the store has confirmed.
    pub const fn confirmed(&self) -> &Confirmed {
        &self.confirmed
    }

    /// Takes a place, or says that there is none.
    pub fn reserve(&self) -> Result<Place, ApiError> {
        self.jobs
            .clone()
            .try_reserve_owned()
            .map(Place)
            .map_err(|error| match error {
                TrySendError::Full(_) => ApiError::new(
                    ErrorCode::Unavailable,
                    "WRITER_QUEUE_FULL",
                    "too many decisions are in flight; retry with the same key",
                )
                .retry_after(1),
                TrySendError::Closed(_) => stopping(),
            })
    }
}

impl Place {
    /// Hands a draft to the writer and awaits its place in the log. Dropping the future does not take it back.
    pub async fn write(self, draft: Draft, flight: Flight) -> Result<Scored, ApiError> {
        let draft = Box::new(draft);
        self.ask(Work::Write { draft, flight }).await
    }

    /// Awaits a commit after which what a key was found to stand for is durable.
    pub async fn confirm(self, claim: Claim) -> Result<Scored, ApiError> {
        self.ask(Work::Confirm(claim)).await
    }

    async fn ask(self, work: Work) -> Result<Scored, ApiError> {
        let (answer, written) = oneshot::channel();
        self.0.send(Job { work, answer });
        written.await.unwrap_or_else(|_| Err(stopping()))
    }
}

fn stopping() -> ApiError {
    let message = "this gateway is shutting down; retry with the same key";
    ApiError::new(ErrorCode::Unavailable, "SHUTTING_DOWN", message).retry_after(1)
}

/// The answer to a claim whose key stands for a decision already.
pub fn answer(claimed: Claimed, replayed: bool) -> Result<Scored, ApiError> {
    if claimed.same_request {
        let decision = kept(claimed.decision)?;
        return Ok(Scored { decision, replayed });
    }
    Err(other_request())
}

/// The error of a key that stands for another request.
pub fn other_request() -> ApiError {
    ApiError::new(
        ErrorCode::IdempotencyMismatch,
        "IDEMPOTENCY_MISMATCH",
        "this idempotency key was used with another request; use a new key for a new request",
    )
}
