//! From input tensors to rows in the order of the manifest.
//!
//! Either one tensor `features`, or one tensor for each feature by its name. The first is the model's own row and
//! is checked as the rows of `faircredit.model.v1` are: finite, or NaN for missing. The second speaks the
//! schema's language, so it is checked against the whole schema, as an application is.

use std::collections::{BTreeMap, BTreeSet};

use fcs_core::{ApiError, Violation};
use fcs_decision::features::FeatureInput;
use fcs_decision::manifest::{Feature, FeatureKind, Manifest, MissingRule};

use super::super::score::ROWS_MAX;
use super::payload::{Column, decode};
use super::tensor::{Datatype, InputTensor};
use super::{contract, invalid};

/// Violations that are told; the rest would not help.
const VIOLATIONS_MAX: usize = 32;

/// The rows of a request, each with one value per feature.
pub(super) fn rows(manifest: &Manifest, inputs: &[InputTensor]) -> Result<Vec<Vec<f64>>, ApiError> {
    let mut names = BTreeSet::new();
    for input in inputs {
        if !names.insert(input.name.as_str()) {
            let message = format!("{} is sent twice", input.shown());
            return Err(invalid("INPUT_DUPLICATE", message));
        }
    }
    if let [input] = inputs
        && input.name == contract::FEATURES
    {
        return matrix(manifest, input);
    }
    if names.contains(contract::FEATURES) {
        let message = "send the input \"features\" alone, or one input for each feature without it";
        return Err(invalid("INPUTS_AMBIGUOUS", message));
    }
    by_name(manifest, inputs)
}

/// Rows of the tensor `features`, shape `[rows, features]`.
fn matrix(manifest: &Manifest, input: &InputTensor) -> Result<Vec<Vec<f64>>, ApiError> {
    if !matches!(input.datatype, Datatype::Fp64 | Datatype::Fp32) {
        let found = input.datatype.name();
        let message = format!("{}: send FP64 or FP32, not {found}", input.shown());
        return Err(invalid("DATATYPE_WRONG", message));
    }
    let width = manifest.features.len();
    check_rows_max(input)?;
    let (sizes, count) = input.dimensions(ROWS_MAX * width)?;
    let [_, columns] = sizes[..] else {
        return Err(wrong_shape(input, &format!("[rows, {width}]")));
    };
    if columns != width {
        return Err(wrong_shape(input, &format!("[rows, {width}]")));
    }
    let Column::Numbers(numbers) = decode(input, &sizes, count)? else {
        return Err(wrong_shape(input, "numbers"));
    };
    if let Some(position) = numbers.iter().position(|number| number.is_infinite()) {
        let message = format!(
            "{}: row {}, column {} is infinite; values are finite, or NaN for missing",
            input.shown(),
            position / width,
            position % width
        );
        return Err(invalid("VALUE_NOT_FINITE", message));
    }
    Ok(numbers.chunks_exact(width).map(<[f64]>::to_vec).collect())
}

/// Rows of one tensor for each feature, shape `[rows]` or `[rows, 1]`.
fn by_name(manifest: &Manifest, inputs: &[InputTensor]) -> Result<Vec<Vec<f64>>, ApiError> {
    let mut columns = Vec::with_capacity(inputs.len());
    let mut rows_of_all = None;
    for input in inputs {
        let feature = manifest.features.iter().find(|it| it.name == input.name);
        let feature = feature.ok_or_else(|| {
            let message = format!(
                "{} is neither \"features\" nor a feature of {}",
                input.shown(),
                manifest.model_version()
            );
            invalid("INPUT_UNKNOWN", message)
        })?;
        check_datatype(input, feature)?;
        check_rows_max(input)?;
        let (sizes, rows) = input.dimensions(ROWS_MAX)?;
        if !matches!(sizes[..], [_] | [_, 1]) {
            return Err(wrong_shape(input, "[rows] or [rows, 1]"));
        }
        if *rows_of_all.get_or_insert(rows) != rows {
            let message = format!(
                "{} has another number of rows than the first",
                input.shown()
            );
            return Err(invalid("ROW_COUNT_MISMATCH", message));
        }
        columns.push((feature.name.as_str(), decode(input, &sizes, rows)?));
    }
    check_complete(manifest, inputs)?;
    encode(manifest, &columns, rows_of_all.unwrap_or(0))
}

/// A feature may be left out where the manifest allows a missing value.
fn check_complete(manifest: &Manifest, inputs: &[InputTensor]) -> Result<(), ApiError> {
    let is_absent = |feature: &&Feature| {
        feature.missing == MissingRule::Refuse && !inputs.iter().any(|it| it.name == feature.name)
    };
    let absent: Vec<&str> = manifest
        .features
        .iter()
        .filter(is_absent)
        .map(|feature| feature.name.as_str())
        .collect();
    if absent.is_empty() {
        return Ok(());
    }
    let message = format!("inputs are missing: {}", absent.join(", "));
    Err(invalid("INPUT_MISSING", message))
}

/// Checks each row against the schema.
fn encode(
    manifest: &Manifest,
    columns: &[(&str, Column)],
    count: usize,
) -> Result<Vec<Vec<f64>>, ApiError> {
    let mut rows = Vec::with_capacity(count);
    let mut violations = Vec::new();
    let mut row: BTreeMap<String, FeatureInput> = columns
        .iter()
        .map(|(name, _)| ((*name).to_owned(), FeatureInput::Missing))
        .collect();
    for index in 0..count {
        for (name, column) in columns {
            if let Some(value) = row.get_mut(*name) {
                *value = element(column, index);
            }
        }
        match manifest.encode(&row) {
            Ok(encoded) => rows.push(encoded.values().to_vec()),
            Err(found) => violations.extend(found.into_iter().map(|violation| Violation {
                pointer: format!("/rows/{index}{}", violation.pointer),
                ..violation
            })),
        }
        if violations.len() >= VIOLATIONS_MAX {
            break;
        }
    }
    let Some(first) = violations.first() else {
        return Ok(rows);
    };
    // Clients of the protocol show the message alone.
    let message = format!(
        "the rows do not fit the model; the first problem is {}: {}",
        first.pointer, first.description
    );
    violations.truncate(VIOLATIONS_MAX);
    Err(ApiError::invalid("INVALID_ROWS", message, violations))
}

fn element(column: &Column, index: usize) -> FeatureInput {
    match column {
        Column::Numbers(numbers) if numbers[index].is_nan() => FeatureInput::Missing,
        Column::Numbers(numbers) => FeatureInput::Number(numbers[index]),
        Column::Texts(texts) if texts[index].is_empty() => FeatureInput::Missing,
        Column::Texts(texts) => FeatureInput::Category(texts[index].clone()),
    }
}

fn check_datatype(input: &InputTensor, feature: &Feature) -> Result<(), ApiError> {
    let (fits, expected) = match feature.kind {
        FeatureKind::Category(_) => (
            input.datatype == Datatype::Bytes,
            "BYTES with the names of categories",
        ),
        FeatureKind::Number(_) | FeatureKind::Integer(_) => (
            matches!(
                input.datatype,
                Datatype::Fp64 | Datatype::Fp32 | Datatype::Int32 | Datatype::Int64
            ),
            "FP64, FP32, INT64 or INT32",
        ),
    };
    if fits {
        return Ok(());
    }
    let found = input.datatype.name();
    let message = format!("{}: send {expected}, not {found}", input.shown());
    Err(invalid("DATATYPE_WRONG", message))
}

/// Comes before the elements are counted, because a caller thinks in rows.
fn check_rows_max(input: &InputTensor) -> Result<(), ApiError> {
    let rows = input.shape.first().copied().unwrap_or(0);
    if usize::try_from(rows).is_ok_and(|rows| rows <= ROWS_MAX) || rows < 0 {
        return Ok(());
    }
    let message = format!(
        "{}: at most {ROWS_MAX} rows are possible, not {rows}",
        input.shown()
    );
    Err(invalid("BATCH_TOO_LARGE", message))
}

fn wrong_shape(input: &InputTensor, expected: &str) -> ApiError {
    let message = format!(
        "{}: the shape must be {expected}, not {:?}",
        input.shown(),
        input.shape
    );
    invalid("SHAPE_WRONG", message)
}
