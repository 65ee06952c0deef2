//! The HTTP routes: parse, call one function of the application, convert the answer.

mod body;
mod render;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fcs_core::{ApiError, ApplicationId, DecisionId, InvalidId};
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;
use fcs_service::problem::{Problem, ProblemJson, reason};
use serde::Deserialize;

use crate::app::App;
use crate::app::command::ScoreCommand;
use crate::app::decisions::{PageQuery, REPLAY_TIMEOUT};
use body::ScoreBody;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

#[derive(Clone)]
struct Http {
    app: Arc<App>,
    score_timeout: Duration,
}

/// Every HTTP route of the gateway.
pub(crate) fn routes(app: &Arc<App>, score_timeout: Duration) -> Router {
    Router::new()
        .route("/v1/applications/score", post(score))
        .route("/v1/decisions", get(list))
        .route("/v1/decisions/{id}", get(find))
        .route("/v1/decisions/{id}/replay", post(replay))
        .with_state(Http {
            app: Arc::clone(app),
            score_timeout,
        })
}

async fn score(
    State(http): State<Http>,
    caller: Principal,
    headers: HeaderMap,
    body: Result<ProblemJson<ScoreBody>, Problem>,
) -> Result<Response, Problem> {
    let command = body
        .and_then(|ProblemJson(body)| command(&headers, body).map_err(Problem))
        .inspect_err(|problem| http.app.metrics.score_error(problem.0.code))?;
    let scored = http
        .app
        .score(&caller, command, Deadline::after(http.score_timeout))
        .await?;
    let mut response = json(render::decision(&scored.decision));
    if scored.replayed {
        response
            .headers_mut()
            .insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn command(headers: &HeaderMap, body: ScoreBody) -> Result<ScoreCommand, ApiError> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        let message = "send one Idempotency-Key header, a new one for each new request";
        return Err(ApiError::invalid(
            "IDEMPOTENCY_KEY_MISSING",
            message,
            vec![],
        ));
    };
    body.check()?;
    ScoreCommand::new(
        unquoted(key),
        &body.application_id,
        body.features,
        body.application,
    )
}

/// The key of the header, which the draft standard writes as a structured-field string, in quotes.
fn unquoted(key: &HeaderValue) -> &str {
    // A key that is not visible ASCII is refused as an empty one is.
    let text = key.to_str().unwrap_or_default();
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

async fn find(
    State(http): State<Http>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let stored = http.app.decision(&caller.tenant, decision_id(&id)?).await?;
    Ok(json(render::decision(&stored)))
}

async fn replay(
    State(http): State<Http>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let deadline = Deadline::after(REPLAY_TIMEOUT);
    let replay = http
        .app
        .replay(&caller.tenant, decision_id(&id)?, deadline)
        .await?;
    Ok(json(render::replay(&replay)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    application_id: Option<ApplicationId>,
    #[serde(default)]
    after_index: u64,
    #[serde(default)]
    page_size: u32,
}

async fn list(
    State(http): State<Http>,
    caller: Principal,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| {
        ApiError::invalid(reason::INVALID_REQUEST, rejection.body_text(), vec![])
    })?;
    let query = PageQuery {
        application_id: query.application_id,
        after_index: query.after_index,
        page_size: query.page_size,
    };
    Ok(json(render::page(
        &http.app.list_decisions(&caller.tenant, &query).await?,
    )))
}

fn decision_id(text: &str) -> Result<DecisionId, ApiError> {
    text.parse().map_err(|error: InvalidId| {
        ApiError::invalid("DECISION_ID_INVALID", error.to_string(), vec![])
    })
}

fn json(body: Vec<u8>) -> Response {
    (
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )],
        body,
    )
        .into_response()
}
