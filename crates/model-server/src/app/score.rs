//! Scoring rows with a loaded model.
//!
//! A row is scored by itself: what is wrong with it never changes or fails a neighbour.

use std::time::{Duration, Instant};

use fcs_core::{ApiError, Digest, ErrorCode, ModelVersion, Violation, redacted_debug};
use fcs_service::grpc::Deadline;

use super::models::{Models, Served};
use super::package::LoadedModel;

redacted_debug!(RowScore);

/// Most rows of one request.
pub const ROWS_MAX: usize = 1_024;

/// Rows of one request.
pub struct Batch {
    /// One value per feature in the manifest's order, NaN for missing.
    pub rows: Vec<Vec<f64>>,
    /// Whether to compute attributions.
    pub explain: bool,
}

/// The score of one row.
#[derive(Clone, PartialEq)]
pub struct RowScore {
    /// Log-odds of the adverse outcome; finite.
    pub margin: f64,
    /// Probability of the adverse outcome.
    pub probability: f64,
    /// One attribution per feature; empty when not asked for.
    pub contributions: Vec<f64>,
}

/// What became of one row.
pub type RowOutcome = Result<RowScore, ApiError>;

/// What became of a batch.
pub struct Scored {
    /// One outcome per row.
    pub rows: Vec<RowOutcome>,
    /// Greatest distance between base plus contributions and the margin.
    pub additivity_error_max: f64,
    /// Time of computing.
    pub taken: Duration,
}

/// Finds the loaded model that a caller of our own contract names.
///
/// # Errors
/// `FailedPrecondition` when it is not loaded or has another digest.
pub fn find(
    models: &Models,
    model: &ModelVersion,
    digest: Option<Digest>,
) -> Result<Served, ApiError> {
    let served = models.get(model).ok_or_else(|| not_loaded(model))?;
    if digest.is_some_and(|digest| digest != served.model.manifest.digest()) {
        return Err(ApiError::new(
            ErrorCode::FailedPrecondition,
            "MODEL_DIGEST_MISMATCH",
            format!("{model} is loaded with another manifest digest than the request names"),
        ));
    }
    Ok(served)
}

/// Rows that go through the trees together; between two such groups the deadline is looked at.
const GROUP_ROWS: usize = 256;
/// The same with attributions, which take far longer.
const EXPLAINED_GROUP_ROWS: usize = 64;

/// Scores rows that fit the model, each with the bits that it has alone.
fn score_group(model: &LoadedModel, rows: &[&[f64]], explain: bool) -> Vec<RowScore> {
    let values = rows.concat();
    let mut margins = vec![0.0; rows.len()];
    model.engine.margins(&values, &mut margins);
    let mut contributions = vec![0.0; if explain { values.len() } else { 0 }];
    if explain {
        model
            .attributor
            .contributions_of(&values, &mut contributions);
    }
    let width = contributions.len() / rows.len().max(1);
    let score = |(index, margin): (usize, f64)| RowScore {
        margin,
        probability: model.forest.probability(margin),
        contributions: contributions[index * width..][..width].to_vec(),
    };
    margins.into_iter().enumerate().map(score).collect()
}

/// Scores every row that fits the model; the others get their errors.
///
/// # Errors
/// `DeadlineExceeded` when the deadline passes on the way: nobody waits for the rest.
pub fn score(model: &LoadedModel, batch: &Batch, deadline: Deadline) -> Result<Scored, ApiError> {
    let start = Instant::now();
    let width = model.manifest.features.len();
    let base_margin = model.attributor.base_margin();
    let mut rows = Vec::with_capacity(batch.rows.len());
    let mut additivity_error_max: f64 = 0.0;
    let group_rows = if batch.explain {
        EXPLAINED_GROUP_ROWS
    } else {
        GROUP_ROWS
    };
    for group in batch.rows.chunks(group_rows) {
        if deadline.is_over() {
            return Err(Deadline::passed());
        }
        let fitting: Vec<&[f64]> = group
            .iter()
            .map(Vec::as_slice)
            .filter(|row| check_row(row, width).is_none())
            .collect();
        let mut scores = score_group(model, &fitting, batch.explain).into_iter();
        for row in group {
            if let Some((reason, description)) = check_row(row, width) {
                rows.push(Err(invalid_row(rows.len(), reason, description)));
                continue;
            }
            let score = scores.next().expect("each row that fits has a score");
            if batch.explain {
                let error = additivity_error(&score, base_margin);
                additivity_error_max = additivity_error_max.max(error);
            }
            let tolerance = model.manifest.additivity_tolerance(score.margin);
            let explained = batch.explain.then_some((base_margin, tolerance));
            rows.push(check_score(score, explained));
        }
    }
    Ok(Scored {
        rows,
        additivity_error_max,
        taken: start.elapsed(),
    })
}

/// The model is not in memory.
pub fn not_loaded(model: &ModelVersion) -> ApiError {
    ApiError::new(
        ErrorCode::FailedPrecondition,
        "MODEL_NOT_LOADED",
        format!("{model} is not loaded: call LoadModel first"),
    )
}

fn additivity_error(score: &RowScore, base_margin: f64) -> f64 {
    (base_margin + score.contributions.iter().sum::<f64>() - score.margin).abs()
}

/// A number that is none, or attributions that do not add up to the margin, never leave the server.
/// `explained` is the base margin of the attributions and how far their sum may lie from the margin.
fn check_score(score: RowScore, explained: Option<(f64, f64)>) -> RowOutcome {
    let numbers = [score.margin, score.probability];
    let mut all = numbers.iter().chain(&score.contributions);
    if !all.all(|number| number.is_finite()) {
        tracing::error!("a score is not finite");
        return Err(ApiError::new(
            ErrorCode::Internal,
            "SCORE_NOT_FINITE",
            "the score of a row is not a finite number",
        ));
    }
    if let Some((base_margin, tolerance)) = explained
        && additivity_error(&score, base_margin) > tolerance
    {
        tracing::error!("attributions do not add up to the margin");
        return Err(ApiError::new(
            ErrorCode::Internal,
            "ATTRIBUTIONS_NOT_ADDITIVE",
            "the attributions do not add up to the margin",
        ));
    }
    Ok(score)
}

/// What is wrong with a row, if anything.
fn check_row(row: &[f64], width: usize) -> Option<(&'static str, String)> {
    if row.len() != width {
        let description = format!("send {width} values, one per feature, not {}", row.len());
        return Some(("ROW_LENGTH", description));
    }
    row.iter().any(|value| value.is_infinite()).then(|| {
        let description = "values are finite, or NaN for missing".to_owned();
        ("VALUE_NOT_FINITE", description)
    })
}

fn invalid_row(index: usize, reason: &'static str, description: String) -> ApiError {
    let violation = Violation {
        pointer: format!("/rows/{index}"),
        reason,
        description,
    };
    let message = "the rows do not fit the model";
    ApiError::invalid("INVALID_ROWS", message, vec![violation])
}

/// Checks all rows of a request that is answered as a whole.
///
/// # Errors
/// `InvalidArgument` with a violation for each bad row.
pub fn check_rows(rows: &[Vec<f64>], width: usize) -> Result<(), ApiError> {
    check_count(rows.len(), 1)?;
    let mut violations = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        if let Some((reason, description)) = check_row(row, width) {
            violations.push(Violation {
                pointer: format!("/rows/{index}"),
                reason,
                description,
            });
        }
    }
    if violations.is_empty() {
        return Ok(());
    }
    let message = "the rows do not fit the model";
    Err(ApiError::invalid("INVALID_ROWS", message, violations))
}

/// Checks the number of rows of a request.
///
/// # Errors
/// `InvalidArgument` outside of `rows_min` to [`ROWS_MAX`].
pub fn check_count(rows: usize, rows_min: usize) -> Result<(), ApiError> {
    if (rows_min..=ROWS_MAX).contains(&rows) {
        return Ok(());
    }
    let violation = Violation {
        pointer: "/rows".into(),
        reason: "ROW_COUNT_OUT_OF_RANGE",
        description: format!("send {rows_min} to {ROWS_MAX} rows, not {rows}"),
    };
    let message = "the rows do not fit the model";
    Err(ApiError::invalid("INVALID_ROWS", message, vec![violation]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(margin: f64, contributions: Vec<f64>) -> RowScore {
        RowScore {
            margin,
            probability: 0.5,
            contributions,
        }
    }

    #[test]
    fn numbers_that_are_none_never_leave() {
        for margin in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = check_score(with(margin, Vec::new()), None).unwrap_err();
            assert_eq!(error.code, ErrorCode::Internal);
            assert_eq!(error.reason, "SCORE_NOT_FINITE");
        }
        let error = check_score(with(1.0, vec![f64::NAN]), Some((0.0, 1e-9))).unwrap_err();
        assert_eq!(error.reason, "SCORE_NOT_FINITE");
        assert!(check_score(with(1.0, Vec::new()), None).is_ok());
    }

    #[test]
    fn attributions_that_do_not_add_up_never_leave() {
        assert!(check_score(with(1.0, vec![0.25, 0.25]), Some((0.5, 1e-9))).is_ok());
        let error = check_score(with(1.0, vec![0.25, 0.25]), Some((0.4, 1e-9))).unwrap_err();
        assert_eq!(error.reason, "ATTRIBUTIONS_NOT_ADDITIVE");
    }
}
