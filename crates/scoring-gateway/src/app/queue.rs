//! The way from a request to the writer task.

use fcs_core::{ApiError, ErrorCode};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::flight::Flight;
use crate::store::{Claim, Claimed, Draft, StoredDecision};

/// A decision on its way into the log.
#[derive(Debug)]
pub struct Job {
    /// What to write.
    pub draft: Draft,
    /// Keeps the key in flight until the answer is known.
    pub flight: Flight,
    /// Where the answer goes; the requester may be gone.
    pub answer: oneshot::Sender<Result<Scored, ApiError>>,
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
pub struct Queue(mpsc::Sender<Job>);

/// A place in the queue, taken before any work is done, so that overload is told at once.
#[derive(Debug)]
pub struct Place(mpsc::OwnedPermit<Job>);

/// A queue for at most `capacity` decisions in flight, and the writer's end of it.
pub fn queue(capacity: usize) -> (Queue, mpsc::Receiver<Job>) {
    let (sender, receiver) = mpsc::channel(capacity);
    (Queue(sender), receiver)
}

impl Queue {
    /// Takes a place, or says that there is none.
    pub fn reserve(&self) -> Result<Place, ApiError> {
        self.0
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
        let (answer, written) = oneshot::channel();
        self.0.send(Job {
            draft,
            flight,
            answer,
        });
        written.await.unwrap_or_else(|_| Err(stopping()))
    }
}

fn stopping() -> ApiError {
    let message = "this gateway is shutting down; retry with the same key";
    ApiError::new(ErrorCode::Unavailable, "SHUTTING_DOWN", message).retry_after(1)
}

/// The answer to a claim whose key stands for a decision already.
pub fn answer(claim: &Claim, claimed: Claimed, replayed: bool) -> Result<Scored, ApiError> {
    if claimed.fingerprint == claim.fingerprint {
        return Ok(Scored {
            decision: claimed.decision,
            replayed,
        });
    }
    Err(ApiError::new(
        ErrorCode::IdempotencyMismatch,
        "IDEMPOTENCY_MISMATCH",
        "this idempotency key was used with another request; use a new key for a new request",
    ))
}
