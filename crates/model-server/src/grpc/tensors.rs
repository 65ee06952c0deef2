//! Between the messages of the Open Inference Protocol and the application's tensors.

use std::collections::HashMap;
use std::time::Duration;

use fcs_core::{ApiError, ErrorCode};
use fcs_proto::inference::infer_parameter::ParameterChoice;
use fcs_proto::inference::model_infer_request::InferInputTensor;
use fcs_proto::inference::model_infer_response::InferOutputTensor;
use fcs_proto::inference::{
    InferParameter, InferTensorContents, ModelInferRequest, ModelInferResponse,
};

use crate::app::inference::parameters::{self, Parameter, Parameters};
use crate::app::inference::{
    Datatype, InferAnswer, InferCommand, InputTensor, OutputTensor, Payload, Typed,
};

/// Reads a request.
///
/// # Errors
/// `InvalidArgument` for what is malformed by itself, whatever the model is.
pub(super) fn command(request: ModelInferRequest) -> Result<InferCommand, ApiError> {
    let timeout = timeout(&request.parameters)?;
    let raw = request.raw_input_contents;
    if !raw.is_empty() && raw.len() != request.inputs.len() {
        let message = format!(
            "raw_input_contents has {} entries for {} inputs",
            raw.len(),
            request.inputs.len()
        );
        return Err(invalid("RAW_COUNT", message));
    }
    let mut raw = raw.into_iter();
    let inputs = request
        .inputs
        .into_iter()
        .map(|input| tensor(input, raw.next()))
        .collect::<Result<_, _>>()?;
    let mut outputs = Vec::with_capacity(request.outputs.len());
    for output in request.outputs {
        parameters::check_tensor(&converted(&output.parameters))?;
        outputs.push(output.name);
    }
    Ok(InferCommand {
        model: request.model_name,
        version: request.model_version,
        id: request.id,
        timeout,
        inputs,
        outputs,
    })
}

/// Writes an answer; the tensors are raw, because that is the form that every client reads.
pub(super) fn response(answer: InferAnswer) -> ModelInferResponse {
    let raw_output_contents = answer.outputs.iter().map(OutputTensor::raw).collect();
    let outputs = answer.outputs.iter().map(|output| InferOutputTensor {
        name: output.name.to_owned(),
        datatype: "FP64".to_owned(),
        shape: output
            .shape
            .map(|size| i64::try_from(size).unwrap_or(i64::MAX))
            .to_vec(),
        ..InferOutputTensor::default()
    });
    ModelInferResponse {
        model_name: answer.model.name().to_owned(),
        model_version: answer.model.version().to_owned(),
        id: answer.id,
        outputs: outputs.collect(),
        raw_output_contents,
        ..ModelInferResponse::default()
    }
}

fn timeout(parameters: &HashMap<String, InferParameter>) -> Result<Option<Duration>, ApiError> {
    parameters::timeout(&converted(parameters))
}

fn converted(parameters: &HashMap<String, InferParameter>) -> Parameters {
    let value = |parameter: &InferParameter| match parameter.parameter_choice.clone()? {
        ParameterChoice::BoolParam(value) => Some(Parameter::Bool(value)),
        ParameterChoice::Int64Param(value) => Some(Parameter::Integer(value)),
        ParameterChoice::Uint64Param(value) => Some(Parameter::Unsigned(value)),
        ParameterChoice::DoubleParam(value) => Some(Parameter::Double(value)),
        ParameterChoice::StringParam(value) => Some(Parameter::Text(value)),
    };
    parameters
        .iter()
        .filter_map(|(key, parameter)| Some((key.clone(), value(parameter)?)))
        .collect()
}

fn tensor(input: InferInputTensor, raw: Option<Vec<u8>>) -> Result<InputTensor, ApiError> {
    parameters::check_tensor(&converted(&input.parameters))?;
    let datatype = Datatype::parse(&input.datatype)?;
    let fields = input.contents.map(typed).unwrap_or_default();
    let payload = match raw {
        Some(_) if !fields.is_empty() => {
            let message = "send raw_input_contents or contents, not both";
            return Err(invalid("RAW_AND_TYPED", message));
        }
        Some(raw) => Payload::Raw(raw.into()),
        None => Payload::Typed(fields),
    };
    Ok(InputTensor {
        name: input.name,
        datatype,
        shape: input.shape,
        payload,
    })
}

/// The fields that hold something.
fn typed(contents: InferTensorContents) -> Vec<Typed> {
    let unsigned = contents.uint_contents.len() + contents.uint64_contents.len();
    let mut fields = vec![
        (
            contents.bool_contents.len(),
            Typed::Bool(contents.bool_contents.len()),
        ),
        (unsigned, Typed::Unsigned(unsigned)),
    ];
    let sizes = [
        contents.int_contents.len(),
        contents.int64_contents.len(),
        contents.fp32_contents.len(),
        contents.fp64_contents.len(),
        contents.bytes_contents.len(),
    ];
    let numbers = [
        Typed::Int32(contents.int_contents),
        Typed::Int64(contents.int64_contents),
        Typed::Fp32(contents.fp32_contents),
        Typed::Fp64(contents.fp64_contents),
        Typed::Bytes(contents.bytes_contents),
    ];
    fields.extend(sizes.into_iter().zip(numbers));
    fields
        .into_iter()
        .filter(|(size, _)| *size > 0)
        .map(|(_, field)| field)
        .collect()
}

fn invalid(reason: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidArgument, reason, message)
}
