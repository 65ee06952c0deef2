//! `faircredit.model.v1.ModelService`.

use std::convert::Infallible;
use std::task::{Context, Poll};

use fcs_core::ApiError;
use fcs_proto::model::v1 as wire;
use fcs_proto::model::v1::model_service_server::{ModelService as _, ModelServiceServer};
use futures::future::BoxFuture;
use prost::Message;
use tonic::body::Body;
use tonic::server::{Grpc as Server, NamedService};
use tonic::{Request, Streaming};
use tower::{Service, service_fn};

use super::super::Grpc;
use super::{Bounded, BoundedCodec, each_field};
use crate::app::score::{ROWS_MAX, check_count};

/// Bytes of a request or an answer: 1,024 rows with attributions fit.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Rows of a message that are built. A few too many fail their request alone; more than this end a stream.
const ROWS_BUILT_MAX: usize = 16 * ROWS_MAX;

const SCORE: &str = "/faircredit.model.v1.ModelService/Score";
const SCORE_BATCH: &str = "/faircredit.model.v1.ModelService/ScoreBatch";
const SCORE_STREAM: &str = "/faircredit.model.v1.ModelService/ScoreStream";

/// Our own contract over gRPC. Cloning shares everything.
#[derive(Clone)]
pub(crate) struct BoundedModel {
    grpc: Grpc,
    /// Answers every other method.
    plain: ModelServiceServer<Grpc>,
}

impl BoundedModel {
    /// Puts the limits before the methods that score.
    pub(crate) fn new(grpc: Grpc) -> Self {
        let plain = ModelServiceServer::new(grpc.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        Self { grpc, plain }
    }
}

impl NamedService for BoundedModel {
    const NAME: &'static str = "faircredit.model.v1.ModelService";
}

impl Service<http::Request<Body>> for BoundedModel {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let grpc = self.grpc.clone();
        match request.uri().path() {
            SCORE => Box::pin(async move {
                let method = service_fn(move |request: Request<wire::ScoreRequest>| {
                    let grpc = grpc.clone();
                    async move { grpc.score(request).await }
                });
                Ok(server().unary(method, request).await)
            }),
            SCORE_BATCH => Box::pin(async move {
                let method = service_fn(move |request: Request<wire::ScoreBatchRequest>| {
                    let grpc = grpc.clone();
                    async move { grpc.score_batch(request).await }
                });
                Ok(server().unary(method, request).await)
            }),
            SCORE_STREAM => Box::pin(async move {
                let method = service_fn(
                    move |request: Request<Streaming<wire::ScoreStreamRequest>>| {
                        let grpc = grpc.clone();
                        async move { grpc.score_stream(request).await }
                    },
                );
                Ok(server().streaming(method, request).await)
            }),
            _ => self.plain.call(request),
        }
    }
}

fn server<Q: Bounded, A: Message + 'static>() -> Server<BoundedCodec<Q, A>> {
    Server::new(BoundedCodec::default())
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

impl Bounded for wire::ScoreRequest {
    fn count_parts(message: &[u8]) -> Result<(), ApiError> {
        count_rows(message, &mut 0)
    }
}

impl Bounded for wire::ScoreBatchRequest {
    fn count_parts(message: &[u8]) -> Result<(), ApiError> {
        count_rows(message, &mut 0)
    }
}

impl Bounded for wire::ScoreStreamRequest {
    fn count_parts(message: &[u8]) -> Result<(), ApiError> {
        // Of a batch that occurs twice the rows add up.
        let mut rows = 0;
        each_field(message, |tag, batch| match tag {
            2 => count_rows(batch, &mut rows),
            _ => Ok(()),
        })
    }
}

fn count_rows(message: &[u8], rows: &mut usize) -> Result<(), ApiError> {
    each_field(message, |tag, _| {
        *rows += usize::from(tag == 2);
        if *rows <= ROWS_BUILT_MAX {
            return Ok(());
        }
        check_count(*rows, 0)
    })
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::*;

    fn request(rows: usize) -> wire::ScoreRequest {
        wire::ScoreRequest {
            model: None,
            rows: vec![wire::Row::default(); rows],
            explain: true,
        }
    }

    #[test]
    fn rows_are_counted_before_they_are_built() {
        let most = request(ROWS_BUILT_MAX);
        assert_eq!(decode(&most.encode_to_vec()), Ok(most));
        let more = request(ROWS_BUILT_MAX + 1).encode_to_vec();
        let error = decode::<wire::ScoreRequest>(&more).unwrap_err();
        assert_eq!(error.reason, "INVALID_ROWS");
        let error = decode::<wire::ScoreBatchRequest>(&more).unwrap_err();
        assert_eq!(error.violations[0].reason, "ROW_COUNT_OUT_OF_RANGE");
        assert!(decode::<wire::ScoreRequest>(&[0x12, 5]).is_err(), "cut off");
    }

    #[test]
    fn the_rows_of_a_stream_add_up_over_its_batches() {
        let half = wire::ScoreStreamRequest {
            id: "x".to_owned(),
            batch: Some(wire::ScoreBatchRequest {
                model: None,
                rows: vec![wire::Row::default(); ROWS_BUILT_MAX / 2 + 1],
                explain: false,
            }),
        }
        .encode_to_vec();
        decode::<wire::ScoreStreamRequest>(&half).unwrap();
        let twice = half.repeat(2);
        let error = decode::<wire::ScoreStreamRequest>(&twice).unwrap_err();
        assert_eq!(error.reason, "INVALID_ROWS");
    }
}
