//! Inference requests and answers: JSON, and tensors as bytes behind it (the binary tensor data extension).

use std::collections::BTreeSet;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fcs_core::{ApiError, ErrorCode};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::{data, malformed};
use crate::app::inference::parameters::{self, Parameter, Parameters, is_true};
use crate::app::inference::{
    Datatype, InferAnswer, InferCommand, InputTensor, JsonData, OutputTensor, Payload,
};

/// Bytes of JSON before the tensors.
const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

#[derive(Deserialize)]
struct InferBody {
    #[serde(default)]
    id: String,
    #[serde(default)]
    parameters: Parameters,
    inputs: Vec<InputBody>,
    #[serde(default)]
    outputs: Vec<OutputBody>,
}

#[derive(Deserialize)]
struct InputBody {
    name: String,
    shape: Vec<i64>,
    datatype: String,
    #[serde(default)]
    parameters: Parameters,
    #[serde(default, deserialize_with = "data::deserialize")]
    data: Option<JsonData>,
}

#[derive(Deserialize)]
struct OutputBody {
    name: String,
    #[serde(default)]
    parameters: Parameters,
}

/// Which outputs go back as bytes.
#[derive(Default)]
pub(super) struct Form {
    by_default: bool,
    binary: BTreeSet<String>,
    json: BTreeSet<String>,
}

impl Form {
    fn is_binary(&self, name: &str) -> bool {
        self.binary.contains(name) || (self.by_default && !self.json.contains(name))
    }
}

/// Reads a request. `width` tells the columns of a row, for a body that is nothing but rows.
///
/// # Errors
/// `InvalidArgument` for what is malformed by itself, whatever the model is.
pub(super) fn parse(
    headers: &HeaderMap,
    body: &Bytes,
    width: impl FnOnce() -> Result<usize, ApiError>,
) -> Result<(InferCommand, Form), ApiError> {
    let json_length = json_length(headers, body.len())?;
    if json_length == Some(0) {
        return Ok(rows_alone(body.clone(), width()?));
    }
    let json_length = json_length.unwrap_or(body.len());
    let request: InferBody =
        serde_json::from_slice(&body[..json_length]).map_err(|error| malformed(&error))?;
    let mut tensors = body.slice(json_length..);
    let timeout = parameters::timeout(&request.parameters)?;
    let mut inputs = Vec::with_capacity(request.inputs.len());
    for input in request.inputs {
        inputs.push(tensor(input, &mut tensors)?);
    }
    if !tensors.is_empty() {
        let message = format!("{} bytes are left after the last input", tensors.len());
        return Err(invalid("BINARY_LENGTH", message));
    }
    let mut form = Form {
        by_default: is_true(&request.parameters, "binary_data_output"),
        ..Form::default()
    };
    let mut outputs = Vec::with_capacity(request.outputs.len());
    for output in request.outputs {
        parameters::check_tensor(&output.parameters)?;
        match output.parameters.get("binary_data") {
            Some(Parameter::Bool(true)) => form.binary.insert(output.name.clone()),
            Some(Parameter::Bool(false)) => form.json.insert(output.name.clone()),
            None => false,
            Some(_) => {
                let message = "the parameter binary_data is true or false";
                return Err(invalid("PARAMETER_INVALID", message));
            }
        };
        outputs.push(output.name);
    }
    let command = InferCommand {
        model: String::new(),
        version: String::new(),
        id: request.id,
        timeout,
        inputs,
        outputs,
    };
    Ok((command, form))
}

fn json_length(headers: &HeaderMap, body_length: usize) -> Result<Option<usize>, ApiError> {
    let Some(value) = headers.get(JSON_LENGTH) else {
        return Ok(None);
    };
    let digits = value.to_str().ok();
    // The parser of numbers takes a sign, HTTP does not.
    let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let length = digits.and_then(|text| text.parse().ok());
    match length.filter(|length| *length <= body_length) {
        Some(length) => Ok(Some(length)),
        None => Err(invalid(
            "JSON_LENGTH",
            "Inference-Header-Content-Length is no length within the body",
        )),
    }
}

/// A body without JSON is the input `features` in FP64; the answer comes back in bytes.
fn rows_alone(body: Bytes, width: usize) -> (InferCommand, Form) {
    // A body that is no whole number of rows fails later, where lengths are checked.
    let rows = body.len().div_ceil(width * size_of::<f64>());
    let size = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
    let input = InputTensor {
        name: "features".to_owned(),
        datatype: Datatype::Fp64,
        shape: vec![size(rows), size(width)],
        payload: Payload::Raw(body),
    };
    let command = InferCommand {
        model: String::new(),
        version: String::new(),
        id: String::new(),
        timeout: None,
        inputs: vec![input],
        outputs: Vec::new(),
    };
    let form = Form {
        by_default: true,
        ..Form::default()
    };
    (command, form)
}

/// Reads an input; its bytes are the next ones of `tensors`.
fn tensor(input: InputBody, tensors: &mut Bytes) -> Result<InputTensor, ApiError> {
    parameters::check_tensor(&input.parameters)?;
    let shown: String = input.name.chars().take(64).collect();
    let size = match input.parameters.get("binary_data_size") {
        Some(Parameter::Integer(size)) => usize::try_from(*size).ok(),
        Some(_) | None => None,
    };
    let is_binary = input.parameters.contains_key("binary_data_size");
    let payload = match (input.data, is_binary, size) {
        (Some(data), false, _) => Payload::Json(data),
        (None, true, Some(size)) if size <= tensors.len() => Payload::Raw(tensors.split_to(size)),
        (None, true, _) => {
            let message = format!("input {shown:?}: binary_data_size is no size within the body");
            return Err(invalid("BINARY_LENGTH", message));
        }
        (Some(_), true, _) => {
            let message = format!("input {shown:?}: send data or binary_data_size, not both");
            return Err(invalid("RAW_AND_TYPED", message));
        }
        (None, false, _) => {
            let message = format!("input {shown:?} has no data");
            return Err(invalid("DATA_MISSING", message));
        }
    };
    Ok(InputTensor {
        name: input.name,
        datatype: Datatype::parse(&input.datatype)?,
        shape: input.shape,
        payload,
    })
}

#[derive(Serialize)]
struct AnswerBody<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    outputs: Vec<OutputView<'a>>,
}

#[derive(Serialize)]
struct OutputView<'a> {
    name: &'static str,
    datatype: &'static str,
    shape: [usize; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<SizeView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a [f64]>,
}

#[derive(Serialize)]
struct SizeView {
    binary_data_size: usize,
}

/// Writes an answer in the form that was asked for.
pub(super) fn respond(answer: &InferAnswer, form: &Form) -> Response {
    let mut tensors = Vec::new();
    let mut outputs = Vec::with_capacity(answer.outputs.len());
    for output in &answer.outputs {
        outputs.push(if form.is_binary(output.name) {
            let raw = output.raw();
            let size = raw.len();
            tensors.extend(raw);
            view(output, Some(size))
        } else {
            view(output, None)
        });
    }
    let is_binary = answer
        .outputs
        .iter()
        .any(|output| form.is_binary(output.name));
    let body = AnswerBody {
        model_name: answer.model.name(),
        model_version: answer.model.version(),
        id: &answer.id,
        outputs,
    };
    let mut bytes = serde_json::to_vec(&body).expect("an answer holds texts and finite numbers");
    if !is_binary {
        return ([(header::CONTENT_TYPE, "application/json")], bytes).into_response();
    }
    let json_length = HeaderValue::from(bytes.len());
    bytes.extend(tensors);
    let kind = HeaderValue::from_static("application/octet-stream");
    (
        [(header::CONTENT_TYPE, kind), (JSON_LENGTH, json_length)],
        bytes,
    )
        .into_response()
}

fn view(output: &OutputTensor, binary_data_size: Option<usize>) -> OutputView<'_> {
    OutputView {
        name: output.name,
        datatype: "FP64",
        shape: output.shape,
        parameters: binary_data_size.map(|binary_data_size| SizeView { binary_data_size }),
        data: binary_data_size
            .is_none()
            .then_some(output.values.as_slice()),
    }
}

fn invalid(reason: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidArgument, reason, message)
}
