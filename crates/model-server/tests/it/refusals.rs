//! Requests that are refused, and what a refusal leaves behind.

use fcs_proto::inference::ModelInferRequest;
use fcs_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use fcs_proto::inference::model_infer_request::InferInputTensor;
use fcs_proto::model::v1::{GetModelRequest, LoadModelRequest, ModelRef};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};

use crate::service::{boston, real_settings, serve};

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_readable_for_a_client_that_takes_gzip() {
    let server = serve(real_settings()).await;
    let mut stream = TcpStream::connect(server.running.http).await.unwrap();
    let request = "GET /v2/models/none/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                   Accept-Encoding: gzip\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
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
async fn a_million_empty_inputs_are_counted_not_built() {
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
    let refused = client.model_infer(request(1 << 20)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "send at most 1024 inputs");
    let stream = tokio_stream::iter([request(1 << 20)]);
    let answers = client.model_stream_infer(stream).await.unwrap();
    let refused = answers.into_inner().message().await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let too_long = client.model_infer(request(5 << 20)).await.unwrap_err();
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
