//! The catalogue of request metrics. Labels come from known methods, matched routes and status codes, never
//! from what a client wrote.
//!
//! * `http_requests_total{method,route,status}`
//! * `http_request_duration_seconds{method,route}`
//! * `grpc_requests_total{method,code}`
//! * `grpc_request_duration_seconds{method}`: to the head of the answer, which for a unary call is all of it.
//! * `requests_expired_total`: dropped before any work, because their deadline had passed

use std::time::Duration;

use http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use tonic::Code;

use super::MetricsHandle;

/// Label of requests that match no route.
pub(crate) const UNMATCHED: &str = "unmatched";

/// Upper bounds in seconds. Scoring takes less than a millisecond, so the usual first bucket of 5 ms says nothing.
const BUCKETS: [f64; 15] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 10.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GrpcLabels {
    method: String,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    method: String,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

fn histograms<L: Clone + std::hash::Hash + Eq>() -> Histograms<L> {
    Family::new_with_constructor(|| Histogram::new(BUCKETS))
}

/// The request metrics of a service.
#[derive(Clone)]
pub(crate) struct RequestMetrics {
    http: Family<HttpLabels, Counter>,
    http_seconds: Histograms<RouteLabels>,
    grpc: Family<GrpcLabels, Counter>,
    grpc_seconds: Histograms<MethodLabels>,
    expired: Counter,
}

impl RequestMetrics {
    /// Registers the metrics. The error counters exist from the start, so that a ratio is zero and not absent.
    pub(crate) fn register(metrics: &MetricsHandle) -> Self {
        let this = Self {
            http: Family::default(),
            http_seconds: histograms(),
            grpc: Family::default(),
            grpc_seconds: histograms(),
            expired: Counter::default(),
        };
        for status in [200, 404, 500, 503, 504] {
            let labels = HttpLabels {
                method: "GET",
                route: UNMATCHED.to_owned(),
                status,
            };
            drop(this.http.get_or_create(&labels));
        }
        for code in [
            Code::Ok,
            Code::Internal,
            Code::Unavailable,
            Code::DeadlineExceeded,
        ] {
            let labels = GrpcLabels {
                method: UNMATCHED.to_owned(),
                code: code_label(code),
            };
            drop(this.grpc.get_or_create(&labels));
        }
        metrics.register(|registry| {
            registry.register("http_requests", "HTTP requests answered", this.http.clone());
            registry.register(
                "http_request_duration_seconds",
                "Time to the head of the HTTP answer",
                this.http_seconds.clone(),
            );
            registry.register("grpc_requests", "gRPC calls ended", this.grpc.clone());
            registry.register(
                "grpc_request_duration_seconds",
                "Time to the head of the gRPC answer",
                this.grpc_seconds.clone(),
            );
            registry.register(
                "requests_expired",
                "Requests that were dropped because their deadline had passed before any work",
                this.expired.clone(),
            );
        });
        this
    }

    pub(crate) fn http(&self, method: &Method, route: &str, status: u16, taken: Duration) {
        let method = method_label(method);
        let labels = HttpLabels {
            method,
            route: route.to_owned(),
            status,
        };
        self.http.get_or_create(&labels).inc();
        let labels = RouteLabels {
            method,
            route: route.to_owned(),
        };
        self.http_seconds
            .get_or_create(&labels)
            .observe(taken.as_secs_f64());
    }

    /// Counts a request that came too late to be begun.
    pub(crate) fn expired(&self) {
        self.expired.inc();
    }

    pub(crate) fn grpc_ended(&self, method: &str, code: Code) {
        let labels = GrpcLabels {
            method: method.to_owned(),
            code: code_label(code),
        };
        self.grpc.get_or_create(&labels).inc();
    }

    pub(crate) fn grpc_answered(&self, method: &str, taken: Duration) {
        let labels = MethodLabels {
            method: method.to_owned(),
        };
        self.grpc_seconds
            .get_or_create(&labels)
            .observe(taken.as_secs_f64());
    }
}

/// The label of a method: callers may invent methods.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

fn code_label(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
