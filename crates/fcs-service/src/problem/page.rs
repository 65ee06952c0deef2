//! The pages that the `type` of a problem leads to: what each kind of problem means, on every service.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use fcs_core::{ApiError, ErrorCode};

use super::{Problem, http_status, reason, title};
use crate::grpc::status_code;

/// Where the pages are.
const PATH: &str = "/problems";

/// The `type` of a problem: a path on the service that answered.
pub(super) fn type_of(code: ErrorCode) -> String {
    format!("{PATH}/{}", code.as_str())
}

/// `GET /problems` and `GET /problems/{code}`.
pub(crate) fn routes() -> Router {
    Router::new()
        .route(PATH, get(all))
        .route("/problems/{code}", get(one))
}

async fn all() -> Html<String> {
    let mut rows = String::new();
    for code in ErrorCode::ALL {
        let _ = write!(
            rows,
            "<tr><td><a href=\"{}\"><code>{}</code></a><td>{}<td>{}<td><code>{:?}</code>",
            type_of(code),
            code.as_str(),
            title(code),
            http_status(code),
            status_code(code),
        );
    }
    page(
        "Problems",
        &format!("<table><tr><th>code<th>meaning<th>HTTP<th>gRPC{rows}</table>"),
    )
}

async fn one(Path(name): Path<String>) -> Response {
    let found = ErrorCode::ALL
        .into_iter()
        .find(|code| code.as_str() == name);
    let Some(code) = found else {
        let message = format!("there is no such kind of problem; see {PATH}");
        return Problem(ApiError::not_found(reason::NO_ROUTE, message)).into_response();
    };
    let facts = format!(
        "<p>{}<p>Over HTTP: status {}. Over gRPC: <code>{:?}</code>. The member <code>reason</code> (over gRPC that \
         of <code>ErrorInfo</code>) says more exactly what happened.<p><a href=\"{PATH}\">All problems</a>",
        advice(code),
        http_status(code),
        status_code(code),
    );
    page(title(code), &facts).into_response()
}

fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <style>body{{font:1rem/1.5 sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}}\
         td,th{{text-align:left;padding:.2rem 1rem .2rem 0}}</style><h1>{title}</h1>{body}</html>\n"
    ))
}

/// What a caller should do.
const fn advice(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidArgument => {
            "The request breaks a rule. Change it as the detail and the violations say; as it is, it never succeeds."
        }
        ErrorCode::Unauthenticated => "Send valid credentials.",
        ErrorCode::PermissionDenied => {
            "The credentials are valid and do not allow this. Ask for the permission."
        }
        ErrorCode::NotFound => "The named thing does not exist. Check its identifier.",
        ErrorCode::Gone => {
            "The named thing was erased for good. What is left of it is its place in the log."
        }
        ErrorCode::AlreadyExists => {
            "The named thing exists already. Read it, or choose another name."
        }
        ErrorCode::Aborted => {
            "Another request on the same thing is in flight or was first. Retry with the same key."
        }
        ErrorCode::FailedPrecondition => {
            "The system is not in the state that the request needs. Bring it there as the detail says, then retry."
        }
        ErrorCode::IdempotencyMismatch => {
            "The idempotency key was used with another body. Use a new key for a new request."
        }
        ErrorCode::ResourceExhausted => {
            "A limit is reached. Retry after the time that the answer names."
        }
        ErrorCode::DeadlineExceeded => {
            "The time was up before the answer was there. Retry with the same key; what was done is not done twice."
        }
        ErrorCode::Unavailable => {
            "A part of the system does not answer. Retry with the same key after the time that the answer names."
        }
        ErrorCode::Internal => "A defect. Give the request id to the operators.",
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{Request, StatusCode};
    use tower::ServiceExt as _;

    use super::*;

    async fn status(path: &str) -> StatusCode {
        let request = Request::get(path).body(Body::empty()).unwrap();
        routes().oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn the_type_of_every_problem_leads_to_a_page() {
        for code in ErrorCode::ALL {
            assert_eq!(status(&type_of(code)).await, StatusCode::OK, "{code:?}");
        }
        assert_eq!(status(PATH).await, StatusCode::OK);
        assert_eq!(status("/problems/nonsense").await, StatusCode::NOT_FOUND);
    }
}
