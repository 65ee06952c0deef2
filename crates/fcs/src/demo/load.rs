//! Sending applications through the gRPC client, many at a time, and measuring.

use std::time::{Duration, Instant};

use anyhow::Context;
use fcs_core::ErrorCode;
use fcs_proto::scoring::v1::ScoreRequest;
use fcs_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use fcs_service::grpc::{Deadline, api_error, request};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

use crate::client::Line;
use crate::demo::data::Application;
use crate::exit::CliError;
use crate::progress;

const CALL_LIMIT: Duration = Duration::from_secs(10);
const RETRIES_MAX: u32 = 50;
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// What the client was told.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Answer {
    /// Position in the decision log.
    pub(crate) log_index: u64,
    /// Digest of the record.
    pub(crate) record_digest: Vec<u8>,
}

/// What was measured.
pub(crate) struct Measured {
    /// One answer per application.
    pub(crate) answers: Vec<Answer>,
    /// One latency per application.
    pub(crate) latencies_ms: Vec<f64>,
    /// Wall time of the whole.
    pub(crate) elapsed: Duration,
    /// Seconds from the start of the command to the first answer.
    pub(crate) first_decision_s: f64,
}

impl Measured {
    /// Decisions per second.
    pub(crate) fn throughput_per_second(&self) -> f64 {
        self.latencies_ms.len() as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Scores every application once; a call that fails for a passing reason is tried again with the same key.
pub(crate) async fn score_all(
    client: &ScoringServiceClient<Line>,
    applications: Vec<Application>,
    model: &str,
    concurrency: u16,
    command_start: Instant,
) -> anyhow::Result<Measured> {
    let bar = progress::bar("applications", applications.len() as u64);
    let start = Instant::now();
    let send = |application: Application| {
        let (client, bar) = (client.clone(), bar.clone());
        async move {
            let sent = Instant::now();
            let answer = score(client, application, model).await?;
            bar.inc(1);
            anyhow::Ok((answer, sent.elapsed(), command_start.elapsed()))
        }
    };
    let scored: Vec<(Answer, Duration, Duration)> = stream::iter(applications)
        .map(send)
        .buffer_unordered(concurrency.into())
        .try_collect()
        .await?;
    bar.finish_and_clear();
    let first = scored
        .iter()
        .map(|(_, _, at)| *at)
        .min()
        .context("there are applications")?;
    Ok(Measured {
        latencies_ms: scored
            .iter()
            .map(|(_, latency, _)| latency.as_secs_f64() * 1e3)
            .collect(),
        elapsed: start.elapsed(),
        first_decision_s: first.as_secs_f64(),
        answers: scored.into_iter().map(|(answer, _, _)| answer).collect(),
    })
}

async fn score(
    mut client: ScoringServiceClient<Line>,
    application: Application,
    model: &str,
) -> anyhow::Result<Answer> {
    let message = ScoreRequest {
        idempotency_key: format!("demo-{model}-{}", application.id),
        application_id: application.id,
        features: application.features,
        ..ScoreRequest::default()
    };
    let mut retries = 0;
    loop {
        let call = request(message.clone(), Deadline::after(CALL_LIMIT));
        match client.score(call).await {
            Ok(response) => {
                let decision = response
                    .into_inner()
                    .decision
                    .context("an answer has a decision")?;
                let (log_index, record_digest) = (decision.log_index, decision.record_digest);
                return Ok(Answer {
                    log_index,
                    record_digest,
                });
            }
            Err(status) => {
                let error = api_error(&status);
                if !is_passing(error.code) || retries == RETRIES_MAX {
                    return Err(CliError::Api(error).into());
                }
                retries += 1;
                sleep(RETRY_PAUSE).await;
            }
        }
    }
}

/// Whether the same key may succeed a moment later. A connection that breaks in the middle of a call says
/// nothing about the call; the key keeps a retry from deciding twice.
fn is_passing(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::InvalidArgument
            | ErrorCode::Unauthenticated
            | ErrorCode::PermissionDenied
            | ErrorCode::NotFound
            | ErrorCode::Gone
            | ErrorCode::AlreadyExists
            | ErrorCode::FailedPrecondition
            | ErrorCode::IdempotencyMismatch
    )
}
