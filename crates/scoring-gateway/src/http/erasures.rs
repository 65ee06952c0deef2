//! Erasures of applications.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use fcs_core::{ApiError, redacted_debug};
use fcs_service::auth::Principal;
use fcs_service::problem::{Problem, ProblemJson, reason};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Http, schema};
use crate::store;

redacted_debug!(ErasureRequest);

/// Which application to erase, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ErasureRequest {
    #[schema(min_length = 1, max_length = 128)]
    application_id: String,
    /// It is kept for ever, so it names no person and not the application.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// Which erasures to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only erasures with a greater place.
    #[serde(default)]
    #[param(required = false)]
    after_place: u64,
    /// Erasures of the page at most; 0 means 100.
    #[serde(default)]
    #[param(required = false, maximum = 1000)]
    page_size: u32,
}

/// How far an erasure is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ErasureState {
    /// The key is destroyed after the day `on_hold_until`.
    Scheduled,
    /// The key is destroyed.
    Erased,
}

/// An erasure, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Erasure {
    /// Place in the list, from 1 in ascending order, with gaps.
    #[schema(minimum = 1)]
    place: u64,
    /// Pseudonym of the application, as the decision feed gives it after the erasure.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    applicant: String,
    state: ErasureState,
    /// Who asked for it.
    actor: String,
    reason: String,
    #[schema(format = DateTime)]
    requested_at: String,
    /// The last day on which its records must still be there.
    #[schema(format = Date)]
    on_hold_until: String,
    /// When the key was destroyed.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_at: Option<String>,
}

/// Erasures, the earliest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Erasures {
    erasures: Vec<Erasure>,
}

impl From<store::Erasure> for Erasure {
    fn from(erasure: store::Erasure) -> Self {
        Self {
            place: erasure.place,
            applicant: erasure.applicant.to_string(),
            state: match erasure.erased_at {
                None => ErasureState::Scheduled,
                Some(_) => ErasureState::Erased,
            },
            actor: erasure.actor,
            reason: erasure.reason,
            requested_at: erasure.requested_at.to_string(),
            on_hold_until: erasure.retain_until.to_string(),
            erased_at: erasure.erased_at.map(|at| at.to_string()),
        }
    }
}

/// Erase an application
///
/// Destroys the key of everything that is kept of it, at once, or as soon as the last of its records need not be kept
/// any more (12 CFR 1002.12(b)). Asking again changes nothing and tells the state.
#[utoipa::path(
    post, path = "/v1/erasures", tag = "erasures",
    request_body = ErasureRequest,
    responses(
        (status = 200, description = "The erasure and its state", body = Erasure),
        schema::WriteProblems,
    )
)]
pub(super) async fn erase(
    State(http): State<Http>,
    caller: Principal,
    body: Result<ProblemJson<ErasureRequest>, Problem>,
) -> Result<ProblemJson<Erasure>, Problem> {
    let ProblemJson(body) = body?;
    let erasure = http
        .app
        .erase(&caller, &body.application_id, &body.reason)
        .await?;
    Ok(ProblemJson(erasure.into()))
}

/// List erasures
#[utoipa::path(
    get, path = "/v1/erasures", tag = "erasures",
    params(ListQuery),
    responses(
        (status = 200, description = "The erasures, the earliest first", body = Erasures),
        schema::ListProblems,
    )
)]
pub(super) async fn list(
    State(http): State<Http>,
    caller: Principal,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<ProblemJson<Erasures>, Problem> {
    let Query(query) = query
        .map_err(|error| ApiError::invalid(reason::INVALID_REQUEST, error.body_text(), vec![]))?;
    let erasures = http
        .app
        .erasures(&caller.tenant, query.after_place, query.page_size)
        .await?;
    let erasures = erasures.into_iter().map(Erasure::from).collect();
    Ok(ProblemJson(Erasures { erasures }))
}
