//! Bytes that are no request of `ScoringService.Score`: the client's fault, by its documented status, and at once.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::{Code, Status};

use crate::support::server::Server;
use crate::transport::activate;

const LIMIT: Duration = Duration::from_secs(1);

/// Fields of protobuf by hand.
fn field(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = payload.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend(payload);
    bytes
}

fn double(number: f64) -> Vec<u8> {
    [&[1 << 3 | 1][..], &number.to_le_bytes()].concat()
}

fn feature(name: &[u8], value: &[u8]) -> Vec<u8> {
    field(3, &[field(1, name), field(2, value)].concat())
}

/// A request with this income.
fn income(value: &[u8]) -> Vec<u8> {
    named(b"A-1", value)
}

fn named(id: &[u8], income: &[u8]) -> Vec<u8> {
    [
        field(1, b"key"),
        field(2, id),
        feature(b"income", income),
        feature(b"housing", &field(2, b"own")),
    ]
    .concat()
}

/// A message as a frame of gRPC.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), message].concat()
}

/// Calls `Score` with these bytes as its body.
async fn call(server: &Server, body: Vec<u8>) -> Status {
    let request = http::Request::post("http://gateway/faircredit.scoring.v1.ScoringService/Score")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(Full::new(Bytes::from(body))))
        .unwrap();
    let mut channel = server.channel.clone();
    std::future::poll_fn(|cx| channel.poll_ready(cx))
        .await
        .unwrap();
    let response = channel.call(request).await.unwrap();
    assert_eq!(response.status(), 200);
    if let Some(status) = Status::from_header_map(response.headers()) {
        return status;
    }
    let body = response.into_body().collect().await.unwrap();
    Status::from_header_map(body.trailers().unwrap()).unwrap()
}

fn messages() -> Vec<(&'static str, Vec<u8>, Code)> {
    use Code::InvalidArgument as Invalid;
    let good = income(&double(90_000.0));
    let with = |more: &[u8]| [&good[..], more].concat();
    let groups = [vec![0x7b; 101], vec![0x7c; 101]].concat();
    vec![
        ("empty", vec![], Invalid),
        ("wrong wire type", with(&[1 << 3, 7]), Invalid),
        ("wire type 7", with(&[0x3f]), Invalid),
        ("field 0", with(&[2, 0]), Invalid),
        ("overlong varint", with(&[0xff; 11]), Invalid),
        ("cut off", good[..good.len() - 1].to_vec(), Invalid),
        ("length beyond the end", with(&[0x62, 100, 1]), Invalid),
        (
            "length beyond memory",
            with(&[0x62, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            Invalid,
        ),
        ("groups 101 deep", with(&groups), Invalid),
        ("group that does not end", with(&[0x7b]), Invalid),
        ("group that did not begin", with(&[0x7c]), Invalid),
        (
            "text that is not UTF-8",
            named(b"A\xff", &double(1.0)),
            Invalid,
        ),
        ("NaN", income(&double(f64::NAN)), Invalid),
        ("infinity", income(&double(f64::INFINITY)), Invalid),
        (
            "minus infinity",
            income(&double(f64::NEG_INFINITY)),
            Invalid,
        ),
        ("empty id", named(b"", &double(1.0)), Invalid),
        ("U+0000 in the id", named(b"A\0B", &double(1.0)), Invalid),
        ("category for a number", income(&field(2, b"own")), Invalid),
        (
            "feature without a name",
            with(&feature(b"", &double(1.0))),
            Invalid,
        ),
        (
            "unknown feature",
            with(&feature(b"no", &double(1.0))),
            Invalid,
        ),
        (
            "too long",
            field(12, &vec![0; 1_100 * 1024]),
            Code::OutOfRange,
        ),
        // Odd, and a request: of a field that occurs twice the last one counts, and unknown ones are passed over.
        ("unknown field", with(&field(14, b"new")), Code::Ok),
        (
            "kind twice",
            income(&[field(2, b"own"), double(90_000.0)].concat()),
            Code::Ok,
        ),
        (
            "key twice",
            [field(1, b"other"), good.clone()].concat(),
            Code::Ok,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_message_has_its_status() {
    let server = Server::start().await;
    activate(&server, 1).await;
    for (name, message, expected) in messages() {
        let began = Instant::now();
        let status = call(&server, framed(&message)).await;
        let taken = began.elapsed();
        assert_eq!(status.code(), expected, "{name}: {}", status.message());
        assert!(taken < LIMIT, "{name}: {taken:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_frame_has_its_status() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let message = income(&double(90_000.0));
    let good = framed(&message);
    let compressed = [&[1][..], &good[1..]].concat();
    let cases = [
        ("nothing", vec![], Code::InvalidArgument),
        ("half a head", good[..3].to_vec(), Code::InvalidArgument),
        ("half a message", good[..20].to_vec(), Code::InvalidArgument),
        ("compressed by nothing", compressed, Code::InvalidArgument),
        (
            "flag of no meaning",
            [&[7][..], &good[1..]].concat(),
            Code::InvalidArgument,
        ),
        (
            "length of 4 GiB",
            vec![0, 0xff, 0xff, 0xff, 0xff, 1],
            Code::OutOfRange,
        ),
    ];
    for (name, body, expected) in cases {
        let status = call(&server, body).await;
        assert_eq!(status.code(), expected, "{name}: {}", status.message());
    }
    assert_eq!(call(&server, good).await.code(), Code::Ok);
}
