//! The writer task: the only one that writes decisions, one transaction per batch.
//!
//! A request's future may be dropped at any await, and a dropped transaction is neither done nor undone. So requests
//! hand their drafts to this task, which nothing cancels: it ends when its queue is closed and empty.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fcs_core::{ApiError, ErrorCode};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::app::decisions::erased_application;
use crate::app::flight::Flight;
use crate::app::queue::{Confirmed, Job, Scored, Work, answer};
use crate::metrics::{DecisionLabels, Metrics};
use crate::store::{AppendError, Appended, Claim, Claimed, DecisionStore, Draft};

/// The writer task with what it needs.
pub struct Writer {
    /// Where decisions go.
    pub store: Arc<dyn DecisionStore>,
    /// The metrics.
    pub metrics: Metrics,
    /// Tells readers in this process of new entries; holds the highest index.
    pub highest: watch::Sender<u64>,
    /// What the store has confirmed, for those who answer from it.
    pub confirmed: Confirmed,
    /// Decisions of one batch at most.
    pub batch_max: usize,
    /// How long the first decision of a batch waits for those that are being made.
    pub batch_delay: Duration,
    /// Cancelled after the last request ended: the queue closes, what is in it is still written.
    pub soft: CancellationToken,
}

impl Writer {
    /// Writes until the queue is closed and empty.
    pub async fn run(self, mut jobs: mpsc::Receiver<Job>) -> anyhow::Result<()> {
        while let Some(first) = self.next(&mut jobs).await {
            let batch = self.collect(first, &mut jobs).await;
            self.metrics
                .queue_depth
                .set(i64::try_from(jobs.len()).unwrap_or(i64::MAX));
            self.write(batch).await;
        }
        Ok(())
    }

    async fn next(&self, jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
        if !self.soft.is_cancelled() {
            tokio::select! {
                job = jobs.recv() => return job,
                () = self.soft.cancelled() => {}
            }
        }
        jobs.close();
        jobs.recv().await
    }

    async fn collect(&self, first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
        let full_at = tokio::time::Instant::now() + self.batch_delay;
        let mut batch = Vec::with_capacity(self.batch_max);
        batch.push(first);
        while batch.len() < self.batch_max && jobs.capacity() < jobs.max_capacity() {
            match tokio::time::timeout_at(full_at, jobs.recv()).await {
                Ok(Some(job)) => batch.push(job),
                Ok(None) | Err(_) => break,
            }
        }
        batch
    }

    async fn write(&self, batch: Vec<Job>) {
        let (mut writes, mut confirmations) = (Vec::new(), Vec::new());
        for Job { work, answer } in batch {
            match work {
                Work::Write { draft, flight } => writes.push((*draft, (flight, answer))),
                Work::Confirm(claim) => confirmations.push((claim, answer)),
            }
        }
        if !writes.is_empty() {
            self.write_drafts(writes).await;
        }
        if !confirmations.is_empty() {
            self.confirm(confirmations).await;
        }
    }

    async fn write_drafts(&self, writes: Vec<(Draft, (Flight, Answer))>) {
        let (drafts, waiting): (Vec<Draft>, Vec<_>) = writes.into_iter().unzip();
        self.metrics.batch_decisions.observe(drafts.len() as f64);
        let outcomes = self.append(&drafts).await;
        assert_eq!(
            outcomes.len(),
            drafts.len(),
            "the store answers for each draft"
        );
        for ((draft, outcome), (flight, answer)) in drafts.iter().zip(outcomes).zip(waiting) {
            let result = outcome.and_then(|claimed| self.outcome(draft, claimed));
            // The key is free before the answer is seen, so a retry that follows it is not told "in flight".
            drop(flight);
            // The requester may have gone; its decision is in the log and its key finds it.
            drop(answer.send(result));
        }
    }

    async fn append(&self, drafts: &[Draft]) -> Vec<Result<Claimed, ApiError>> {
        let started = Instant::now();
        let result = self.store.append(drafts).await;
        self.metrics
            .commit_seconds
            .observe(started.elapsed().as_secs_f64());
        match result {
            Ok(appended) => appended.into_iter().map(claimed).collect(),
            Err(AppendError::NotWritten(source)) => {
                self.metrics.commits_failed.inc();
                let error = format!("{:#}", anyhow::Error::new(source));
                error!(decisions = drafts.len(), error, "a batch was not written");
                vec![Err(not_durable()); drafts.len()]
            }
            Err(AppendError::Unknown(source)) => {
                self.metrics.commits_unknown.inc();
                let error = format!("{:#}", anyhow::Error::new(source));
                warn!(
                    decisions = drafts.len(),
                    error, "a commit was not confirmed; looking it up"
                );
                let claims: Vec<Claim> = drafts.iter().map(|draft| draft.claim.clone()).collect();
                let settled = self.settle(&claims).await;
                let or_not_durable = |claimed: Option<Claimed>| claimed.ok_or_else(not_durable);
                settled.into_iter().map(or_not_durable).collect()
            }
        }
    }

    /// Answers requests whose keys were found, once a commit of our own makes what was found durable.
    async fn confirm(&self, confirmations: Vec<(Claim, Answer)>) {
        let (claims, waiting): (Vec<Claim>, Vec<Answer>) = confirmations.into_iter().unzip();
        let outcomes = self.settle(&claims).await;
        for (outcome, waiting) in outcomes.into_iter().zip(waiting) {
            let result = outcome.ok_or_else(not_durable).and_then(|claimed| {
                self.advance(claimed.decision.log_index());
                answer(claimed, true)
            });
            drop(waiting.send(result));
        }
    }

    /// What keys stand for, after a commit that was not confirmed. An answer needs the log, so without it there is
    /// none.
    async fn settle(&self, claims: &[Claim]) -> Vec<Option<Claimed>> {
        self.store.settle(claims).await.unwrap_or_else(|failure| {
            let error = format!("{:#}", anyhow::Error::new(failure));
            error!(
                decisions = claims.len(),
                error, "an unconfirmed commit could not be looked up"
            );
            vec![None; claims.len()]
        })
    }

    fn outcome(&self, draft: &Draft, claimed: Claimed) -> Result<Scored, ApiError> {
        let replayed = claimed.decision.record_digest() != draft.summary.record_digest;
        if !replayed {
            self.metrics
                .decisions
                .get_or_create(&DecisionLabels {
                    model: draft.summary.model.to_string(),
                    arm: draft.summary.arm.clone(),
                    outcome: draft.summary.outcome.as_str(),
                })
                .inc();
        }
        self.advance(claimed.decision.log_index());
        answer(claimed, replayed)
    }

    fn advance(&self, log_index: u64) {
        self.confirmed.raise(log_index);
        self.highest.send_if_modified(|highest| {
            let grew = log_index > *highest;
            *highest = log_index.max(*highest);
            grew
        });
        self.metrics.log_highest_index.set(*self.highest.borrow());
    }
}

type Answer = oneshot::Sender<Result<Scored, ApiError>>;

fn claimed(appended: Appended) -> Result<Claimed, ApiError> {
    match appended {
        Appended::Stands(claimed) => Ok(claimed),
        Appended::ApplicationErased => Err(erased_application()),
    }
}

fn not_durable() -> ApiError {
    let message = "the decision was not confirmed as durable; retry with the same key";
    ApiError::new(ErrorCode::Unavailable, "NOT_DURABLE", message).retry_after(1)
}
