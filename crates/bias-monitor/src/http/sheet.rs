//! Fairness sheets over HTTP.

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fcs_core::ApiError;
use fcs_service::problem::Problem;

use super::{bad_query, report_query};
use crate::app::document::{SheetDay, SheetExamination, SheetQuery};
use crate::app::sheets::{SheetFormat, Sheets};

/// The signed note on the body, in base64: it has several lines.
const NOTE: HeaderName = HeaderName::from_static("sheet-note");
/// The key that verifies the note.
const KEY: HeaderName = HeaderName::from_static("sheet-verifier-key");

/// The routes under `/v1`.
pub(crate) fn routes(sheets: Sheets) -> Router {
    Router::new()
        .route("/v1/reports/sheet", get(sheet))
        .with_state(sheets)
}

async fn sheet(
    State(sheets): State<Sheets>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(parameters) = query.map_err(|_| bad_query("the query is not well formed"))?;
    let (query, format) = sheet_query(parameters)?;
    let signed = sheets.signed(query, format).await?;
    let headers = [
        (CONTENT_TYPE, format.media_type().to_owned()),
        (NOTE, STANDARD.encode(&signed.note)),
        (KEY, signed.verifier_key),
    ];
    Ok((headers, signed.bytes))
}

/// `day=YYYY-MM-DD`, `format=json|csv|html`, `stratify_by`, `basis` and `arm` at most once, `attribute` as often as needed,
/// and the parameters of a report.
fn sheet_query(parameters: Vec<(String, String)>) -> Result<(SheetQuery, SheetFormat), ApiError> {
    let (mut day, mut format) = (String::new(), String::new());
    let mut examination = SheetExamination::default();
    let mut others = Vec::new();
    for (key, value) in parameters {
        let once = match key.as_str() {
            "day" => &mut day,
            "format" => &mut format,
            "stratify_by" => &mut examination.stratify_by,
            "basis" => &mut examination.basis,
            "arm" => &mut examination.arm,
            "attribute" => {
                examination.attributes.push(value);
                continue;
            }
            _ => {
                others.push((key, value));
                continue;
            }
        };
        if !once.is_empty() {
            return Err(bad_query(
                "name each parameter once, but for attribute and reference",
            ));
        }
        *once = value;
    }
    let query = SheetQuery {
        report: report_query(others)?,
        day: SheetDay::parse(&day)?,
        examination,
    };
    let format = if format.is_empty() { "json" } else { &format };
    Ok((query, SheetFormat::parse(format)?))
}
