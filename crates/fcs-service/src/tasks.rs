//! The tasks of a service: spawned on one tracker, their failures kept.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, error, info_span};

use crate::panics;

/// A tracker whose first failure is a signal.
#[derive(Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    failed: CancellationToken,
    failures: Arc<Mutex<Vec<String>>>,
}

impl Tasks {
    /// Runs a future; its error or panic is logged, kept and signalled.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        future: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let tasks = self.clone();
        let guarded = async move {
            let reason = match AssertUnwindSafe(future).catch_unwind().await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => format!("{error:#}"),
                Err(panic) => format!("panic: {}", panics::message(&*panic)),
            };
            error!(
                task = name,
                error = reason,
                "a task failed; the process stops"
            );
            tasks.fail(format!("task {name}: {reason}"));
        };
        self.tracker
            .spawn(guarded.instrument(info_span!("task", task = name)));
    }

    /// Completes at the first failure.
    pub(crate) async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Completes when every task has ended.
    pub(crate) async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// The number of tasks that run.
    pub(crate) fn running(&self) -> usize {
        self.tracker.len()
    }

    /// What failed so far.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Keeps a failure and signals it.
    pub(crate) fn fail(&self, failure: String) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(failure);
        self.failed.cancel();
    }
}
