//! Streams of requests that are answered one after the other.

use std::future::Future;

use fcs_core::{ApiError, ErrorCode};
use fcs_service::grpc::{status, unreadable_is_invalid};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

/// Answers each request before it reads the next, so that the caller's flow control bounds the work. A stream
/// that the drain ends says so.
pub(super) fn in_order<Req, Res, F, Fut>(
    requests: Streaming<Req>,
    draining: CancellationToken,
    answer: F,
) -> BoxStream<'static, Result<Res, Status>>
where
    Req: Send + 'static,
    Res: Send + 'static,
    F: Fn(Req) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Res, Status>> + Send + 'static,
{
    let step = move |state: Option<(Streaming<Req>, F)>| {
        let draining = draining.clone();
        async move {
            let (mut requests, answer) = state?;
            let next = tokio::select! {
                next = requests.message() => next,
                () = draining.cancelled() => return Some((Err(shutting_down()), None)),
            };
            match next {
                Ok(Some(request)) => {
                    let answered = answer(request).await;
                    Some((answered, Some((requests, answer))))
                }
                Ok(None) => None,
                Err(status) => Some((Err(unreadable_is_invalid(status)), None)),
            }
        }
    };
    stream::unfold(Some((requests, answer)), step).boxed()
}

fn shutting_down() -> Status {
    status(&ApiError::new(
        ErrorCode::Unavailable,
        "SHUTTING_DOWN",
        "the server is shutting down",
    ))
}
