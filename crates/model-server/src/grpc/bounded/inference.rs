//! `inference.GRPCInferenceService`.

use std::convert::Infallible;
use std::task::{Context, Poll};

use fcs_core::{ApiError, ErrorCode};
use fcs_proto::inference as wire;
use fcs_proto::inference::grpc_inference_service_server::{
    GrpcInferenceService as _, GrpcInferenceServiceServer,
};
use futures::future::BoxFuture;
use prost::Message;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::{Deflate, Gzip};
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Streaming};
use tower::{Service, service_fn};

use super::super::InferenceGrpc;
use super::{Bounded, BoundedCodec, each_field};
use crate::app::inference::{INPUTS_MAX, OUTPUTS_MAX, PARAMETERS_MAX};

/// Bytes of a request after decompression.
const REQUEST_BYTES_MAX: usize = 8 << 20;
/// Bytes of an answer: 1,024 rows with attributions fit.
const RESPONSE_BYTES_MAX: usize = 16 << 20;
/// Byte strings of a request: 1,024 rows of 1,024 categories.
const STRINGS_MAX: usize = 1 << 20;

/// Reason of the error for too many parts, and their name.
const INPUTS: (&str, &str) = ("TOO_MANY_INPUTS", "inputs");
const OUTPUTS: (&str, &str) = ("TOO_MANY_OUTPUTS", "requested outputs");
const PARAMETERS: (&str, &str) = ("TOO_MANY_PARAMETERS", "parameters");
const STRINGS: (&str, &str) = ("TOO_MANY_STRINGS", "byte strings");

const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
const STREAM_INFER: &str = "/inference.GRPCInferenceService/ModelStreamInfer";

/// The Open Inference Protocol over gRPC. Cloning shares everything.
#[derive(Clone)]
pub(crate) struct BoundedInference {
    grpc: InferenceGrpc,
    /// Answers every other method.
    plain: GrpcInferenceServiceServer<InferenceGrpc>,
}

impl BoundedInference {
    /// Puts the limits before the methods that infer.
    pub(crate) fn new(grpc: InferenceGrpc) -> Self {
        let plain = GrpcInferenceServiceServer::new(grpc.clone())
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(RESPONSE_BYTES_MAX)
            .accept_compressed(Gzip)
            .accept_compressed(Deflate)
            .send_compressed(Gzip)
            .send_compressed(Deflate);
        Self { grpc, plain }
    }
}

impl NamedService for BoundedInference {
    const NAME: &'static str = "inference.GRPCInferenceService";
}

impl Service<http::Request<Body>> for BoundedInference {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let grpc = self.grpc.clone();
        match request.uri().path() {
            INFER => Box::pin(async move {
                let method = service_fn(move |request: Request<wire::ModelInferRequest>| {
                    let grpc = grpc.clone();
                    async move { grpc.model_infer(request).await }
                });
                Ok(server().unary(method, request).await)
            }),
            STREAM_INFER => Box::pin(async move {
                let method = service_fn(
                    move |request: Request<Streaming<wire::ModelInferRequest>>| {
                        let grpc = grpc.clone();
                        async move { grpc.model_stream_infer(request).await }
                    },
                );
                Ok(server().streaming(method, request).await)
            }),
            _ => self.plain.call(request),
        }
    }
}

fn server<A: Message + 'static>() -> Grpc<BoundedCodec<wire::ModelInferRequest, A>> {
    Grpc::new(BoundedCodec::default())
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX)
        .accept_compressed(Gzip)
        .accept_compressed(Deflate)
        .send_compressed(Gzip)
        .send_compressed(Deflate)
}

impl Bounded for wire::ModelInferRequest {
    fn count_parts(message: &[u8]) -> Result<(), ApiError> {
        Parts::default().count_request(message)
    }
}

/// What of a whole request was met.
#[derive(Default)]
struct Parts {
    strings: usize,
}

impl Parts {
    fn count_request(&mut self, message: &[u8]) -> Result<(), ApiError> {
        let (mut inputs, mut outputs, mut raw, mut parameters) = (0, 0, 0, 0);
        each_field(message, |tag, value| match tag {
            4 => count(&mut parameters, PARAMETERS_MAX, PARAMETERS),
            5 => {
                count(&mut inputs, INPUTS_MAX, INPUTS)?;
                self.count_tensor(value)
            }
            6 => {
                count(&mut outputs, OUTPUTS_MAX, OUTPUTS)?;
                count_parameters(value, 2)
            }
            7 => count(&mut raw, INPUTS_MAX, INPUTS),
            _ => Ok(()),
        })
    }

    fn count_tensor(&mut self, tensor: &[u8]) -> Result<(), ApiError> {
        count_parameters(tensor, 4)?;
        each_field(tensor, |tag, contents| match tag {
            5 => each_field(contents, |tag, _| match tag {
                8 => count(&mut self.strings, STRINGS_MAX, STRINGS),
                _ => Ok(()),
            }),
            _ => Ok(()),
        })
    }
}

fn count_parameters(message: &[u8], parameters: u32) -> Result<(), ApiError> {
    let mut found = 0;
    each_field(message, |tag, _| {
        if tag == parameters {
            count(&mut found, PARAMETERS_MAX, PARAMETERS)
        } else {
            Ok(())
        }
    })
}

fn count(
    found: &mut usize,
    limit: usize,
    (reason, what): (&'static str, &str),
) -> Result<(), ApiError> {
    *found += 1;
    if *found <= limit {
        return Ok(());
    }
    let message = format!("send at most {limit} {what}");
    Err(ApiError::new(ErrorCode::InvalidArgument, reason, message))
}

#[cfg(test)]
mod tests {
    use super::super::decode as decode_bounded;
    use super::*;

    fn decode(message: &[u8]) -> Result<wire::ModelInferRequest, ApiError> {
        decode_bounded(message)
    }

    /// Bytes of a message with many fields, each empty.
    fn empty_fields(tag: u8, count: usize) -> Vec<u8> {
        [tag << 3 | 2, 0].repeat(count)
    }

    /// A message in a field.
    fn within(tag: u8, message: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag << 3 | 2];
        prost::encoding::encode_varint(message.len() as u64, &mut bytes);
        bytes.extend(message);
        bytes
    }

    #[test]
    fn parts_are_counted_wherever_they_stand() {
        let in_contents = |fields: &[u8]| within(5, &within(5, fields));
        let cases = [
            (empty_fields(5, INPUTS_MAX), empty_fields(5, 1)),
            (empty_fields(7, INPUTS_MAX), empty_fields(7, 1)),
            (empty_fields(6, OUTPUTS_MAX), empty_fields(6, 1)),
            (empty_fields(4, PARAMETERS_MAX), empty_fields(4, 1)),
            (
                in_contents(&empty_fields(8, STRINGS_MAX)),
                in_contents(&empty_fields(8, 1)),
            ),
        ];
        for (most, more) in cases {
            decode(&most).unwrap();
            let error = decode(&[most, more].concat()).unwrap_err();
            assert!(error.reason.starts_with("TOO_MANY_"), "{error:?}");
        }
        let parameters = empty_fields(4, PARAMETERS_MAX + 1);
        assert!(decode(&within(5, &parameters)).is_err());
        let parameters = empty_fields(2, PARAMETERS_MAX + 1);
        assert!(decode(&within(6, &parameters)).is_err());
    }

    #[test]
    fn what_is_no_message_is_the_clients_fault() {
        for bytes in [&[0x2a, 5][..], &[0xff; 12], &[0x2a, 2, 0x2a], &[0x0f]] {
            let error = decode(bytes).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidArgument);
            assert_eq!(error.reason, "MALFORMED_MESSAGE");
        }
    }
}
