//! Examinations and overrides over HTTP.

use axum::Router;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::routing::{get, post};
use fcs_core::ApiError;
use fcs_service::problem::{Problem, ProblemJson};
use serde::Deserialize;

use super::bad_query;
use super::body::ReceiptBody;
use crate::app::examination::{Examination, ExaminationInput};
use crate::app::examinations::Examinations;
use crate::app::facts::PersonsOutcome;
use crate::app::intake::{self, OverrideInput};

/// The routes under `/v1`.
pub(crate) fn routes(examinations: Examinations) -> Router {
    Router::new()
        .route("/v1/overrides", post(record))
        .route("/v1/reports/examination", get(examine))
        .with_state(examinations)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverridesBody {
    items: Vec<OverrideItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverrideItem {
    event_id: String,
    decision_id: String,
    outcome: String,
    reason: String,
    occurred_at: String,
}

async fn record(
    State(examinations): State<Examinations>,
    ProblemJson(body): ProblemJson<OverridesBody>,
) -> Result<ProblemJson<ReceiptBody>, Problem> {
    let input = |item: OverrideItem| OverrideInput {
        event_id: item.event_id,
        decision_id: item.decision_id,
        outcome: PersonsOutcome::parse(&item.outcome),
        reason: item.reason,
        occurred_at: item.occurred_at,
    };
    let overrides = intake::overrides(body.items.into_iter().map(input).collect())?;
    Ok(ProblemJson(examinations.record(overrides).await?.into()))
}

async fn examine(
    State(examinations): State<Examinations>,
    query: Result<axum::extract::Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<ProblemJson<Examination>, Problem> {
    let query = query.map_err(|_| bad_query("the query is not well formed"))?;
    let input = input(query.0)?;
    Ok(ProblemJson(examinations.examine(input).await?))
}

/// `attribute`, `reference` and `quantile` as often as they are needed, every other parameter at most once.
fn input(parameters: Vec<(String, String)>) -> Result<ExaminationInput, ApiError> {
    let mut input = ExaminationInput::default();
    for (key, value) in parameters {
        let once = match key.as_str() {
            "attribute" => {
                input.attributes.push(value);
                continue;
            }
            "reference" => {
                input.reference.push(value);
                continue;
            }
            "quantile" => {
                let share = value
                    .parse()
                    .map_err(|_| bad_query("a quantile is a number"))?;
                input.quantiles.push(share);
                continue;
            }
            "minimum_cell_size" => {
                let size = value.parse();
                input.minimum_cell_size =
                    size.map_err(|_| bad_query("minimum_cell_size is a number"))?;
                continue;
            }
            "model" => &mut input.model,
            "arm" => &mut input.arm,
            "from" => &mut input.from,
            "to" => &mut input.to,
            "stratify_by" => &mut input.stratify_by,
            "within" => &mut input.within,
            "basis" => &mut input.basis,
            _ => {
                return Err(bad_query(
                    "the parameters are attribute, reference, quantile, minimum_cell_size, model, arm, from, to, \
                     stratify_by, within and basis",
                ));
            }
        };
        if !once.is_empty() {
            return Err(bad_query(
                "name each parameter once, but for attribute, reference and quantile",
            ));
        }
        *once = value;
    }
    Ok(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parameters: &[(&str, &str)]) -> Result<ExaminationInput, ApiError> {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        input(parameters.iter().map(own).collect())
    }

    #[test]
    fn queries_are_read() {
        let read = parse(&[
            ("attribute", "sex"),
            ("attribute", "race"),
            ("quantile", "0.1"),
            ("minimum_cell_size", "50"),
            ("stratify_by", "vintage"),
        ]);
        let read = read.unwrap();
        assert_eq!(read.attributes, ["sex", "race"]);
        assert_eq!(
            (read.minimum_cell_size, read.stratify_by.as_str()),
            (50, "vintage")
        );
        for bad in [
            &[("quantile", "half")][..],
            &[("model", "a/1"), ("model", "b/1")],
            &[("attributes", "sex")],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
