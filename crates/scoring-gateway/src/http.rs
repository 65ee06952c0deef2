//! The HTTP routes: parse, call one function of the application, convert the answer.

mod application;
mod batch;
mod body;
mod decisions;
mod erasures;
mod notices;
mod openapi;
mod render;
mod reviews;
mod schema;
mod shadow;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use fcs_core::{ApiError, DecisionId, InvalidId};

use crate::app::App;
use crate::app::shadow::Shadows;

pub use openapi::document as openapi_document;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

#[derive(Clone)]
struct Http {
    app: Arc<App>,
    shadows: Arc<Shadows>,
    score_timeout: Duration,
}

/// Every HTTP route of the gateway.
pub(crate) fn routes(app: &Arc<App>, shadows: &Arc<Shadows>, score_timeout: Duration) -> Router {
    let http = Http {
        app: Arc::clone(app),
        shadows: Arc::clone(shadows),
        score_timeout,
    };
    let (routes, document) = openapi::described().split_for_parts();
    routes.with_state(http).merge(openapi::route(&document))
}

/// The key of the header, which the draft standard writes as a structured-field string, in quotes.
fn idempotency_key(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        let message = "send one Idempotency-Key header, a new one for each new request";
        return Err(ApiError::invalid(
            "IDEMPOTENCY_KEY_MISSING",
            message,
            vec![],
        ));
    };
    // A key that is not visible ASCII is refused as an empty one is.
    let text = key.to_str().unwrap_or_default();
    let quoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    Ok(quoted.unwrap_or(text))
}

fn decision_id(text: &str) -> Result<DecisionId, ApiError> {
    text.parse().map_err(|error: InvalidId| {
        ApiError::invalid("DECISION_ID_INVALID", error.to_string(), vec![])
    })
}

fn json(body: Vec<u8>) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// The answer with the header that tells a repeated one.
fn marked(mut response: Response, replayed: bool) -> Response {
    if replayed {
        let headers = response.headers_mut();
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
