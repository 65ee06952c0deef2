//! Checks of the protocol over HTTP.

use std::pin::Pin;

use anyhow::Context as _;
use bytes::Bytes;
use fcs_service::tls::{ClientTls, Protocol};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::request::{element_bytes, good, json_body, other_datatype};
use super::target::Target;
use super::{ANSWER_LIMIT, Finding, Findings};

const NOBODY: &str = "fcs-conformance-nobody";
const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");
/// Bytes of an answer that are read.
const BODY_BYTES_MAX: usize = 64 << 20;

/// The server under test.
#[derive(Clone, Copy)]
pub(super) struct Server<'a> {
    /// Host and port.
    pub(super) address: &'a str,
    /// Without it the server speaks plain text.
    pub(super) tls: Option<&'a ClientTls>,
}

impl Server<'_> {
    async fn connect(self) -> anyhow::Result<Pin<Box<dyn Stream>>> {
        let Some(tls) = self.tls else {
            return Ok(Box::pin(TcpStream::connect(self.address).await?));
        };
        let (host, port) = self.address.rsplit_once(':').context("no port")?;
        let port = port.parse().context("the port is no number")?;
        Ok(Box::pin(tls.connect(host, port, Protocol::Http1).await?))
    }
}

/// TCP, or TLS over it.
trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// An answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn told(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        format!("{}: {text}", self.status.as_u16())
    }
}

/// Runs the checks.
pub(super) async fn check(server: Server<'_>, target: &Target) -> Vec<Finding> {
    let mut findings = Findings::new("http");
    surface(server, target, &mut findings).await;
    answers(server, target, &mut findings).await;
    refusals(server, target, &mut findings).await;
    findings.all
}

async fn surface(server: Server<'_>, target: &Target, findings: &mut Findings) {
    let model = format!("/v2/models/{}", target.metadata.name);
    for (check, path) in [
        ("server live", "/v2/health/live".to_owned()),
        ("server ready", "/v2/health/ready".to_owned()),
        ("server metadata", "/v2".to_owned()),
        ("model ready", format!("{model}/ready")),
        ("model metadata", model),
    ] {
        let answer = send(server, Method::GET, &path, Bytes::new(), None).await;
        expect(findings, check, StatusCode::OK, answer);
    }
}

async fn answers(server: Server<'_>, target: &Target, findings: &mut Findings) {
    let path = format!("/v2/models/{}/infer", target.metadata.name);
    let mut body = json_body(&target.metadata, 1);
    body["id"] = json!("conformance-1");
    let answer = post(server, &path, &body).await;
    if let Ok(answer) = &answer {
        let id = answer.json()["id"].clone();
        let good = id == "conformance-1";
        findings.that("id comes back", good, "conformance-1", id.to_string());
    }
    expect(
        findings,
        "JSON without a content type",
        StatusCode::OK,
        answer,
    );
    let nested = nest(body);
    let answer = post(server, &path, &nested).await;
    expect(findings, "nested data", StatusCode::OK, answer);

    let (bytes, json_length) = binary(target);
    let answer = send(server, Method::POST, &path, bytes, Some(json_length)).await;
    let told = answer
        .as_ref()
        .map_or_else(ToString::to_string, Answer::told);
    let good = matches!(&answer, Ok(answer) if answer.status == StatusCode::OK);
    findings.that("binary tensors in", good, "200", told.clone());
    let Ok(answer) = answer else { return };
    let length = answer.headers.get(JSON_LENGTH);
    let length: Option<usize> = length.and_then(|it| it.to_str().ok()?.parse().ok());
    match length {
        None if good => findings.not_applicable(
            "binary tensors out",
            "bytes behind the JSON",
            "the server answers in JSON, which it may",
        ),
        None => findings.that("binary tensors out", false, "bytes behind the JSON", told),
        Some(length) => {
            let head = answer.body.get(..length).unwrap_or_default();
            let head: Value = serde_json::from_slice(head).unwrap_or_default();
            let outputs = head["outputs"].as_array().cloned().unwrap_or_default();
            let sizes = outputs
                .iter()
                .map(|it| it["parameters"]["binary_data_size"].as_u64());
            let told: u64 = sizes.flatten().sum();
            let found = answer.body.len().saturating_sub(length) as u64;
            let text = format!("{told} bytes told, {found} there");
            let good = told == found && found > 0;
            findings.that("binary tensors out", good, "as many bytes as told", text);
        }
    }
}

/// A request that is broken in one way.
type Breakage = (&'static str, fn(&mut Value));

const BREAKAGES: [Breakage; 9] = [
    ("wrong input name", |it| {
        it["inputs"][0]["name"] = json!(NOBODY);
    }),
    ("wrong shape", |it| {
        let mut shape = it["inputs"][0]["shape"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        if let Some(last) = shape.last_mut() {
            *last = json!(last.as_i64().unwrap_or(0).saturating_add(1));
        }
        it["inputs"][0]["shape"] = json!(shape);
    }),
    ("wrong datatype", |it| {
        let datatype = it["inputs"][0]["datatype"].as_str().unwrap_or_default();
        it["inputs"][0]["datatype"] = json!(other_datatype(datatype));
    }),
    ("no inputs", |it| it["inputs"] = json!([])),
    ("missing inputs", |it| *it = json!({})),
    ("unknown output", |it| {
        it["outputs"] = json!([{ "name": NOBODY }]);
    }),
    ("negative dimension", |it| {
        set_shape_rows(it, -1);
    }),
    ("dimension of 2^62", |it| {
        set_shape_rows(it, 1 << 62);
    }),
    ("duplicate input", |it| {
        let first = it["inputs"][0].clone();
        if let Some(inputs) = it["inputs"].as_array_mut() {
            inputs.push(first);
        }
    }),
];

/// Sets the first dimension of the first input, which may have none.
fn set_shape_rows(body: &mut Value, rows: i64) {
    if let Some(shape) = body["inputs"][0]["shape"].as_array_mut() {
        shape.splice(..shape.len().min(1), [json!(rows)]);
    }
}

async fn refusals(server: Server<'_>, target: &Target, findings: &mut Findings) {
    if target.metadata.inputs.is_empty() {
        findings.not_applicable("broken requests", "refusals", "the model has no inputs");
        return;
    }
    let model = format!("/v2/models/{}", target.metadata.name);
    let path = format!("{model}/infer");
    for (check, breakage) in BREAKAGES {
        let mut body = json_body(&target.metadata, 1);
        breakage(&mut body);
        let answer = post(server, &path, &body).await;
        expect(findings, check, StatusCode::BAD_REQUEST, answer);
    }
    let body = json_body(&target.metadata, 1);
    let datatype = body["inputs"][0]["datatype"].as_str().unwrap_or_default();
    if element_bytes(datatype).is_some() {
        let mut text = body.clone();
        if let Some(first) = text.pointer_mut("/inputs/0/data/0") {
            *first = json!("text");
        }
        let answer = post(server, &path, &text).await;
        expect(
            findings,
            "text for a number",
            StatusCode::BAD_REQUEST,
            answer,
        );
    }
    let cut = Bytes::from_static(b"{\"inputs\": [");
    let answer = send(server, Method::POST, &path, cut, None).await;
    expect(findings, "malformed JSON", StatusCode::BAD_REQUEST, answer);
    for (check, path) in [
        ("unknown model", format!("/v2/models/{NOBODY}/infer")),
        ("unknown version", format!("{model}/versions/999999/infer")),
    ] {
        let answer = post(server, &path, &body).await;
        expect(findings, check, StatusCode::NOT_FOUND, answer);
    }
    let nobody = format!("/v2/models/{NOBODY}/ready");
    let answer = send(server, Method::GET, &nobody, Bytes::new(), None).await;
    expect(
        findings,
        "ready of an unknown model",
        StatusCode::NOT_FOUND,
        answer,
    );
    let nowhere = format!("/v2/{NOBODY}");
    let answer = send(server, Method::GET, &nowhere, Bytes::new(), None).await;
    expect(findings, "no route", StatusCode::NOT_FOUND, answer);
    let answer = send(server, Method::DELETE, &path, Bytes::new(), None).await;
    expect(
        findings,
        "wrong method",
        StatusCode::METHOD_NOT_ALLOWED,
        answer,
    );
}

/// A check of the status, and for an error also of the text that clients show.
fn expect(
    findings: &mut Findings,
    check: &'static str,
    status: StatusCode,
    answer: anyhow::Result<Answer>,
) {
    let expected = status.as_u16().to_string();
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return findings.that(check, false, &expected, format!("{error:#}")),
    };
    let has_text = answer.json()["error"]
        .as_str()
        .is_some_and(|text| !text.is_empty());
    if status.is_success() {
        findings.that(check, answer.status == status, &expected, answer.told());
    } else {
        let expected = format!("{expected} and an error text");
        let good = answer.status == status && has_text;
        findings.that(check, good, &expected, answer.told());
    }
}

/// The good request with `data` in as many arrays as the shape has dimensions.
fn nest(mut body: Value) -> Value {
    if let Some(inputs) = body["inputs"].as_array_mut() {
        for input in inputs {
            let shape = input["shape"].as_array().cloned().unwrap_or_default();
            let mut data = input["data"].as_array().cloned().unwrap_or_default();
            for size in shape.iter().skip(1).rev() {
                let size = size.as_u64().and_then(|it| usize::try_from(it).ok());
                let chunks = data.chunks(size.unwrap_or(1).max(1));
                data = chunks.map(|chunk| json!(chunk)).collect();
            }
            input["data"] = json!(data);
        }
    }
    body
}

/// The good request with its tensors as bytes; its JSON asks for bytes as well.
fn binary(target: &Target) -> (Bytes, usize) {
    let raw = good(&target.metadata, 1).raw_input_contents;
    let mut body = json_body(&target.metadata, 1);
    body["parameters"] = json!({ "binary_data_output": true });
    if let Some(inputs) = body["inputs"].as_array_mut() {
        for (input, raw) in inputs.iter_mut().zip(&raw) {
            if let Some(input) = input.as_object_mut() {
                input.remove("data");
                let size = json!({ "binary_data_size": raw.len() });
                input.insert("parameters".into(), size);
            }
        }
    }
    let mut bytes = body.to_string().into_bytes();
    let length = bytes.len();
    bytes.extend(raw.into_iter().flatten());
    (bytes.into(), length)
}

async fn post(server: Server<'_>, path: &str, body: &Value) -> anyhow::Result<Answer> {
    send(server, Method::POST, path, body.to_string().into(), None).await
}

/// Sends a request on a connection of its own, without a content type, as clients of the protocol do.
async fn send(
    server: Server<'_>,
    method: Method,
    path: &str,
    body: Bytes,
    json_length: Option<usize>,
) -> anyhow::Result<Answer> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::HOST, server.address)
        .body(Full::new(body))
        .context("build a request")?;
    if let Some(length) = json_length {
        request
            .headers_mut()
            .insert(JSON_LENGTH, HeaderValue::from(length));
    }
    let exchange = async {
        let stream = server.connect().await.context("connect")?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let asked = async {
            let response = sender.send_request(request).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("read the body: {error}"))?;
            anyhow::Ok((parts, body.to_bytes()))
        };
        let mut asked = std::pin::pin!(asked);
        // The connection carries the request only while it is polled.
        let (parts, body) = tokio::select! {
            answer = &mut asked => answer?,
            _ = connection => asked.await?,
        };
        anyhow::Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    };
    timeout(ANSWER_LIMIT, exchange)
        .await
        .context("no answer in time")?
}
