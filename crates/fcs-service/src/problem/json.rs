//! The JSON body of a request, or the problem with it.

use axum::Json;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fcs_core::{ApiError, ErrorCode, Violation};
use http::{HeaderMap, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::{Problem, reason};

/// A JSON body. As an argument it refuses with a problem that says where and what; as an answer it is JSON.
#[derive(Debug, Clone, Copy)]
pub struct ProblemJson<T>(pub T);

impl<T: Serialize> IntoResponse for ProblemJson<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ProblemJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem(ApiError::new(
                ErrorCode::InvalidArgument,
                reason::UNSUPPORTED_MEDIA_TYPE,
                "send the body as JSON, with \"Content-Type: application/json\"",
            )));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| unreadable(&rejection))?;
        parse(&body).map(Self).map_err(Problem)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
    else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let lower = essence.to_ascii_lowercase();
    lower == "application/json" || (lower.starts_with("application/") && lower.ends_with("+json"))
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    let (reason, message) = match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => (
            reason::BODY_TOO_LARGE,
            "the body is longer than this route accepts",
        ),
        _ => (reason::MALFORMED_JSON, "the body broke off before its end"),
    };
    Problem(ApiError::new(ErrorCode::InvalidArgument, reason, message))
}

/// Reads a JSON document; trailing bytes are refused. The error points at what breaks the schema.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        refuse(error.inner(), pointer)
    })?;
    deserializer
        .end()
        .map_err(|error| refuse(&error, String::new()))?;
    Ok(value)
}

fn refuse(error: &serde_json::Error, pointer: String) -> ApiError {
    let text = error.to_string();
    if error.is_data() {
        let violation = Violation {
            pointer,
            reason: reason::INVALID_BODY,
            description: text,
        };
        let message = format!("the body breaks the schema at \"{}\"", violation.pointer);
        ApiError::invalid(reason::INVALID_BODY, message, vec![violation])
    } else {
        let message = format!("the body is not JSON: {text}");
        ApiError::invalid(reason::MALFORMED_JSON, message, Vec::new())
    }
}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code, reason = "only its parsing matters here")]
        lines: Vec<Line>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[expect(dead_code, reason = "only its parsing matters here")]
        count: u32,
    }

    #[test]
    fn a_wrong_type_is_pointed_at() {
        let error = parse::<Order>(br#"{"lines":[{"count":1},{"count":"two"}]}"#).unwrap_err();
        assert_eq!(error.reason, reason::INVALID_BODY);
        assert_eq!(error.violations[0].pointer, "/lines/1/count");
    }

    #[test]
    fn an_unknown_field_is_named() {
        let error = parse::<Order>(br#"{"lines":[{"count":1,"colour":2}]}"#).unwrap_err();
        assert_eq!(error.violations[0].pointer, "/lines/0/colour");
        assert!(
            error.violations[0]
                .description
                .contains("unknown field `colour`")
        );
    }

    #[test]
    fn text_that_is_not_json_is_told_apart() {
        for body in [
            &b""[..],
            b"{",
            b"{\"lines\":[]} trailing",
            b"\xff",
            b"nonsense",
        ] {
            let error = parse::<Order>(body).unwrap_err();
            assert_eq!(error.reason, reason::MALFORMED_JSON, "{body:?}");
        }
    }

    #[test]
    fn json_media_types() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, text.parse().unwrap());
            is_json(&headers)
        };
        assert!(of("application/json; charset=utf-8") && of("Application/JSON"));
        assert!(of("application/merge-patch+json"));
        assert!(!of("text/plain") && !of("application/grpc"));
    }
}
