//! The gRPC faces: our own contract and the Open Inference Protocol.

mod bounded;
mod inference;
mod model;
mod stream;
mod tensors;

use std::time::Duration;

use fcs_service::grpc::Deadline;
use tonic::Request;

pub(crate) use bounded::{BoundedInference, BoundedModel};
pub(crate) use inference::InferenceGrpc;
pub(crate) use model::Grpc;

/// A call without a deadline of its own ends some time.
const DEADLINE_MAX: Duration = Duration::from_hours(1);

/// The caller's deadline. The edge answers when it passes; it is here for the computation, which must end too.
fn deadline<T>(request: &Request<T>) -> Deadline {
    Deadline::from_metadata(request.metadata(), DEADLINE_MAX)
}

/// The deadlines of the messages of a stream. A stream may be open for days, so each message has a limit of its
/// own, and all of them have the caller's for the stream.
#[derive(Clone, Copy)]
struct MessageDeadlines(Option<Deadline>);

impl MessageDeadlines {
    fn of<T>(request: &Request<T>) -> Self {
        Self(Deadline::asked(request.metadata()))
    }

    /// For a message that arrives now and may take `limit`.
    fn next(self, limit: Duration) -> Deadline {
        let limit = Deadline::after(limit);
        self.0.map_or(limit, |asked| asked.min(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_has_a_limit_of_its_own_and_the_streams() {
        let mut request = Request::new(());
        let open = MessageDeadlines::of(&request);
        assert!(open.next(Duration::ZERO).is_over());
        assert!(!open.next(DEADLINE_MAX).is_over(), "the next begins anew");
        request.set_timeout(Duration::from_millis(50));
        let short = MessageDeadlines::of(&request).next(DEADLINE_MAX);
        assert!(short.remaining() <= Duration::from_millis(50));
    }
}
