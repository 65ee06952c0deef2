//! The gRPC faces: our own contract and the Open Inference Protocol.

mod bounded;
mod inference;
mod model;
mod stream;
mod tensors;

use std::time::Duration;

use fcs_service::grpc::Deadline;
use tonic::Request;

pub(crate) use bounded::BoundedInference;
pub(crate) use inference::InferenceGrpc;
pub(crate) use model::Grpc;

/// A call without a deadline of its own ends some time.
const DEADLINE_MAX: Duration = Duration::from_hours(1);

/// The caller's deadline. The edge answers when it passes; it is here for the computation, which must end too.
fn deadline<T>(request: &Request<T>) -> Deadline {
    Deadline::from_metadata(request.metadata(), DEADLINE_MAX)
}
