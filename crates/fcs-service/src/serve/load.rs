//! What a connection and a server work on. A request counts until the last byte of its answer.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::Request;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::limits::ABANDONED_MAX;
use crate::tls::PeerIdentity;

/// Requests of a whole server.
pub(super) type Total = Arc<AtomicUsize>;

/// Extension of an answer whose client abused the connection: it ends after the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndConnection;

/// Requests of one connection. Cloning shares them.
#[derive(Debug, Clone)]
pub(super) struct Load(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    started: AtomicU64,
    abandoned: AtomicU64,
    total: Total,
    condemned: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    active: usize,
    idle_since: Instant,
    /// Answers of which the client has not yet taken what was there for it, and since when.
    unread: HashMap<u64, Instant>,
}

impl Load {
    /// A connection that has not worked yet.
    pub(super) fn new(total: Total) -> Self {
        Self(Arc::new(Counts {
            started: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            total,
            condemned: CancellationToken::new(),
            state: Mutex::new(State {
                active: 0,
                idle_since: Instant::now(),
                unread: HashMap::new(),
            }),
        }))
    }

    /// The routes, counting their requests, which carry who the client is.
    pub(super) fn watch(&self, app: Router, identity: Option<PeerIdentity>) -> Watched {
        Watched {
            app,
            identity,
            load: self.clone(),
        }
    }

    /// Since when no request is in work; `None` while one is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.active == 0).then_some(state.idle_since)
    }

    /// Since when the client has left an answer lying.
    pub(super) fn unread_since(&self) -> Option<Instant> {
        self.state().unread.values().min().copied()
    }

    /// How many requests have begun.
    pub(super) fn started(&self) -> u64 {
        self.0.started.load(Ordering::Relaxed)
    }

    /// Completes when the client has abused the connection.
    pub(super) async fn condemned(&self) {
        self.0.condemned.cancelled().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> Active {
        self.state().active += 1;
        self.0.total.fetch_add(1, Ordering::Relaxed);
        Active {
            id: self.0.started.fetch_add(1, Ordering::Relaxed),
            answered: false,
            load: self.clone(),
        }
    }
}

/// A request in work.
struct Active {
    id: u64,
    answered: bool,
    load: Load,
}

impl Active {
    /// The answer, or more of it, is there for the client.
    fn offer(&mut self) {
        self.answered = true;
        self.load.state().unread.insert(self.id, Instant::now());
    }

    /// The client has taken what was there.
    fn taken(&self) {
        self.load.state().unread.remove(&self.id);
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let counts = &self.load.0;
        counts.total.fetch_sub(1, Ordering::Relaxed);
        if !self.answered {
            let abandoned = counts.abandoned.fetch_add(1, Ordering::Relaxed) + 1;
            if abandoned >= ABANDONED_MAX && abandoned * 2 > self.load.started() {
                counts.condemned.cancel();
            }
        }
        let mut state = self.load.state();
        state.unread.remove(&self.id);
        state.active -= 1;
        state.idle_since = Instant::now();
    }
}

/// The routes of a connection.
#[derive(Clone)]
pub(super) struct Watched {
    app: Router,
    identity: Option<PeerIdentity>,
    load: Load,
}

impl Service<Request<Incoming>> for Watched {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        <Router as Service<Request<Body>>>::poll_ready(&mut self.app, cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let mut active = self.load.enter();
        let mut request = request.map(Body::new);
        if let Some(identity) = &self.identity {
            request.extensions_mut().insert(identity.clone());
        }
        let answer = self.app.call(request);
        Box::pin(async move {
            let response = answer.await?;
            if response.extensions().get::<EndConnection>().is_some() {
                active.load.0.condemned.cancel();
            }
            active.offer();
            Ok(response.map(|body| Body::new(Held { body, active })))
        })
    }
}

/// An answer whose request counts until its body is gone. The server asks for a part of the body when the client has
/// room for it.
struct Held {
    body: Body,
    active: Active,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.active.taken();
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(Some(_))) {
            self.active.offer();
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
