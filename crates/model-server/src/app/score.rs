//! Scoring rows with a loaded model.

use std::sync::Arc;

use fcs_core::{ApiError, Digest, ErrorCode, ModelVersion, Violation};

use super::models::Models;
use super::package::LoadedModel;

/// Most rows of one request.
pub const ROWS_MAX: usize = 1_024;

/// Which model to score with, and what to compute.
pub struct ScoreCommand {
    /// Name and version.
    pub model: ModelVersion,
    /// Refuse a model with another manifest.
    pub manifest_digest: Option<Digest>,
    /// One value per feature in the manifest's order, NaN for missing.
    pub rows: Vec<Vec<f64>>,
    /// Whether to compute attributions.
    pub explain: bool,
}

/// The score of one row.
pub struct RowScore {
    /// Log-odds of the adverse outcome.
    pub margin: f64,
    /// Probability of the adverse outcome.
    pub probability: f64,
    /// One attribution per feature; empty when not asked for.
    pub contributions: Vec<f64>,
}

/// Finds the loaded model of a command and checks the rows against it.
///
/// # Errors
/// `FailedPrecondition` when the model is not loaded or has another digest, `InvalidArgument` for bad rows.
pub fn prepare(models: &Models, command: &ScoreCommand) -> Result<Arc<LoadedModel>, ApiError> {
    let model = models
        .get(&command.model)
        .ok_or_else(|| not_loaded(&command.model))?;
    if command
        .manifest_digest
        .is_some_and(|digest| digest != model.manifest.digest())
    {
        return Err(ApiError::new(
            ErrorCode::FailedPrecondition,
            "MODEL_DIGEST_MISMATCH",
            format!(
                "{} is loaded with another manifest digest than the request names",
                command.model
            ),
        ));
    }
    check_rows(&command.rows, model.manifest.features.len())?;
    Ok(model)
}

/// Scores every row. Computes for up to milliseconds per row: call it from a blocking thread.
pub fn score(model: &LoadedModel, command: &ScoreCommand) -> Vec<RowScore> {
    let score_row = |row: &Vec<f64>| {
        let margin = model.forest.margin(row);
        let contributions = if command.explain {
            model.attributor.contributions(row)
        } else {
            Vec::new()
        };
        RowScore {
            margin,
            probability: model.forest.probability(margin),
            contributions,
        }
    };
    command.rows.iter().map(score_row).collect()
}

/// The model is not in memory.
pub fn not_loaded(model: &ModelVersion) -> ApiError {
    ApiError::new(
        ErrorCode::FailedPrecondition,
        "MODEL_NOT_LOADED",
        format!("{model} is not loaded: call LoadModel first"),
    )
}

fn check_rows(rows: &[Vec<f64>], width: usize) -> Result<(), ApiError> {
    let mut violations = Vec::new();
    if rows.is_empty() || rows.len() > ROWS_MAX {
        violations.push(Violation {
            pointer: "/rows".into(),
            reason: "ROW_COUNT_OUT_OF_RANGE",
            description: format!("send 1 to {ROWS_MAX} rows, not {}", rows.len()),
        });
    }
    for (index, row) in rows.iter().enumerate().take(ROWS_MAX) {
        let wrong = if row.len() != width {
            Some((
                "ROW_LENGTH",
                format!("send {width} values, one per feature, not {}", row.len()),
            ))
        } else if row.iter().any(|value| value.is_infinite()) {
            Some((
                "VALUE_NOT_FINITE",
                "values are finite, or NaN for missing".to_owned(),
            ))
        } else {
            None
        };
        violations.extend(wrong.map(|(reason, description)| Violation {
            pointer: format!("/rows/{index}"),
            reason,
            description,
        }));
    }
    if violations.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(
        "INVALID_ROWS",
        "the rows do not fit the model",
        violations,
    ))
}
