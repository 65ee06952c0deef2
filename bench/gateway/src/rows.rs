//! The requests: rows of the sample package `taiwan-default`, in turn, in every form that a contender takes.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;
use fcs_proto::inference::ModelInferRequest;
use fcs_proto::inference::model_infer_request::InferInputTensor;
use fcs_testkit::load::post;
use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};

use crate::measure::Requests;

/// Name of the sample package.
pub(crate) const MODEL: &str = "taiwan-default";
/// Where the Open Inference Protocol takes requests.
const INFER: &str = "/v2/models/taiwan-default/infer";
/// Rows that are read.
const COUNT: usize = 2_000;

/// The rows.
#[derive(Debug)]
pub(crate) struct Rows {
    names: Vec<String>,
    values: Vec<Vec<f64>>,
    /// Bodies without their end, which names the application.
    applications: Vec<String>,
}

impl Rows {
    /// Reads the first rows of a package in the folder `models` of the current folder.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let path = Path::new("models")
            .join(MODEL)
            .join("data/applications.csv.gz");
        let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        let mut lines = BufReader::new(GzDecoder::new(file)).lines();
        let head = lines.next().context("a head")??;
        let names: Vec<String> = head.split(',').skip(1).map(str::to_owned).collect();
        let mut rows = Self {
            names,
            values: Vec::new(),
            applications: Vec::new(),
        };
        for line in lines.take(COUNT) {
            let line = line?;
            let values = line.split(',').skip(1).map(str::parse);
            rows.add(values.collect::<Result<_, _>>().context("read a row")?);
        }
        Ok(rows)
    }

    fn add(&mut self, values: Vec<f64>) {
        let features: Map<String, Value> = self
            .names
            .iter()
            .cloned()
            .zip(values.iter().map(|value| Value::from(*value)))
            .collect();
        self.applications.push(format!(
            "{{\"features\":{},\"application_id\":\"",
            Value::Object(features)
        ));
        self.values.push(values);
    }

    /// An application, under a key of its own: no two numbers and measurements have the same.
    pub(crate) fn application(&self, path: &str, measurement: u64, number: u64) -> Vec<u8> {
        let key = format!("idempotency-key: k-{measurement}-{number}\r\n");
        let row = &self.applications[self.place(number)];
        post(path, &key, &format!("{row}a-{measurement}-{number}\"}}"))
    }

    /// The row as one tensor.
    pub(crate) fn tensor_request(&self, number: u64) -> Vec<u8> {
        let row = &self.values[self.place(number)];
        let body = json!({"inputs": [
            {"name": "features", "datatype": "FP64", "shape": [1, row.len()], "data": row}
        ]});
        post(INFER, "", &body.to_string())
    }

    /// Each feature as a tensor by its name; asks for the outputs, or for those that come by themselves.
    pub(crate) fn named_request(&self, number: u64, outputs: &[&str]) -> Vec<u8> {
        let row = &self.values[self.place(number)];
        let input = |(name, value): (&String, &f64)| json!({"name": name, "datatype": "FP64", "shape": [1], "data": [value]});
        let mut body = json!({"inputs": self.names.iter().zip(row).map(input).collect::<Vec<_>>()});
        if !outputs.is_empty() {
            let outputs = outputs.iter().map(|name| json!({"name": name}));
            body["outputs"] = outputs.collect();
        }
        post(INFER, "", &body.to_string())
    }

    /// Every row as one tensor in bytes, over gRPC.
    pub(crate) fn messages(&self) -> Requests {
        Requests::Grpc(self.values.iter().map(|row| message(row)).collect())
    }

    fn place(&self, number: u64) -> usize {
        number as usize % self.values.len()
    }
}

fn message(row: &[f64]) -> ModelInferRequest {
    let features = InferInputTensor {
        name: "features".to_owned(),
        datatype: "FP64".to_owned(),
        shape: vec![1, i64::try_from(row.len()).unwrap_or(i64::MAX)],
        ..InferInputTensor::default()
    };
    ModelInferRequest {
        model_name: MODEL.to_owned(),
        inputs: vec![features],
        raw_input_contents: vec![row.iter().flat_map(|value| value.to_le_bytes()).collect()],
        ..ModelInferRequest::default()
    }
}
