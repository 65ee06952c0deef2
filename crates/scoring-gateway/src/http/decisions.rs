//! Decisions: made, found, listed, explained and computed again.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use fcs_core::{ApiError, ApplicationId, Violation, redacted_debug};
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;
use fcs_service::problem::{Problem, ProblemJson, reason};
use serde::Deserialize;
use utoipa::IntoParams;

use super::batch::BatchBody;
use super::body::ScoreBody;
use super::schema;
use super::{Http, decision_id, idempotency_key, json, marked, render};
use crate::app::batch::BATCH_TIMEOUT;
use crate::app::command::{ScoreCommand, invalid_request};
use crate::app::decisions::{PageQuery, REPLAY_TIMEOUT};

redacted_debug!(ListQuery);

/// Decide on one application
///
/// The answer goes out only after its record is durable. A retry with the same key and the same body gets the same
/// bytes, with the header `Idempotency-Replayed: true`.
#[utoipa::path(
    post, path = "/v1/applications/score", tag = "decisions",
    params(schema::IdempotencyKeyHeader),
    request_body = schema::ScoreRequest,
    responses(
        (status = 200, description = "The decision", body = schema::Decision,
         headers(("Idempotency-Replayed" = String, description = "`true` when the answer was given before"))),
        schema::WriteProblems,
    )
)]
pub(super) async fn score(
    State(http): State<Http>,
    caller: Principal,
    headers: HeaderMap,
    body: Result<ProblemJson<ScoreBody>, Problem>,
) -> Result<Response, Problem> {
    let command = body
        .and_then(|ProblemJson(body)| command(&headers, body).map_err(Problem))
        .inspect_err(|problem| http.app.metrics.score_error(problem.0.code))?;
    let deadline = Deadline::after(http.score_timeout);
    let scored = http.app.score(&caller, command, deadline).await?;
    Ok(marked(
        json(render::decision(&scored.decision)),
        scored.replayed,
    ))
}

fn command(headers: &HeaderMap, body: ScoreBody) -> Result<ScoreCommand, ApiError> {
    let key = idempotency_key(headers)?;
    if body.idempotency_key.is_some() {
        let violation = Violation {
            pointer: "/idempotency_key".to_owned(),
            reason: "UNKNOWN_FIELD",
            description: "the key of a request stands in the Idempotency-Key header".to_owned(),
        };
        return Err(invalid_request(vec![violation]));
    }
    body.command(key)
}

/// Decide on several applications
///
/// Each item is decided by itself and has its own status: one that is refused leaves its neighbours alone. The answer
/// has one item per item of the request, in the same order. A retry may send the items that failed again, or all of
/// them: those that were decided are not decided twice.
#[utoipa::path(
    post, path = "/v1/decisions:batch", tag = "decisions",
    request_body = schema::BatchRequest,
    responses(
        (status = 200, description = "What became of each item", body = schema::BatchAnswer),
        schema::BodyProblems,
    )
)]
pub(super) async fn score_batch(
    State(http): State<Http>,
    caller: Principal,
    body: Result<ProblemJson<BatchBody>, Problem>,
) -> Result<Response, Problem> {
    let ProblemJson(body) = body?;
    let deadline = Deadline::after(BATCH_TIMEOUT);
    let app = &http.app;
    let answers = app
        .score_batch(&caller, body.commands(), http.score_timeout, deadline)
        .await?;
    Ok(json(render::batch(&answers)))
}

/// Find one decision
#[utoipa::path(
    get, path = "/v1/decisions/{decision_id}", tag = "decisions",
    params(schema::DecisionPath),
    responses(
        (status = 200, description = "The decision", body = schema::Decision),
        schema::ReadProblems,
    )
)]
pub(super) async fn find(
    State(http): State<Http>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let stored = http.app.decision(&caller.tenant, decision_id(&id)?).await?;
    Ok(json(render::decision(&stored)))
}

/// Explain one decision
///
/// Every contribution with the applicant's value, the same summed by family and by reason code, and the reference
/// population that they are measured against. `margin` is `base_margin` plus the sum of the contributions.
#[utoipa::path(
    get, path = "/v1/decisions/{decision_id}/explanation", tag = "decisions",
    params(schema::DecisionPath),
    responses(
        (status = 200, description = "The explanation", body = schema::Explanation),
        schema::ReadProblems,
    )
)]
pub(super) async fn explain(
    State(http): State<Http>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<ProblemJson<schema::Explanation>, Problem> {
    let deadline = Deadline::after(REPLAY_TIMEOUT);
    let explanation = http
        .app
        .explain(&caller.tenant, decision_id(&id)?, deadline)
        .await?;
    Ok(ProblemJson(explanation.into()))
}

/// Compute one decision again
///
/// From its record and the package of its model; the two records are the same byte for byte.
#[utoipa::path(
    post, path = "/v1/decisions/{decision_id}/replay", tag = "decisions",
    params(schema::DecisionPath),
    responses(
        (status = 200, description = "Both records", body = schema::Replay),
        schema::ReadProblems,
    )
)]
pub(super) async fn replay(
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

/// Which decisions to list.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only this application's.
    #[param(value_type = Option<String>, min_length = 1, max_length = 128)]
    application_id: Option<ApplicationId>,
    /// Only decisions with a greater index; not together with `page_token`.
    #[serde(default)]
    #[param(required = false)]
    after_index: u64,
    /// Decisions of the page at most; 0 means 100.
    #[serde(default)]
    #[param(required = false, maximum = 1000)]
    page_size: u32,
    /// The `next_page_token` of the page before. It opens only with the same `application_id`.
    #[serde(default)]
    #[param(required = false)]
    page_token: String,
}

/// List decisions
///
/// In the order of their index in the log. `next` is the path of the next page, also in the `Link` header.
#[utoipa::path(
    get, path = "/v1/decisions", tag = "decisions",
    params(ListQuery),
    responses(
        (status = 200, description = "One page", body = schema::Page,
         headers(("Link" = String, description = "The next page, when there is one"))),
        schema::ListProblems,
    )
)]
pub(super) async fn list(
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
        page_token: query.page_token,
    };
    let page = http.app.list_decisions(&caller.tenant, &query).await?;
    let next = page
        .next_page_token
        .as_deref()
        .map(|token| render::next_page(&query, token));
    let mut response = json(render::page(&page, next.as_deref()));
    if let Some(link) =
        next.and_then(|next| HeaderValue::try_from(format!("<{next}>; rel=\"next\"")).ok())
    {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}
