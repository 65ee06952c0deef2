//! What every request passes: identifier, span, limits, metrics, and errors as problems.

mod admit;
mod grpc;
mod receive;
mod refine;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Router, body::Body};
use fcs_core::{ApiError, ErrorCode};
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use opentelemetry::propagation::Extractor;
use tracing::{Instrument as _, Span, debug, error, error_span, field, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::admission::Admission;
use crate::auth::{Guard, Rule, Table, guard};
use crate::grpc::Deadline;
use crate::metrics::requests::{RequestMetrics, UNMATCHED, method_label};
use crate::problem::{INTERNAL_MESSAGE, Problem, page, reason};
use crate::serve::EndConnection;
use crate::settings::{CallerRule, HttpSettings};
use crate::{Random, RequestId, Service, ServiceContext, panics, request_id};

/// Credentials, and what clients make of application ids.
const HIDDEN_HEADERS: [&str; 3] = ["authorization", "cookie", "idempotency-key"];

/// What the edge of a service needs.
pub(crate) struct Edge {
    random: Arc<dyn Random>,
    metrics: RequestMetrics,
    request_timeout: Duration,
    /// How long the body of a request may take to arrive.
    body_timeout: Duration,
    callers: Vec<CallerRule>,
    rules: Table,
    admission: Admission,
    /// [`crate::Service::detail_member`].
    detail_member: fn(&str) -> Option<&'static str>,
}

impl Edge {
    /// The edge of a service with its settings.
    pub(crate) fn of<S: Service>(ctx: &ServiceContext<S::Settings>) -> Self {
        let http = &ctx.settings.http;
        Self {
            random: Arc::clone(&ctx.random),
            metrics: RequestMetrics::register(&ctx.metrics),
            request_timeout: Duration::from_millis(http.request_timeout_ms),
            body_timeout: Duration::from_millis(http.body_timeout_ms),
            callers: ctx.settings.tls.callers.clone(),
            rules: Table(S::ACCESS),
            admission: ctx.admission.clone(),
            detail_member: S::detail_member,
        }
    }

    /// Refuses a request for which there is neither a place nor room to wait for one.
    fn refuse_when_full(&self, seen: &Seen) -> Result<(), ApiError> {
        let class = if seen.is_grpc {
            self.rules.class(Rule::CALL, &seen.path)
        } else {
            self.rules.class(seen.method.as_str(), &seen.route)
        };
        class.map_or(Ok(()), |class| self.admission.refuse_when_full(class))
    }

    /// The name of what is asked for, from our own tables: paths are the caller's words.
    fn name_of<'a>(&self, seen: &'a Seen) -> &'a str {
        if seen.is_grpc && self.rules.call(&seen.path).is_some() {
            &seen.path
        } else {
            &seen.route
        }
    }
}

/// Wraps the routes of a service.
pub(crate) fn wrap(routes: Router, settings: &HttpSettings, edge: Edge, gate: Guard) -> Router {
    routes
        .merge(page::routes())
        .fallback(no_route)
        .layer(DefaultBodyLimit::max(settings.max_body_bytes))
        .layer(from_fn_with_state(Arc::new(gate), guard))
        .layer(from_fn_with_state(Arc::new(edge), observe))
}

/// Whether a request is a gRPC call. Over HTTP/1.1 it is none, whatever it says of itself.
pub(crate) fn is_grpc(request: &Request) -> bool {
    request.version() == Version::HTTP_2
        && request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|content_type| content_type.as_bytes().starts_with(b"application/grpc"))
}

/// The answer where no route matches.
pub(crate) async fn no_route(request: Request) -> Response {
    if is_grpc(&request) {
        return tonic::Status::unimplemented("there is no such service").into_http::<Body>();
    }
    let message = format!("there is nothing at {}", request.uri().path());
    Problem(ApiError::new(
        ErrorCode::NotFound,
        reason::NO_ROUTE,
        message,
    ))
    .into_response()
}

/// What is known of a request before it goes anywhere.
struct Seen {
    started: Instant,
    id: RequestId,
    is_grpc: bool,
    method: Method,
    path: String,
    /// As the router matched it.
    route: String,
}

impl Seen {
    fn of(request: &Request, random: &dyn Random) -> Self {
        let route = request.extensions().get::<MatchedPath>();
        Self {
            started: Instant::now(),
            id: RequestId::of(request.headers(), random),
            is_grpc: is_grpc(request),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            route: route.map_or(UNMATCHED, MatchedPath::as_str).to_owned(),
        }
    }
}

/// Takes a request through the routes.
async fn observe(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let seen = Seen::of(&request, &*edge.random);
    // Before anything else: under overload a refusal must cost little.
    if let Err(error) = edge.refuse_when_full(&seen) {
        let response = refusal(error, &seen.id, seen.is_grpc).await;
        return told(&edge, response, seen);
    }
    let Seen { is_grpc, id, .. } = &seen;
    hide_credentials(request.headers_mut());
    let span = span(&request, id, edge.name_of(&seen));
    let answer = answer(&edge, request, id.clone(), next, *is_grpc);
    let mut response = answer.instrument(span.clone()).await;
    if let (false, Some(member)) = (is_grpc, (edge.detail_member)(&seen.path)) {
        let shaped = async { Problem::repeat_detail(response, member) };
        response = id.clone().scope(shaped).await;
    }
    let _entered = span.enter();
    told(&edge, response, seen)
}

/// The answer with the identifier of its request, counted and logged.
fn told(edge: &Edge, mut response: Response, seen: Seen) -> Response {
    let taken = seen.started.elapsed();
    if let Ok(value) = HeaderValue::from_str(seen.id.as_str()) {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    if seen.is_grpc {
        return grpc::observe(&edge.metrics, response, &seen.route, seen.path, taken);
    }
    let status = response.status();
    edge.metrics
        .http(&seen.method, &seen.route, status.as_u16(), taken);
    Span::current().record("status", status.as_u16());
    // What is not available is told where that is found out; under overload a line per request would be one more load.
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        warn!(
            status = status.as_u16(),
            taken_ms = taken.as_millis(),
            "a request failed"
        );
    } else {
        debug!(
            status = status.as_u16(),
            taken_ms = taken.as_millis(),
            "a request was answered"
        );
    }
    response
}

/// Headers that nothing may print, from here on.
fn hide_credentials(headers: &mut HeaderMap) {
    for name in HIDDEN_HEADERS {
        if let Some(value) = headers.get_mut(name) {
            value.set_sensitive(true);
        }
    }
}

async fn refusal(error: ApiError, id: &RequestId, is_grpc: bool) -> Response {
    if is_grpc {
        return crate::grpc::status(&error).into_http::<Body>();
    }
    id.clone()
        .scope(async { Problem(error).into_response() })
        .await
}

/// The span of a request, below the caller's. It has the highest level, so that its fields are on every line
/// that the log filter lets through.
fn span(request: &Request, id: &RequestId, name: &str) -> Span {
    let method = method_label(request.method());
    let span = error_span!(
        "request",
        otel.name = format!("{method} {name}"),
        otel.kind = "server",
        request_id = %id,
        method,
        route = name,
        principal = field::Empty,
        status = field::Empty,
    );
    let caller = opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.extract(&Headers(request.headers()))
    });
    // Without traces there is nobody to tell.
    let _ = span.set_parent(caller);
    span
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Calls the routes within the deadline, which a gRPC caller chooses for the answer, but not for its own message.
/// A passed deadline and a panic become answers.
async fn answer(
    edge: &Edge,
    request: Request,
    id: RequestId,
    next: Next,
    is_grpc: bool,
) -> Response {
    let deadline = if is_grpc {
        Deadline::from_headers(request.headers())
    } else {
        Some(Deadline::after(edge.request_timeout))
    };
    let method = request.method().clone();
    let admitted = admit::admit(&request, &edge.callers);
    let (request, late) = receive::limited(request, edge.body_timeout);
    let call = id
        .clone()
        .scope(AssertUnwindSafe(next.run(request)).catch_unwind());
    let call = async {
        admitted?;
        match deadline {
            Some(deadline) if deadline.is_over() => {
                edge.metrics.expired();
                Err(Deadline::passed())
            }
            Some(deadline) => deadline.run(call).await,
            None => Ok(call.await),
        }
    };
    let outcome = tokio::select! {
        outcome = call => outcome,
        error = late => Err(error),
    };
    let failure = match outcome {
        Ok(Ok(response)) if is_grpc => return response,
        Ok(Ok(response)) => return id.scope(refine::as_problem(response, &method)).await,
        Ok(Err(panic)) => {
            error!(
                panic = panics::message(&*panic),
                "a request handler panicked"
            );
            ApiError::new(ErrorCode::Internal, reason::INTERNAL, INTERNAL_MESSAGE)
        }
        Err(late) => late,
    };
    let incomplete = failure.reason == reason::REQUEST_INCOMPLETE;
    let mut response = refusal(failure, &id, is_grpc).await;
    if incomplete {
        response.extensions_mut().insert(EndConnection);
    }
    response
}
