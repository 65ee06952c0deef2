//! Work at a store, on a task of its own.

use std::sync::Arc;

use fcs_core::{ApiError, ErrorCode};
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};

use crate::store::StoreError;

/// Requests at the store at a time; further ones are told to come back.
const REQUESTS_MAX: usize = 64;

/// Runs a future as a task of the service, to its end.
pub type Spawn = Arc<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>;

/// A store, reached through tasks: a request's future is dropped when its client goes away, and a transaction dropped
/// with it would leave its connection in an unknown state.
pub(super) struct AtStore<S: ?Sized> {
    store: Arc<S>,
    spawn: Spawn,
    permits: Arc<Semaphore>,
}

impl<S: ?Sized> Clone for AtStore<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            spawn: Arc::clone(&self.spawn),
            permits: Arc::clone(&self.permits),
        }
    }
}

impl<S: ?Sized> AtStore<S> {
    pub(super) fn new(store: Arc<S>, spawn: Spawn) -> Self {
        Self {
            store,
            spawn,
            permits: Arc::new(Semaphore::new(REQUESTS_MAX)),
        }
    }

    pub(super) async fn run<T, F>(&self, work: impl FnOnce(Arc<S>) -> F) -> Result<T, ApiError>
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

pub(super) fn unavailable(error: StoreError) -> ApiError {
    let error = format!("{:#}", anyhow::Error::new(error));
    tracing::error!(error, "the store did not answer");
    let message = "the store of the monitor does not answer; the same request can be sent again";
    ApiError::new(ErrorCode::Unavailable, "STORE_UNAVAILABLE", message).retry_after(1)
}

pub(super) fn lost() -> ApiError {
    ApiError::new(
        ErrorCode::Internal,
        "REQUEST_LOST",
        "the request was lost inside the service",
    )
}

fn busy() -> ApiError {
    let message = format!("{REQUESTS_MAX} requests are at the store already; send this one again");
    ApiError::new(ErrorCode::ResourceExhausted, "TOO_MANY_REQUESTS", message).retry_after(1)
}
