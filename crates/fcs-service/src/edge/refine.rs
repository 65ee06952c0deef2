//! Errors that a library answered as plain text, made problems.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use fcs_core::{ApiError, ErrorCode};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};

use crate::problem::{INTERNAL_MESSAGE, Problem, reason};

/// Longer texts are not passed on.
const TEXT_BYTES_MAX: usize = 1_024;
/// What a library tells in the head.
const KEPT: [HeaderName; 4] = [
    header::ACCEPT_ENCODING,
    header::ALLOW,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
];

/// The answer itself, unless it is an error without a body of its own kind.
pub(super) async fn as_problem(response: Response, method: &Method) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || !is_plain(response.headers()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let problem = Problem(error(status, method, &parts.headers, body).await);
    let mut response = problem.into_response();
    *response.status_mut() = status;
    for name in KEPT {
        if let Some(value) = parts.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

fn is_plain(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_none_or(|content_type| content_type.as_bytes().starts_with(b"text/plain"))
}

async fn error(status: StatusCode, method: &Method, headers: &HeaderMap, body: Body) -> ApiError {
    let (code, reason, message) = match status {
        StatusCode::UNAUTHORIZED => (
            ErrorCode::Unauthenticated,
            "UNAUTHENTICATED",
            "credentials are missing",
        ),
        StatusCode::FORBIDDEN => (
            ErrorCode::PermissionDenied,
            "FORBIDDEN",
            "this is not allowed",
        ),
        StatusCode::NOT_FOUND => (
            ErrorCode::NotFound,
            reason::NO_ROUTE,
            "there is nothing here",
        ),
        StatusCode::METHOD_NOT_ALLOWED => {
            let message = format!("{method} is not possible here; see the Allow header");
            return ApiError::new(
                ErrorCode::InvalidArgument,
                reason::METHOD_NOT_ALLOWED,
                message,
            );
        }
        StatusCode::CONFLICT => (
            ErrorCode::Aborted,
            "CONFLICT",
            "another request is in the way",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            let message = "the body is longer than this route accepts";
            (ErrorCode::InvalidArgument, reason::BODY_TOO_LARGE, message)
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            let message = unsupported(headers);
            (
                ErrorCode::InvalidArgument,
                reason::UNSUPPORTED_MEDIA_TYPE,
                message,
            )
        }
        StatusCode::TOO_MANY_REQUESTS => (
            ErrorCode::ResourceExhausted,
            "TOO_MANY_REQUESTS",
            "too many requests; retry later",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            ErrorCode::Unavailable,
            "UNAVAILABLE",
            "not available now; retry later",
        ),
        StatusCode::GATEWAY_TIMEOUT => (
            ErrorCode::DeadlineExceeded,
            reason::REQUEST_TIMEOUT,
            "the request took too long",
        ),
        _ if status.is_client_error() => {
            // The extractors of axum say here what is wrong with the path, the query or the headers.
            let message = text(body)
                .await
                .unwrap_or_else(|| "the request is not valid".to_owned());
            return ApiError::new(ErrorCode::InvalidArgument, reason::INVALID_REQUEST, message);
        }
        _ => (ErrorCode::Internal, reason::INTERNAL, INTERNAL_MESSAGE),
    };
    ApiError::new(code, reason, message)
}

/// What a route does not take. RFC 9110, section 12.5.3: with this header the answer blames the encoding.
fn unsupported(headers: &HeaderMap) -> &'static str {
    if headers.contains_key(header::ACCEPT_ENCODING) {
        "this route does not take this content encoding; see the Accept-Encoding header"
    } else {
        "this route does not take this content type"
    }
}

async fn text(body: Body) -> Option<String> {
    let bytes = Limited::new(body, TEXT_BYTES_MAX)
        .collect()
        .await
        .ok()?
        .to_bytes();
    String::from_utf8(bytes.into())
        .ok()
        .filter(|text| !text.is_empty())
}
