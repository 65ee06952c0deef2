//! Requests made from a model's metadata, good ones and broken ones.

use fcs_proto::inference::infer_parameter::ParameterChoice;
use fcs_proto::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use fcs_proto::inference::model_metadata_response::TensorMetadata;
use fcs_proto::inference::{
    InferParameter, InferTensorContents, ModelInferRequest, ModelMetadataResponse,
};
use serde_json::{Value, json};

/// Bytes of an element; `None` for byte strings and unknown datatypes.
pub(super) fn element_bytes(datatype: &str) -> Option<usize> {
    match datatype {
        "BOOL" | "UINT8" | "INT8" => Some(1),
        "UINT16" | "INT16" | "FP16" | "BF16" => Some(2),
        "UINT32" | "INT32" | "FP32" => Some(4),
        "UINT64" | "INT64" | "FP64" => Some(8),
        _ => None,
    }
}

/// A good request with so many rows of zeros (or of the text "0"), in raw form. Other variable dimensions get
/// the size 1.
pub(super) fn good(metadata: &ModelMetadataResponse, rows: i64) -> ModelInferRequest {
    let inputs = metadata.inputs.iter().map(|input| InferInputTensor {
        name: input.name.clone(),
        datatype: input.datatype.clone(),
        shape: shape(input, rows),
        ..InferInputTensor::default()
    });
    ModelInferRequest {
        model_name: metadata.name.clone(),
        inputs: inputs.collect(),
        raw_input_contents: metadata
            .inputs
            .iter()
            .map(|input| zeros(&input.datatype, count(&shape(input, rows))))
            .collect(),
        ..ModelInferRequest::default()
    }
}

/// The same request with its elements in the typed fields; `None` when a datatype has no field.
pub(super) fn typed(metadata: &ModelMetadataResponse, rows: i64) -> Option<ModelInferRequest> {
    let mut request = good(metadata, rows);
    request.raw_input_contents.clear();
    for input in &mut request.inputs {
        input.contents = Some(contents(&input.datatype, count(&input.shape))?);
    }
    Some(request)
}

/// The same request as JSON of the REST protocol.
pub(super) fn json_body(metadata: &ModelMetadataResponse, rows: i64) -> Value {
    let input = |input: &TensorMetadata| {
        let shape = shape(input, rows);
        let element = match input.datatype.as_str() {
            "BYTES" => json!("0"),
            "BOOL" => json!(false),
            datatype if datatype.starts_with("FP") || datatype == "BF16" => json!(0.0),
            _ => json!(0),
        };
        json!({
            "name": input.name,
            "datatype": input.datatype,
            "shape": shape,
            "data": vec![element; count(&shape)],
        })
    };
    json!({ "inputs": metadata.inputs.iter().map(input).collect::<Vec<_>>() })
}

/// A datatype that the input does not have and whose elements are as long, so that nothing but it is wrong.
pub(super) fn other_datatype(datatype: &str) -> &'static str {
    match datatype {
        "FP64" => "UINT64",
        "FP32" => "UINT32",
        "INT64" => "FP64",
        "INT32" => "FP32",
        "BYTES" => "BOOL",
        _ => "BYTES",
    }
}

/// Asks for outputs by name.
pub(super) fn ask_for(request: &mut ModelInferRequest, names: &[&str]) {
    request.outputs = names
        .iter()
        .map(|name| InferRequestedOutputTensor {
            name: (*name).to_owned(),
            ..InferRequestedOutputTensor::default()
        })
        .collect();
}

/// Sets the parameter `timeout`, in microseconds.
pub(super) fn limit(request: &mut ModelInferRequest, micros: i64) {
    let parameter = InferParameter {
        parameter_choice: Some(ParameterChoice::Int64Param(micros)),
    };
    request.parameters.insert("timeout".into(), parameter);
}

fn shape(tensor: &TensorMetadata, rows: i64) -> Vec<i64> {
    let size = |(position, size): (usize, &i64)| match (position, size) {
        (0, -1) => rows,
        (_, -1) => 1,
        (_, size) => *size,
    };
    tensor.shape.iter().enumerate().map(size).collect()
}

fn count(shape: &[i64]) -> usize {
    usize::try_from(shape.iter().product::<i64>()).unwrap_or(0)
}

fn zeros(datatype: &str, count: usize) -> Vec<u8> {
    match element_bytes(datatype) {
        Some(size) => vec![0; size * count],
        None => [1, 0, 0, 0, b'0'].repeat(count),
    }
}

fn contents(datatype: &str, count: usize) -> Option<InferTensorContents> {
    let mut contents = InferTensorContents::default();
    match datatype {
        "BOOL" => contents.bool_contents = vec![false; count],
        "INT8" | "INT16" | "INT32" => contents.int_contents = vec![0; count],
        "INT64" => contents.int64_contents = vec![0; count],
        "UINT8" | "UINT16" | "UINT32" => contents.uint_contents = vec![0; count],
        "UINT64" => contents.uint64_contents = vec![0; count],
        "FP32" => contents.fp32_contents = vec![0.0; count],
        "FP64" => contents.fp64_contents = vec![0.0; count],
        "BYTES" => contents.bytes_contents = vec![b"0".to_vec(); count],
        _ => return None,
    }
    Some(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_request_fits_its_metadata() {
        let tensor = |name: &str, datatype: &str, shape: &[i64]| TensorMetadata {
            name: name.into(),
            datatype: datatype.into(),
            shape: shape.to_vec(),
        };
        let metadata = ModelMetadataResponse {
            name: "m".into(),
            inputs: vec![
                tensor("x", "FP32", &[-1, 3]),
                tensor("y", "BYTES", &[-1, 1]),
            ],
            ..ModelMetadataResponse::default()
        };
        let request = good(&metadata, 2);
        assert_eq!(request.inputs[0].shape, [2, 3]);
        assert_eq!(request.raw_input_contents[0].len(), 24);
        assert_eq!(
            request.raw_input_contents[1],
            [1, 0, 0, 0, b'0', 1, 0, 0, 0, b'0']
        );
        let typed = typed(&metadata, 2).unwrap();
        assert!(typed.raw_input_contents.is_empty());
        let body = json_body(&metadata, 2);
        assert_eq!(body["inputs"][0]["data"].as_array().unwrap().len(), 6);
        assert_eq!(body["inputs"][1]["data"][0], "0");
    }
}
