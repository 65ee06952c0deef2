//! Requests whose parts are counted before they are built.
//!
//! An empty message takes two bytes on the wire and hundreds in memory, and compression makes a few kilobytes of
//! a million of them. So the decoder walks over the bytes first, which allocates nothing.

mod inference;
mod model;

use std::marker::PhantomData;

use bytes::Buf;
use fcs_core::{ApiError, ErrorCode};
use fcs_service::grpc::status;
use fcs_service::problem::reason;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::ProstEncoder;

pub(crate) use inference::BoundedInference;
pub(crate) use model::BoundedModel;

/// A request whose parts are counted.
trait Bounded: Message + Default + 'static {
    /// Counts the parts of an encoded request.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no message, and for too many parts.
    fn count_parts(message: &[u8]) -> Result<(), ApiError>;
}

/// Reads requests of the type `Q` and writes answers of the type `A`.
struct BoundedCodec<Q, A>(PhantomData<fn() -> (Q, A)>);

impl<Q, A> Default for BoundedCodec<Q, A> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<Q: Bounded, A: Message + 'static> Codec for BoundedCodec<Q, A> {
    type Encode = A;
    type Decode = Q;
    type Encoder = ProstEncoder<A>;
    type Decoder = BoundedDecoder<Q>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(PhantomData)
    }
}

struct BoundedDecoder<Q>(PhantomData<fn() -> Q>);

impl<Q: Bounded> Decoder for BoundedDecoder<Q> {
    type Item = Q;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Q>, Status> {
        let message = buffer.copy_to_bytes(buffer.remaining());
        decode(&message).map(Some).map_err(|error| status(&error))
    }
}

/// Reads a request that is small enough.
///
/// # Errors
/// `InvalidArgument` for what is no request, and for too many parts.
fn decode<Q: Bounded>(message: &[u8]) -> Result<Q, ApiError> {
    Q::count_parts(message)?;
    Q::decode(message).map_err(|error| malformed(&error))
}

/// Shows the fields of a message that have a length, with their tags.
fn each_field(
    mut message: &[u8],
    mut visit: impl FnMut(u32, &[u8]) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message).map_err(|error| malformed(&error))?;
        if wire_type == WireType::LengthDelimited {
            let length = decode_varint(&mut message).map_err(|error| malformed(&error))?;
            let split = usize::try_from(length)
                .ok()
                .and_then(|length| message.split_at_checked(length));
            let (value, rest) = split.ok_or_else(|| malformed(&"a field is cut off"))?;
            visit(tag, value)?;
            message = rest;
        } else {
            skip_field(wire_type, tag, &mut message, DecodeContext::default())
                .map_err(|error| malformed(&error))?;
        }
    }
    Ok(())
}

fn malformed(error: &dyn std::fmt::Display) -> ApiError {
    let message = format!("the message is not a request of the protocol: {error}");
    ApiError::new(
        ErrorCode::InvalidArgument,
        reason::MALFORMED_MESSAGE,
        message,
    )
}
