//! The end of a gRPC call: its code stands in the head or in the trailers.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::{Code, Status};
use tracing::{Span, debug, warn};

use crate::grpc::unreadable_is_invalid;
use crate::metrics::requests::{RequestMetrics, UNMATCHED};

/// Counts a call, now when the code is in the head, otherwise when its body ends.
pub(super) fn observe(
    metrics: &RequestMetrics,
    response: Response,
    route: &str,
    path: String,
    taken: Duration,
) -> Response {
    let response = told(response);
    let code = Status::from_header_map(response.headers()).map(|status| status.code());
    // A method that no service has would be a label of the client's choice.
    let known = route != UNMATCHED && code != Some(Code::Unimplemented);
    let method = if known { path } else { UNMATCHED.to_owned() };
    metrics.grpc_answered(&method, taken);
    let end = End {
        metrics: metrics.clone(),
        method,
        span: Span::current(),
        counted: false,
    };
    match code {
        Some(code) => {
            end.count(code);
            response
        }
        None => response.map(|body| Body::new(Counted { body, end })),
    }
}

/// The answer, with the client's fault where tonic told ours.
fn told(response: Response) -> Response {
    match Status::from_header_map(response.headers()) {
        Some(found) if found.code() == Code::Internal => {
            let status = unreadable_is_invalid(found);
            if status.code() == Code::Internal {
                return response;
            }
            status.into_http()
        }
        _ => response,
    }
}

struct End {
    metrics: RequestMetrics,
    method: String,
    span: Span,
    counted: bool,
}

impl End {
    fn count(mut self, code: Code) {
        self.count_once(code);
    }

    fn count_once(&mut self, code: Code) {
        if std::mem::replace(&mut self.counted, true) {
            return;
        }
        self.metrics.grpc_ended(&self.method, code);
        let _entered = self.span.enter();
        self.span.record("status", i32::from(code));
        if matches!(code, Code::Internal | Code::Unknown | Code::DataLoss) {
            warn!(?code, "a call failed");
        } else {
            debug!(?code, "a call ended");
        }
    }
}

impl Drop for Counted {
    /// A body that is dropped before its trailers belongs to a caller that left.
    fn drop(&mut self) {
        self.end.count_once(Code::Cancelled);
    }
}

struct Counted {
    body: Body,
    end: End,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(code) = frame.trailers_ref().and_then(code) {
                    self.end.count_once(code);
                }
            }
            Poll::Ready(Some(Err(_)) | None) => self.end.count_once(Code::Unknown),
            Poll::Pending => {}
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

fn code(trailers: &HeaderMap) -> Option<Code> {
    Status::from_header_map(trailers).map(|status| status.code())
}
