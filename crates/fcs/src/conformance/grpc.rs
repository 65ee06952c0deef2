//! Checks of the protocol over gRPC.

use fcs_proto::inference::{
    ModelInferRequest, ModelInferResponse, ModelMetadataRequest, ModelReadyRequest,
    ServerLiveRequest, ServerMetadataRequest, ServerReadyRequest,
};
use tonic::{Code, Request, Status};

use super::request::{ask_for, fits, good, limit, other_datatype, set_rows, typed};
use super::target::Target;
use super::{ANSWER_LIMIT, Finding, Findings};

/// A name that no model, version, input or output has.
const NOBODY: &str = "fcs-conformance-nobody";
/// More than the limit that gRPC libraries have by default.
const LARGE_BYTES: usize = 5 << 20;

/// Runs the checks.
pub(super) async fn check(target: &mut Target) -> Vec<Finding> {
    let mut findings = Findings::new("grpc");
    surface(target, &mut findings).await;
    answers(target, &mut findings).await;
    refusals(target, &mut findings).await;
    batches(target, &mut findings).await;
    findings.all
}

pub(super) fn bounded<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(ANSWER_LIMIT);
    request
}

/// A status in words.
pub(super) fn told(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

pub(super) async fn infer(
    target: &mut Target,
    request: ModelInferRequest,
) -> Result<ModelInferResponse, Status> {
    let answer = target.client.model_infer(bounded(request)).await?;
    Ok(answer.into_inner())
}

async fn surface(target: &mut Target, findings: &mut Findings) {
    let name = target.metadata.name.clone();
    let client = &mut target.client;
    let live = client.server_live(bounded(ServerLiveRequest {})).await;
    let good = matches!(&live, Ok(answer) if answer.get_ref().live);
    findings.that("server live", good, "live", shown(&live));
    let ready = client.server_ready(bounded(ServerReadyRequest {})).await;
    let good = matches!(&ready, Ok(answer) if answer.get_ref().ready);
    findings.that("server ready", good, "ready", shown(&ready));
    let metadata = client
        .server_metadata(bounded(ServerMetadataRequest {}))
        .await;
    let good = matches!(&metadata, Ok(answer) if !answer.get_ref().name.is_empty());
    findings.that("server metadata", good, "a name", shown(&metadata));
    for (check, name, expected) in [
        ("model ready", name.as_str(), true),
        ("ready of an unknown model", NOBODY, false),
    ] {
        let request = ModelReadyRequest {
            name: name.to_owned(),
            version: String::new(),
        };
        let ready = client.model_ready(bounded(request)).await;
        let good = matches!(&ready, Ok(answer) if answer.get_ref().ready == expected);
        findings.that(check, good, &format!("OK, ready={expected}"), shown(&ready));
    }
    let request = ModelMetadataRequest {
        name: NOBODY.to_owned(),
        version: String::new(),
    };
    let unknown = client.model_metadata(bounded(request)).await;
    expect(
        findings,
        "metadata of an unknown model",
        Code::NotFound,
        unknown.map(drop),
    );
    let metadata = &target.metadata;
    let complete = !metadata.inputs.is_empty() && !metadata.outputs.is_empty();
    let found = format!(
        "{} inputs, {} outputs",
        metadata.inputs.len(),
        metadata.outputs.len()
    );
    findings.that("model metadata", complete, "inputs and outputs", found);
}

async fn answers(target: &mut Target, findings: &mut Findings) {
    let mut request = good(&target.metadata, 1);
    request.id = "conformance-1".into();
    let answer = infer(target, request.clone()).await;
    findings.that("good request, raw", answer.is_ok(), "OK", outcome(&answer));
    if let Ok(answer) = &answer {
        findings.that(
            "id comes back",
            answer.id == request.id,
            &request.id,
            answer.id.clone(),
        );
        let version = answer.model_version.clone();
        findings.that(
            "version that answered",
            !version.is_empty(),
            "a version",
            version,
        );
        let (raw, outputs) = (answer.raw_output_contents.len(), answer.outputs.len());
        let found = format!("{raw} raw entries for {outputs} outputs");
        findings.that(
            "answer is raw",
            raw == outputs && raw > 0,
            "one raw entry per output",
            found,
        );
        let names: Vec<&str> = answer.outputs.iter().map(|it| it.name.as_str()).collect();
        let all = target.default_outputs();
        let good = all.len() == names.len() && all.iter().all(|name| names.contains(name));
        findings.that("no outputs named", good, &all.join(", "), names.join(", "));
        let finite = numbers(answer).all(f64::is_finite);
        findings.that(
            "numbers are finite",
            finite,
            "no NaN, no infinity",
            outcome(&Ok(answer.clone())),
        );
    }
    let wanted = target
        .metadata
        .outputs
        .last()
        .map(|output| output.name.clone());
    let wanted = wanted.unwrap_or_default();
    ask_for(&mut request, &[&wanted]);
    let answer = infer(target, request).await;
    let good = matches!(&answer, Ok(answer) if answer.outputs.len() == 1 && answer.outputs[0].name == wanted);
    findings.that("outputs filter", good, &wanted, outcome(&answer));
    match typed(&target.metadata, 1) {
        None => findings.not_applicable(
            "good request, typed",
            "OK, raw back",
            "a datatype has no field",
        ),
        Some(request) => {
            let answer = infer(target, request).await;
            let good = matches!(&answer, Ok(answer) if !answer.raw_output_contents.is_empty());
            findings.that(
                "good request, typed",
                good,
                "OK, raw back",
                outcome(&answer),
            );
        }
    }
}

/// A request that is broken in one way.
type Breakage = (&'static str, Code, fn(&mut ModelInferRequest));

const BREAKAGES: [Breakage; 14] = [
    ("unknown model", Code::NotFound, |it| {
        it.model_name = NOBODY.into();
    }),
    ("unknown version", Code::NotFound, |it| {
        it.model_version = "999999".into();
    }),
    ("wrong input name", Code::InvalidArgument, |it| {
        it.inputs[0].name = NOBODY.into();
    }),
    ("wrong shape", Code::InvalidArgument, |it| {
        if let Some(size) = it.inputs[0].shape.last_mut() {
            *size = size.saturating_add(1);
        }
        let more = it.raw_input_contents[0].clone();
        it.raw_input_contents[0].extend(more);
    }),
    ("wrong datatype", Code::InvalidArgument, |it| {
        it.inputs[0].datatype = other_datatype(&it.inputs[0].datatype).into();
    }),
    ("no inputs", Code::InvalidArgument, |it| {
        it.inputs.clear();
        it.raw_input_contents.clear();
    }),
    ("unknown output", Code::InvalidArgument, |it| {
        ask_for(it, &[NOBODY]);
    }),
    ("raw too short", Code::InvalidArgument, |it| {
        it.raw_input_contents[0].pop();
    }),
    (
        "more raw entries than inputs",
        Code::InvalidArgument,
        |it| {
            it.raw_input_contents.push(vec![0; 8]);
        },
    ),
    ("negative dimension", Code::InvalidArgument, |it| {
        set_rows(&mut it.inputs[0].shape, -1);
    }),
    ("dimension of 2^62", Code::InvalidArgument, |it| {
        set_rows(&mut it.inputs[0].shape, 1 << 62);
    }),
    ("duplicate input", Code::InvalidArgument, |it| {
        it.inputs.push(it.inputs[0].clone());
        it.raw_input_contents.push(it.raw_input_contents[0].clone());
    }),
    ("request of 5 MiB", Code::InvalidArgument, |it| {
        it.raw_input_contents[0] = vec![0; LARGE_BYTES];
    }),
    ("unknown datatype", Code::InvalidArgument, |it| {
        it.inputs[0].datatype = "FP65".into();
    }),
];

async fn refusals(target: &mut Target, findings: &mut Findings) {
    if target.metadata.inputs.is_empty() {
        findings.not_applicable("broken requests", "refusals", "the model has no inputs");
        return;
    }
    for (check, code, breakage) in BREAKAGES {
        let mut request = good(&target.metadata, 1);
        breakage(&mut request);
        let answer = infer(target, request).await;
        expect(findings, check, code, answer.map(drop));
    }
    if let Some(mut request) = typed(&target.metadata, 1) {
        request.raw_input_contents = good(&target.metadata, 1).raw_input_contents;
        let answer = infer(target, request).await;
        expect(
            findings,
            "typed and raw",
            Code::InvalidArgument,
            answer.map(drop),
        );
    }
    let mut request = good(&target.metadata, 1);
    limit(&mut request, 1);
    match infer(target, request).await {
        Ok(_) => findings.not_applicable(
            "timeout of 1 µs",
            "DeadlineExceeded",
            "the server answered; the parameter is Triton's",
        ),
        Err(status) => expect(
            findings,
            "timeout of 1 µs",
            Code::DeadlineExceeded,
            Err(status),
        ),
    }
}

async fn batches(target: &mut Target, findings: &mut Findings) {
    let expected = "OK, no rows";
    if !target.has_batches() {
        findings.not_applicable("empty batch", expected, "the model has no batches");
        return;
    }
    let answer = infer(target, good(&target.metadata, 0)).await;
    let good_answer = matches!(&answer, Ok(answer) if answer.outputs.iter().all(|it| it.shape.first() == Some(&0)));
    findings.that("empty batch", good_answer, expected, outcome(&answer));
    let Some(batch_max) = target.batch_max else {
        let why = "the server tells no largest batch";
        findings.not_applicable("over the largest batch", "InvalidArgument", why);
        return;
    };
    if !fits(&target.metadata, batch_max + 1) {
        let why = "the largest batch is too large to be sent";
        findings.not_applicable("over the largest batch", "InvalidArgument", why);
        return;
    }
    let full = infer(target, good(&target.metadata, batch_max)).await;
    findings.that("largest batch", full.is_ok(), "OK", outcome(&full));
    let over = infer(target, good(&target.metadata, batch_max + 1)).await;
    expect(
        findings,
        "over the largest batch",
        Code::InvalidArgument,
        over.map(drop),
    );
}

/// A check that a request is refused with a code.
pub(super) fn expect(
    findings: &mut Findings,
    check: &'static str,
    code: Code,
    answer: Result<(), Status>,
) {
    let expected = format!("{code:?}");
    match answer {
        Ok(()) => findings.that(check, false, &expected, "OK"),
        Err(status) => findings.that(check, status.code() == code, &expected, told(&status)),
    }
}

fn shown<T: std::fmt::Debug>(answer: &Result<tonic::Response<T>, Status>) -> String {
    match answer {
        Ok(answer) => format!("{:?}", answer.get_ref()),
        Err(status) => told(status),
    }
}

fn outcome(answer: &Result<ModelInferResponse, Status>) -> String {
    match answer {
        Err(status) => told(status),
        Ok(answer) => {
            let outputs = answer.outputs.iter();
            let outputs: Vec<String> = outputs
                .map(|it| format!("{} {} {:?}", it.name, it.datatype, it.shape))
                .collect();
            format!("OK: {}", outputs.join(", "))
        }
    }
}

/// The floating point numbers of an answer.
fn numbers(answer: &ModelInferResponse) -> impl Iterator<Item = f64> {
    let tensors = answer.outputs.iter().zip(&answer.raw_output_contents);
    tensors.flat_map(|(output, raw)| -> Vec<f64> {
        match output.datatype.as_str() {
            "FP64" => raw
                .as_chunks()
                .0
                .iter()
                .map(|it| f64::from_le_bytes(*it))
                .collect(),
            "FP32" => {
                let singles = raw.as_chunks().0.iter().map(|it| f32::from_le_bytes(*it));
                singles.map(f64::from).collect()
            }
            _ => Vec::new(),
        }
    })
}
