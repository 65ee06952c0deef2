//! The HTTP face: parse, call one use case, convert.

pub(crate) mod alarms;
mod body;
pub(crate) mod drift;
pub(crate) mod examination;
pub(crate) mod sheet;

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use fcs_core::{ApiError, ErrorCode};
use fcs_service::problem::{Problem, ProblemJson, reason};

use crate::app::intake;
use crate::app::monitor::Monitor;
use crate::app::report::ReportQuery;
use crate::store::EVER;
use body::{DemographicsBody, OutcomesBody, ProbabilitiesBody, ReceiptBody, SheetBody, StatusBody};

/// The routes under `/v1`.
pub(crate) fn routes(monitor: Monitor) -> Router {
    Router::new()
        .route("/v1/demographics", post(record_demographics))
        .route("/v1/group-probabilities", post(record_probabilities))
        .route("/v1/outcomes", post(record_outcomes))
        .route("/v1/reports/groups", get(report))
        .route("/v1/status", get(status))
        .with_state(monitor)
}

async fn record_demographics(
    State(monitor): State<Monitor>,
    ProblemJson(body): ProblemJson<DemographicsBody>,
) -> Result<ProblemJson<ReceiptBody>, Problem> {
    let receipt = monitor.record(intake::demographics(body.inputs())?).await?;
    Ok(ProblemJson(receipt.into()))
}

async fn record_probabilities(
    State(monitor): State<Monitor>,
    ProblemJson(body): ProblemJson<ProbabilitiesBody>,
) -> Result<ProblemJson<ReceiptBody>, Problem> {
    let receipt = monitor
        .record(intake::probabilities(body.inputs())?)
        .await?;
    Ok(ProblemJson(receipt.into()))
}

async fn record_outcomes(
    State(monitor): State<Monitor>,
    ProblemJson(body): ProblemJson<OutcomesBody>,
) -> Result<ProblemJson<ReceiptBody>, Problem> {
    let receipt = monitor.record(intake::outcomes(body.inputs())?).await?;
    Ok(ProblemJson(receipt.into()))
}

async fn report(
    State(monitor): State<Monitor>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<ProblemJson<SheetBody>, Problem> {
    let Query(parameters) = query.map_err(|_| bad_query("the query is not well formed"))?;
    let sheet = monitor.report(report_query(parameters)?, EVER).await?;
    Ok(ProblemJson(sheet.into()))
}

async fn status(State(monitor): State<Monitor>) -> Result<ProblemJson<StatusBody>, Problem> {
    Ok(ProblemJson(monitor.status().await?.into()))
}

/// `model=name/version` at most once, `reference=attribute:group` once for each attribute.
fn report_query(parameters: Vec<(String, String)>) -> Result<ReportQuery, ApiError> {
    let mut model = None;
    let mut references = BTreeMap::new();
    for (key, value) in parameters {
        match key.as_str() {
            "model" if model.is_none() => model = Some(value),
            "model" => return Err(bad_query("name one model")),
            "reference" => {
                let rule = "write a reference as attribute:group, for example reference=sex:male";
                let (attribute, group) = value.split_once(':').ok_or_else(|| bad_query(rule))?;
                if references
                    .insert(attribute.to_owned(), group.to_owned())
                    .is_some()
                {
                    return Err(bad_query("name one reference group for an attribute"));
                }
            }
            _ => {
                return Err(bad_query(
                    "there is no such parameter; a report has model and reference; a sheet day, format, attribute, stratify_by, basis and arm as well",
                ));
            }
        }
    }
    ReportQuery::new(&model.unwrap_or_default(), references)
}

fn bad_query(rule: &str) -> ApiError {
    ApiError::new(ErrorCode::InvalidArgument, reason::INVALID_REQUEST, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parameters: &[(&str, &str)]) -> Result<ReportQuery, ApiError> {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        report_query(parameters.iter().map(own).collect())
    }

    #[test]
    fn queries_are_read() {
        assert_eq!(parse(&[]).unwrap(), ReportQuery::default());
        let query = parse(&[
            ("model", "demo/1"),
            ("reference", "sex:male"),
            ("reference", "age_band:25:34"),
        ]);
        let query = query.unwrap();
        assert_eq!(query.model, Some("demo/1".parse().unwrap()));
        assert_eq!(
            query.references["age_band"], "25:34",
            "a group may hold a colon"
        );
    }

    #[test]
    fn bad_queries_are_refused() {
        for bad in [
            &[("model", "demo")][..],
            &[("model", "demo/1"), ("model", "demo/2")],
            &[("reference", "sex")],
            &[("reference", "sex:male"), ("reference", "sex:female")],
            &[("models", "demo/1")],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
