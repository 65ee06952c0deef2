//! Errors over HTTP: RFC 9457 problems.

mod json;
pub(crate) mod page;

use axum::response::{IntoResponse, Response};
use fcs_core::{ApiError, ErrorCode, Violation};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tracing::error;

use crate::RequestId;

pub use json::{ProblemJson, parse};

/// Media type of a problem.
pub const CONTENT_TYPE: &str = "application/problem+json";
/// What an outsider is told about a defect, instead of its text.
pub(crate) const INTERNAL_MESSAGE: &str =
    "the service failed on this request; give the request id to its operators";

/// Reasons that the transport itself gives. They decide the HTTP status where the code is too coarse.
pub mod reason {
    /// The body is longer than the limit: 413.
    pub const BODY_TOO_LARGE: &str = "BODY_TOO_LARGE";
    /// The body is not JSON: 400.
    pub const MALFORMED_JSON: &str = "MALFORMED_JSON";
    /// The JSON breaks the schema of the route: 400.
    pub const INVALID_BODY: &str = "INVALID_BODY";
    /// The path or the query breaks the schema of the route: 400.
    pub const INVALID_REQUEST: &str = "INVALID_REQUEST";
    /// The message of a gRPC call cannot be read: `INVALID_ARGUMENT`.
    pub const MALFORMED_MESSAGE: &str = "MALFORMED_MESSAGE";
    /// The content type is not JSON: 415.
    pub const UNSUPPORTED_MEDIA_TYPE: &str = "UNSUPPORTED_MEDIA_TYPE";
    /// The route answers in none of the media types that the caller takes: 406.
    pub const NOT_ACCEPTABLE: &str = "NOT_ACCEPTABLE";
    /// The route exists, with other methods: 405.
    pub const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
    /// A queue is full; over gRPC this is `UNAVAILABLE`, over HTTP 429.
    pub const BUSY: &str = "BUSY";
    /// The service has more to do than it can: 503.
    pub const OVERLOADED: &str = "OVERLOADED";
    /// There is no such route: 404.
    pub const NO_ROUTE: &str = "NO_ROUTE";
    /// The request took too long: 504.
    pub const REQUEST_TIMEOUT: &str = "REQUEST_TIMEOUT";
    /// The body did not arrive in time: 408.
    pub const REQUEST_INCOMPLETE: &str = "REQUEST_INCOMPLETE";
    /// The head has too many fields: 431.
    pub const TOO_MANY_HEADERS: &str = "TOO_MANY_HEADERS";
    /// A defect: 500.
    pub const INTERNAL: &str = "INTERNAL";
}

/// An error as an HTTP answer. Handlers return `Result<_, Problem>` and use `?` on [`ApiError`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(pub ApiError);

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

/// Logs a defect or a failed dependency with its chain of causes, and gives the error that an outsider may see.
pub fn internal(reason: &'static str, error: impl Into<anyhow::Error>) -> ApiError {
    let error = error.into();
    error!(
        reason,
        error = format!("{error:#}"),
        "a request failed inside the service"
    );
    ApiError::new(ErrorCode::Internal, reason, INTERNAL_MESSAGE)
}

/// The HTTP status of a code.
pub const fn http_status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidArgument => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorCode::PermissionDenied => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Gone => StatusCode::GONE,
        ErrorCode::AlreadyExists | ErrorCode::Aborted | ErrorCode::FailedPrecondition => {
            StatusCode::CONFLICT
        }
        ErrorCode::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The short name of a code, the same for every occurrence.
const fn title(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidArgument => "The request is not valid",
        ErrorCode::Unauthenticated => "Credentials are missing or wrong",
        ErrorCode::PermissionDenied => "Not allowed",
        ErrorCode::NotFound => "Not found",
        ErrorCode::Gone => "Erased",
        ErrorCode::AlreadyExists => "Exists already",
        ErrorCode::Aborted => "Another request is in the way",
        ErrorCode::FailedPrecondition => "Not possible in the present state",
        ErrorCode::IdempotencyMismatch => "The idempotency key belongs to another request",
        ErrorCode::ResourceExhausted => "Too many requests",
        ErrorCode::DeadlineExceeded => "Out of time",
        ErrorCode::Unavailable => "Not available now",
        ErrorCode::Internal => "Internal error",
    }
}

/// The members of a problem, RFC 9457 section 3, and ours.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    reason: &'a str,
    #[serde(skip_serializing_if = "<[Violation]>::is_empty")]
    violations: &'a [Violation],
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Problem {
    /// The status of the answer: that of the code, refined by a reason of the transport.
    pub fn status(&self) -> StatusCode {
        match self.0.reason {
            reason::BODY_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
            reason::UNSUPPORTED_MEDIA_TYPE => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            reason::METHOD_NOT_ALLOWED => StatusCode::METHOD_NOT_ALLOWED,
            reason::NOT_ACCEPTABLE => StatusCode::NOT_ACCEPTABLE,
            reason::BUSY => StatusCode::TOO_MANY_REQUESTS,
            reason::REQUEST_INCOMPLETE => StatusCode::REQUEST_TIMEOUT,
            reason::TOO_MANY_HEADERS => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            _ => http_status(self.0.code),
        }
    }

    /// The same answer with its detail repeated in a further member; other answers stay as they are.
    pub(crate) fn repeat_detail(response: Response, member: &'static str) -> Response {
        let Some(problem) = response.extensions().get::<Self>() else {
            return response;
        };
        let body = problem.body(RequestId::current().as_ref());
        let mut members: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&body).expect("a problem is a JSON object");
        if let Some(detail) = members.get("detail").cloned() {
            members.insert(member.to_owned(), detail);
        }
        let body = serde_json::to_vec(&members).expect("a problem holds only text and numbers");
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        // A route may have compressed the body that is replaced here.
        parts.headers.remove(header::CONTENT_ENCODING);
        Response::from_parts(parts, body.into())
    }

    /// The problem as a JSON document, for an answer that holds several.
    pub fn to_json(&self) -> Vec<u8> {
        self.body(RequestId::current().as_ref())
    }

    fn body(&self, request_id: Option<&RequestId>) -> Vec<u8> {
        let error = &self.0;
        let defect = error.code == ErrorCode::Internal;
        let body = Body {
            r#type: page::type_of(error.code),
            title: title(error.code),
            status: self.status().as_u16(),
            detail: if defect {
                INTERNAL_MESSAGE
            } else {
                &error.message
            },
            code: error.code.as_str(),
            reason: error.reason,
            violations: if defect { &[] } else { &error.violations },
            retry_after_s: error.retry_after_s,
            request_id: request_id.map(RequestId::as_str),
        };
        serde_json::to_vec(&body).expect("a problem holds only text and numbers")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.body(RequestId::current().as_ref());
        let content_type = HeaderValue::from_static(CONTENT_TYPE);
        let mut response =
            (self.status(), [(header::CONTENT_TYPE, content_type)], body).into_response();
        if let Some(seconds) = self.0.retry_after_s {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}
