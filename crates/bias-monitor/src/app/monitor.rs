//! The use cases behind the endpoints.

use std::sync::Arc;

use fcs_core::{ApiError, ErrorCode};
use fcs_fairness::Thresholds;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};

use super::change::{Change, Receipt};
use super::report::{MonitorStatus, ReportQuery, Sheet, sheet};
use crate::metrics::Metrics;
use crate::store::{MonitorStore, StoreError, WriteError};

/// Requests at the store at a time; further ones are told to come back.
const REQUESTS_MAX: usize = 64;

/// Runs a future as a task of the service, to its end.
pub type Spawn = Arc<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>;

/// The use cases with what they need. Cloning shares it.
#[derive(Clone)]
pub struct Monitor {
    store: Arc<dyn MonitorStore>,
    thresholds: Thresholds,
    metrics: Metrics,
    spawn: Spawn,
    permits: Arc<Semaphore>,
}

impl Monitor {
    /// The use cases over a store.
    pub fn new(
        store: Arc<dyn MonitorStore>,
        thresholds: Thresholds,
        metrics: Metrics,
        spawn: Spawn,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(REQUESTS_MAX));
        Self {
            store,
            thresholds,
            metrics,
            spawn,
            permits,
        }
    }

    /// Records checked demographics or outcomes; it can be repeated without harm.
    pub async fn record(&self, change: Change) -> Result<Receipt, ApiError> {
        let metrics = self.metrics.clone();
        self.at_store(|store| async move {
            let receipt = store.write(&change).await.map_err(write_failed)?;
            metrics.recorded(&change, &receipt);
            Ok(receipt)
        })
        .await
    }

    /// The group report.
    pub async fn report(&self, query: ReportQuery) -> Result<Sheet, ApiError> {
        let model = query.model;
        let tables = self
            .at_store(
                |store| async move { store.tables(model.as_ref()).await.map_err(unavailable) },
            )
            .await?;
        sheet(&tables, &query.references, &self.thresholds)
    }

    /// How far the monitor has read.
    pub async fn status(&self) -> Result<MonitorStatus, ApiError> {
        self.at_store(|store| async move { store.status().await.map_err(unavailable) })
            .await
    }

    /// Runs work at the store on a task of its own. A request's future is dropped when its client goes away, and a
    /// transaction dropped with it would leave its connection in an unknown state.
    async fn at_store<T, F>(
        &self,
        work: impl FnOnce(Arc<dyn MonitorStore>) -> F,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ApiError>> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits)
            .try_acquire_owned()
            .map_err(|_| busy())?;
        let (sender, answer) = oneshot::channel();
        let work = work(Arc::clone(&self.store));
        (self.spawn)(Box::pin(async move {
            let result = work.await;
            drop(permit);
            // The client may have gone away.
            drop(sender.send(result));
        }));
        answer.await.unwrap_or_else(|_| Err(lost()))
    }
}

fn write_failed(error: WriteError) -> ApiError {
    match error {
        WriteError::Store(error) => unavailable(error),
        WriteError::Gap(gap) => {
            tracing::error!(%gap, "a gap outside the feed");
            lost()
        }
    }
}

fn unavailable(error: StoreError) -> ApiError {
    let error = format!("{:#}", anyhow::Error::new(error));
    tracing::error!(error, "the store did not answer");
    let message = "the store of the monitor does not answer; the same request can be sent again";
    ApiError::new(ErrorCode::Unavailable, "STORE_UNAVAILABLE", message).retry_after(1)
}

fn busy() -> ApiError {
    let message = format!("{REQUESTS_MAX} requests are at the store already; send this one again");
    ApiError::new(ErrorCode::ResourceExhausted, "TOO_MANY_REQUESTS", message).retry_after(1)
}

fn lost() -> ApiError {
    ApiError::new(
        ErrorCode::Internal,
        "REQUEST_LOST",
        "the request was lost inside the service",
    )
}
