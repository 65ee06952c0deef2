//! Several requests for decisions: in one message, or as a stream.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ApiError, ErrorCode};
use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::score_batch_item::Outcome as ItemOutcome;
use fcs_proto::scoring::v1::score_stream_response::Outcome as StreamOutcome;
use fcs_service::auth::Principal;
use fcs_service::grpc::{Deadline, status, status_code, unreadable_is_invalid};
use fcs_service::problem::internal;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream, Stream};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, Streaming};

use super::application::command;
use super::convert;
use crate::app::App;
use crate::app::batch::{BATCH_TIMEOUT, DECIDED_AT_A_TIME};
use crate::app::queue::Scored;

/// What the answers of a stream come as.
pub(super) type Answers = BoxStream<'static, Result<wire::ScoreStreamResponse, Status>>;

/// Decides on the requests of one message.
pub(super) async fn batch(
    app: &App,
    caller: &Principal,
    request: wire::ScoreBatchRequest,
    model_timeout: Duration,
    deadline: Deadline,
) -> Result<wire::ScoreBatchResponse, ApiError> {
    let items = request.items.into_iter().map(command).collect();
    let answers = app
        .score_batch(caller, items, model_timeout, deadline)
        .await?;
    let item = |answer: Result<Scored, ApiError>| wire::ScoreBatchItem {
        outcome: Some(match answer.and_then(|scored| score_response(&scored)) {
            Ok(answer) => ItemOutcome::Answer(answer),
            Err(error) => ItemOutcome::Error(score_error(&error)),
        }),
    };
    Ok(wire::ScoreBatchResponse {
        items: answers.into_iter().map(item).collect(),
    })
}

/// Decides on the requests of a stream, a few at a time, and answers in their order. A caller who takes no answers is
/// not read. A stream that the drain ends says so.
///
/// Each request is a task of its own: nobody asks a stream for more while the caller takes nothing, and a decision that
/// stood still then would keep its connection to the store and its place with the writer from everybody else.
#[expect(
    clippy::disallowed_methods,
    reason = "a task that ends with its stream and within the deadline of its request"
)]
pub(super) fn stream(
    app: Arc<App>,
    caller: Principal,
    requests: Streaming<wire::ScoreStreamRequest>,
    model_timeout: Duration,
    draining: CancellationToken,
) -> Answers {
    messages(requests, draining)
        .map(move |message| {
            let (app, caller) = (Arc::clone(&app), caller.clone());
            let decided =
                tokio::spawn(
                    async move { stream_answer(&app, &caller, message?, model_timeout).await },
                );
            let decided = AbortOnDropHandle::new(decided);
            async { decided.await.map_err(lost)? }
        })
        .buffered(DECIDED_AT_A_TIME)
        .boxed()
}

fn lost(error: JoinError) -> Status {
    status(&internal("ANSWER_LOST", error))
}

async fn stream_answer(
    app: &App,
    caller: &Principal,
    message: wire::ScoreStreamRequest,
    model_timeout: Duration,
) -> Result<wire::ScoreStreamResponse, Status> {
    let request = message.item.unwrap_or_default();
    let idempotency_key = request.idempotency_key.clone();
    let deadline = Deadline::after(BATCH_TIMEOUT);
    let scored = app
        .score_item(caller, command(request), model_timeout, deadline)
        .await;
    let outcome = match scored.and_then(|scored| score_response(&scored)) {
        Ok(answer) => StreamOutcome::Answer(answer),
        Err(error) => StreamOutcome::Error(score_error(&error)),
    };
    Ok(wire::ScoreStreamResponse {
        idempotency_key,
        outcome: Some(outcome),
    })
}

/// The messages of a stream up to its end, its first unreadable message, or the drain.
fn messages<T: Send + 'static>(
    requests: Streaming<T>,
    draining: CancellationToken,
) -> impl Stream<Item = Result<T, Status>> + Send {
    stream::unfold(Some(requests), move |requests| {
        let draining = draining.clone();
        async move {
            let mut requests = requests?;
            let next = tokio::select! {
                next = requests.message() => next,
                () = draining.cancelled() => return Some((Err(shutting_down()), None)),
            };
            match next {
                Ok(message) => message.map(|message| (Ok(message), Some(requests))),
                Err(status) => Some((Err(unreadable_is_invalid(status)), None)),
            }
        }
    })
}

fn shutting_down() -> Status {
    let message =
        "this gateway is shutting down; send what was not answered again with the same keys";
    status(&ApiError::new(ErrorCode::Unavailable, "SHUTTING_DOWN", message).retry_after(1))
}

/// The answer to a request for a decision.
pub(super) fn score_response(scored: &Scored) -> Result<wire::ScoreResponse, ApiError> {
    Ok(wire::ScoreResponse {
        decision: Some(convert::decision(&scored.decision)?),
        replayed: scored.replayed,
    })
}

fn score_error(error: &ApiError) -> wire::ScoreError {
    let violations = error
        .violations
        .iter()
        .map(|violation| wire::ScoreViolation {
            pointer: violation.pointer.clone(),
            reason: violation.reason.to_owned(),
            description: violation.description.clone(),
        });
    wire::ScoreError {
        code: status_code(error.code).into(),
        reason: error.reason.to_owned(),
        message: error.message.clone(),
        violations: violations.collect(),
        retry_after_seconds: error.retry_after_s.unwrap_or_default(),
    }
}
