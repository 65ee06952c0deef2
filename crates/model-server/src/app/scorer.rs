//! Scoring on behalf of callers: a turn, a thread, the metrics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use fcs_core::{ApiError, Clock};
use fcs_service::grpc::Deadline;
use fcs_service::problem::internal;

use super::lifecycle::blocking;
use super::models::Served;
use super::score::{self, Batch, RowOutcome};
use super::statistics::Times;
use super::turns::Turns;
use crate::metrics::Metrics;

/// Scores batches: short ones where they arrive, others on a thread of their own.
pub struct Scorer {
    /// The turns of the whole process; each model has its own before these.
    pub(crate) turns: Turns,
    /// The metrics.
    pub(crate) metrics: Arc<Metrics>,
    /// The time of the statistics.
    pub(crate) clock: Arc<dyn Clock>,
}

/// What became of a batch, and how long it waited and computed.
pub struct Answered {
    /// One outcome per row.
    pub rows: Vec<RowOutcome>,
    /// Waiting for a turn.
    pub queue: Duration,
    /// Computing.
    pub compute: Duration,
}

impl Scorer {
    /// Scores a batch and counts it in the model's statistics.
    ///
    /// # Errors
    /// `Unavailable` when the queue is full, `DeadlineExceeded`, or `Internal`; a row's own error is among
    /// the outcomes.
    pub async fn score(
        &self,
        served: &Served,
        batch: Batch,
        deadline: Deadline,
    ) -> Result<Vec<RowOutcome>, ApiError> {
        let start = Instant::now();
        match self.run(served, batch, deadline).await {
            Ok(answered) => {
                let times = Times {
                    queue: answered.queue,
                    compute: answered.compute,
                    ..Times::default()
                };
                let now = self.clock.now();
                served
                    .statistics
                    .record_success(answered.rows.len(), times, now);
                Ok(answered.rows)
            }
            Err(error) => {
                served.statistics.record_failure(start.elapsed());
                Err(error)
            }
        }
    }

    /// Scores a batch.
    ///
    /// # Errors
    /// As [`Scorer::score`].
    pub async fn run(
        &self,
        served: &Served,
        batch: Batch,
        deadline: Deadline,
    ) -> Result<Answered, ApiError> {
        let arrived = Instant::now();
        let turns = async {
            let own = served.turns.take().await?;
            let shared = self.turns.take().await?;
            Ok::<_, ApiError>((own, shared))
        };
        let turns = deadline.run(turns).await??;
        let queue = arrived.elapsed();
        let (count, explain) = (batch.rows.len(), batch.explain);
        let pace = &served.model.pace;
        let model = Arc::clone(&served.model);
        let compute = move || {
            // The turns belong to the computation, which goes on when the caller has gone.
            let _turns = turns;
            score::score(&model, &batch, deadline)
        };
        let scored = if pace.is_short(count, explain) {
            here(compute)??
        } else {
            blocking(compute).await??
        };
        pace.learn(count, explain, scored.taken);
        let seconds = scored.taken.as_secs_f64();
        self.metrics.compute_seconds.observe(seconds);
        let good = scored.rows.iter().filter(|row| row.is_ok()).count();
        self.metrics.rows.inc_by(good as u64);
        if scored.additivity_error_max > self.metrics.additivity_error_max.get() {
            self.metrics
                .additivity_error_max
                .set(scored.additivity_error_max);
        }
        Ok(Answered {
            rows: scored.rows,
            queue,
            compute: scored.taken,
        })
    }
}

/// Computes on the thread that answers, which outlives a panic as a thread of its own would.
fn here<T>(work: impl FnOnce() -> T) -> Result<T, ApiError> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| internal("COMPUTING_FAILED", anyhow!("the computation panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcs_core::ErrorCode;

    #[test]
    fn a_panic_is_an_internal_error() {
        assert_eq!(here(|| 1).unwrap(), 1);
        let error = here(|| -> () { panic!("of the computation") }).unwrap_err();
        assert_eq!(error.code, ErrorCode::Internal);
        assert_eq!(error.reason, "COMPUTING_FAILED");
    }
}
