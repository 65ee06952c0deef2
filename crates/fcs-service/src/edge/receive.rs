//! How long the message of a call may take to arrive.
//!
//! A method that answers one message reads it to its end before it answers; a method that answers a stream of
//! messages gives the head of its answer at once, and then a caller may be silent for as long as it likes.

use std::future::{Future, pending};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use fcs_core::{ApiError, ErrorCode};
use http_body::{Frame, SizeHint};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::problem::reason;

/// The request, and a future that ends with an error when its body is not whole after `limit`.
pub(super) fn limited(
    request: Request,
    limit: Duration,
) -> (Request, impl Future<Output = ApiError>) {
    let whole = CancellationToken::new();
    let guard = whole.clone().drop_guard();
    let request = request.map(|body| {
        Body::new(Arriving {
            body,
            missing: Some(guard),
        })
    });
    let late = async move {
        if timeout(limit, whole.cancelled()).await.is_ok() {
            return pending().await;
        }
        ApiError::new(
            ErrorCode::DeadlineExceeded,
            reason::REQUEST_INCOMPLETE,
            "the request did not arrive in time",
        )
    };
    (request, late)
}

/// A body that tells when it has arrived or is no longer wanted.
struct Arriving {
    body: Body,
    missing: Option<DropGuard>,
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let ended = matches!(polled, Poll::Ready(None | Some(Err(_))));
        if ended || self.body.is_end_stream() {
            self.missing = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
