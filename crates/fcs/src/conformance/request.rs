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

/// Elements of a request that is made; a server's metadata may ask for any number of them.
const ELEMENTS_MAX: usize = 1 << 22;

/// Whether a good request with so many rows is small enough to be made.
pub(super) fn fits(metadata: &ModelMetadataResponse, rows: i64) -> bool {
    let mut counts = metadata.inputs.iter().map(|it| elements(&shape(it, rows)));
    let total = counts.try_fold(0_usize, |total, count| total.checked_add(count?));
    total.is_some_and(|total| total <= ELEMENTS_MAX)
}

/// Sets the first dimension of a shape, which may have none.
pub(super) fn set_rows(shape: &mut Vec<i64>, rows: i64) {
    match shape.first_mut() {
        Some(first) => *first = rows,
        None => shape.push(rows),
    }
}

/// A good request with so many rows of zeros (or of the text "0"), in raw form. Other variable dimensions get
/// the size 1. Only for what [`fits`].
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

/// `None` when there is no such number of elements.
fn elements(shape: &[i64]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, size| {
        product.checked_mul(usize::try_from(*size).ok()?)
    })
}

fn count(shape: &[i64]) -> usize {
    elements(shape).unwrap_or(0)
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
        assert!(fits(&metadata, 2) && !fits(&metadata, i64::MAX));
    }

    #[test]
    fn strange_shapes_are_counted_or_refused() {
        let metadata = |shape: &[i64]| ModelMetadataResponse {
            inputs: vec![TensorMetadata {
                name: "x".into(),
                datatype: "FP64".into(),
                shape: shape.to_vec(),
            }],
            ..ModelMetadataResponse::default()
        };
        assert!(fits(&metadata(&[]), 1));
        assert_eq!(good(&metadata(&[]), 1).raw_input_contents[0].len(), 8);
        for giant in [&[i64::MAX, 2][..], &[1 << 40], &[-1, 1 << 62, 4], &[-7]] {
            assert!(!fits(&metadata(giant), 1), "{giant:?}");
        }
        let mut shape = Vec::new();
        set_rows(&mut shape, -1);
        assert_eq!(shape, [-1]);
    }
}
