//! Drift over HTTP.

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::routing::get;
use fcs_service::problem::{Problem, ProblemJson};
use serde::Deserialize;

use super::bad_query;
use crate::app::drift::{DriftQuery, DriftSheet};
use crate::app::drifts::Drifts;

/// The routes under `/v1`.
pub(crate) fn routes(drifts: Drifts) -> Router {
    Router::new()
        .route("/v1/drift", get(drift))
        .with_state(drifts)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DriftParameters {
    model: String,
    #[serde(default)]
    hours: u32,
}

async fn drift(
    State(drifts): State<Drifts>,
    query: Result<Query<DriftParameters>, QueryRejection>,
) -> Result<ProblemJson<DriftSheet>, Problem> {
    let rule =
        "the parameters are model, which must be given, and hours, a number; there is no other";
    let Query(query) = query.map_err(|_| bad_query(rule))?;
    let query = DriftQuery::new(&query.model, query.hours)?;
    Ok(ProblemJson(drifts.sheet(query).await?))
}
