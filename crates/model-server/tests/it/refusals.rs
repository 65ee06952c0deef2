//! Requests that are refused, and what a refusal leaves behind.

use std::net::SocketAddr;

use fcs_proto::inference::ModelInferRequest;
use fcs_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use fcs_proto::inference::model_infer_request::InferInputTensor;
use fcs_proto::model::v1::{GetModelRequest, LoadModelRequest, ModelRef};
use http_body_util::BodyExt as _;
use model_server::ModelServerSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};

use crate::service::{boston, golden, real_settings, serve};

/// Sends the head of a request and reads the answer to the end.
async fn exchange(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{head}Host: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_refused_for_what_is_wrong_with_them() {
    let server = serve(real_settings()).await;
    for (header, status, text) in [
        ("Content-Encoding: br", 415, "content encoding"),
        ("Inference-Header-Content-Length: +0", 400, "no length"),
        ("Inference-Header-Content-Length:", 400, "no length"),
    ] {
        let head = format!("POST /v2/models/none/infer HTTP/1.1\r\n{header}\r\n");
        let answer = exchange(server.running.http, &head).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains(text), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_package_is_named_without_the_registrys_path() {
    let mut server = serve(real_settings()).await;
    let missing = ModelRef {
        version: "999".into(),
        ..boston()
    };
    let load = LoadModelRequest {
        model: Some(missing),
    };
    let refused = server.client.load_model(load).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(
        refused.message(),
        "the registry has no package boston-hmda/999"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_readable_for_a_client_that_takes_gzip() {
    let server = serve(real_settings()).await;
    let answer = exchange(
        server.running.http,
        "GET /v2/models/none/ready HTTP/1.1\r\nAccept-Encoding: gzip\r\n",
    )
    .await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    assert!(
        !head.to_ascii_lowercase().contains("content-encoding"),
        "{head}"
    );
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["error"], problem["detail"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_with_another_digest_than_asked_for_does_not_serve() {
    let mut server = serve(real_settings()).await;
    let other = ModelRef {
        manifest_digest: "0".repeat(64),
        ..boston()
    };
    let load = |model| LoadModelRequest { model: Some(model) };
    let refused = server
        .client
        .load_model(load(other.clone()))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let get = GetModelRequest {
        model: Some(boston()),
    };
    assert!(server.client.get_model(get.clone()).await.is_err());

    // The right digest loads; the wrong one is refused again and leaves the model where it is.
    let loaded = server.client.load_model(load(boston())).await.unwrap();
    let right = loaded.into_inner().model.unwrap();
    server.client.load_model(load(right)).await.unwrap();
    let refused = server.client.load_model(load(other)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(server.client.get_model(get).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_inputs_are_counted_not_built() {
    let server = serve(real_settings()).await;
    let channel = fcs_service::grpc::channel(&format!("http://{}", server.running.http)).unwrap();
    let mut client = GrpcInferenceServiceClient::new(channel)
        .max_encoding_message_size(usize::MAX)
        .send_compressed(CompressionEncoding::Gzip);
    let request = |count| ModelInferRequest {
        model_name: "boston-hmda".into(),
        inputs: vec![InferInputTensor::default(); count],
        ..ModelInferRequest::default()
    };
    let refused = client.model_infer(request(1 << 12)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "send at most 1024 inputs");
    let stream = tokio_stream::iter([request(1 << 12)]);
    let answers = client.model_stream_infer(stream).await.unwrap();
    let refused = answers.into_inner().message().await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let too_long = ModelInferRequest {
        raw_input_contents: vec![vec![0; 9 << 20]],
        ..ModelInferRequest::default()
    };
    let too_long = client.model_infer(too_long).await.unwrap_err();
    assert_eq!(too_long.code(), Code::ResourceExhausted);
    assert!(too_long.message().contains("limit"), "{too_long}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_is_the_clients_fault() {
    let server = serve(real_settings()).await;
    let channel = fcs_service::grpc::channel(&format!("http://{}", server.running.http)).unwrap();
    let methods = [
        "/faircredit.model.v1.ModelService/Score",
        "/faircredit.model.v1.ModelService/ScoreStream",
        "/inference.GRPCInferenceService/ModelInfer",
        "/inference.GRPCInferenceService/ModelReady",
    ];
    for method in methods {
        // A flag, the length 2, and a field of 5 bytes that are not there.
        let body = axum::body::Body::from(vec![0, 0, 0, 0, 2, 0x0a, 5]);
        let request = http::Request::post(format!("http://{}{method}", server.running.http))
            .header("content-type", "application/grpc")
            .body(tonic::body::Body::new(body))
            .unwrap();
        let answer = tower::ServiceExt::oneshot(channel.clone(), request);
        let answer = answer.await.unwrap();
        let status = match Status::from_header_map(answer.headers()) {
            Some(status) => status,
            None => trailing(answer.into_body()).await,
        };
        assert_eq!(status.code(), Code::InvalidArgument, "{method}");
        let error = fcs_service::grpc::api_error(&status);
        assert_eq!(error.reason, "MALFORMED_MESSAGE", "{method}");
    }
}

/// The status in the trailers of an answer without messages.
async fn trailing(body: tonic::body::Body) -> Status {
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().expect("trailers come");
    Status::from_header_map(trailers).expect("the trailers have the status")
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_rows_are_told_in_rows() {
    let server = serve(ModelServerSettings {
        preload: vec!["boston-hmda/1".to_owned()],
        ..real_settings()
    })
    .await;
    let channel = fcs_service::grpc::channel(&format!("http://{}", server.running.http)).unwrap();
    let width = golden()[0].0.len();
    let request = ModelInferRequest {
        model_name: "boston-hmda".into(),
        inputs: vec![InferInputTensor {
            name: "features".into(),
            datatype: "FP64".into(),
            shape: vec![1_025, i64::try_from(width).unwrap()],
            ..InferInputTensor::default()
        }],
        raw_input_contents: vec![vec![0; 1_025 * width * 8]],
        ..ModelInferRequest::default()
    };
    let mut client = GrpcInferenceServiceClient::new(channel);
    let refused = client.model_infer(request).await.unwrap_err();
    assert_eq!(
        refused.message(),
        "input \"features\": at most 1024 rows are possible, not 1025"
    );
}
