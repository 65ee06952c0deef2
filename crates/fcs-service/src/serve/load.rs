//! How much a connection and a server work on: a request counts until the last byte of its answer.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::Request;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tower::Service;

/// Requests of a whole server.
pub(super) type Total = Arc<AtomicUsize>;

/// Requests of one connection.
#[derive(Debug, Clone)]
pub(super) struct Busy(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    active: AtomicUsize,
    started: AtomicU64,
    total: Total,
}

impl Busy {
    /// A connection that has not worked yet.
    pub(super) fn new(total: Total) -> Self {
        Self(Arc::new(Counts {
            active: AtomicUsize::new(0),
            started: AtomicU64::new(0),
            total,
        }))
    }

    /// The routes, counting their requests.
    pub(super) fn watch(&self, app: Router) -> Watched {
        Watched {
            app,
            busy: self.clone(),
        }
    }

    /// Whether no request is in work.
    pub(super) fn is_idle(&self) -> bool {
        self.0.active.load(Ordering::Relaxed) == 0
    }

    /// How many requests have begun.
    pub(super) fn started(&self) -> u64 {
        self.0.started.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Guard {
        self.0.started.fetch_add(1, Ordering::Relaxed);
        self.0.active.fetch_add(1, Ordering::Relaxed);
        self.0.total.fetch_add(1, Ordering::Relaxed);
        Guard(self.clone())
    }
}

struct Guard(Busy);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.active.fetch_sub(1, Ordering::Relaxed);
        self.0.0.total.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The routes of a connection.
#[derive(Clone)]
pub(super) struct Watched {
    app: Router,
    busy: Busy,
}

impl Service<Request<Incoming>> for Watched {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        <Router as Service<Request<Body>>>::poll_ready(&mut self.app, cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let guard = self.busy.enter();
        let answer = self.app.call(request.map(Body::new));
        Box::pin(async move {
            let response = answer.await?;
            Ok(response.map(|body| {
                Body::new(Held {
                    body,
                    _guard: guard,
                })
            }))
        })
    }
}

/// An answer whose request counts until its body is gone.
struct Held {
    body: Body,
    _guard: Guard,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
