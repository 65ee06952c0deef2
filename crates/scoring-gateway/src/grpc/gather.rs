//! Rows that come at about the same time go to a model server in one call: a call costs both sides more than a row.
//!
//! While few calls are on the way a row goes at once. Otherwise it waits for one of them to end, but not for long, so
//! that a server that hangs holds up nobody else.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ApiError, ErrorCode};
use fcs_decision::decision::ModelOutput;
use fcs_service::grpc::Deadline;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::model_client::RowOutputs;
use super::model_servers::Servers;
use crate::app::traffic::PinnedModel;

/// Calls on the way beyond which rows wait.
const CALLS: usize = 2;
/// How long a row waits at most.
const WAIT: Duration = Duration::from_millis(1);
/// Rows of one call at most.
const ROWS_MAX: usize = 64;
/// Rows that wait for the task itself; each belongs to a request that has a place.
const ASKED_MAX: usize = 4_096;

/// A row to score.
struct Asked {
    model: PinnedModel,
    row: Vec<f64>,
    deadline: Deadline,
    answer: oneshot::Sender<Result<ModelOutput, ApiError>>,
}

/// The way of a row to the gatherer. Cloning shares it.
#[derive(Clone)]
pub(super) struct Gathering(mpsc::Sender<Asked>);

impl Gathering {
    /// The way, and the task at its end.
    pub(super) fn over(servers: Arc<Servers>) -> (Self, Gatherer) {
        let (asked, rows) = mpsc::channel(ASKED_MAX);
        (Self(asked), Gatherer { servers, rows })
    }

    /// Scores a row.
    pub(super) async fn score(
        &self,
        model: &PinnedModel,
        row: &[f64],
        deadline: Deadline,
    ) -> Result<ModelOutput, ApiError> {
        let (answer, outcome) = oneshot::channel();
        let asked = Asked {
            model: model.clone(),
            row: row.to_vec(),
            deadline,
            answer,
        };
        self.0.try_send(asked).map_err(|_| not_taken())?;
        deadline
            .run(outcome)
            .await?
            .unwrap_or_else(|_| Err(not_taken()))
    }
}

fn not_taken() -> ApiError {
    let message = "the row could not be handed to a model server";
    ApiError::new(ErrorCode::Unavailable, "MODEL_SERVER_UNAVAILABLE", message).retry_after(1)
}

/// The task that makes the calls. It ends with the last [`Gathering`], and no call outlives its rows' deadlines.
pub(crate) struct Gatherer {
    servers: Arc<Servers>,
    rows: mpsc::Receiver<Asked>,
}

impl Gatherer {
    /// Makes calls until nobody can ask any more.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let servers = Arc::clone(&self.servers);
        let mut calls = FuturesUnordered::new();
        let mut waiting: Vec<Asked> = Vec::new();
        let mut due = Instant::now();
        loop {
            tokio::select! {
                count = self.rows.recv_many(&mut waiting, ROWS_MAX) => {
                    if count == 0 {
                        break;
                    }
                    if count == waiting.len() {
                        due = Instant::now() + WAIT;
                    }
                }
                Some(()) = calls.next() => {}
                () = sleep_until(due), if !waiting.is_empty() => {}
            }
            while !waiting.is_empty() && (calls.len() < CALLS || due <= Instant::now()) {
                calls.push(call(&servers, next_call(&mut waiting)));
            }
        }
        while calls.next().await.is_some() {}
        Ok(())
    }
}

/// Takes the oldest row out, and those of its model with it.
fn next_call(waiting: &mut Vec<Asked>) -> Vec<Asked> {
    let digest = waiting[0].model.manifest_digest;
    let mut taken = 0;
    waiting
        .extract_if(.., |asked| {
            let together = asked.model.manifest_digest == digest && taken < ROWS_MAX;
            taken += usize::from(together);
            together
        })
        .collect()
}

/// Makes a call for the rows whose requests still wait.
async fn call(servers: &Servers, mut asked: Vec<Asked>) {
    asked.retain(|asked| !asked.answer.is_closed());
    let Some(deadline) = asked.iter().map(|asked| asked.deadline).max() else {
        return;
    };
    let model = asked[0].model.clone();
    let rows: Vec<Vec<f64>> = asked
        .iter_mut()
        .map(|asked| std::mem::take(&mut asked.row))
        .collect();
    let outputs: RowOutputs = match Box::pin(servers.score(&model, &rows, deadline)).await {
        Ok(outputs) => outputs,
        Err(error) => vec![Err(error); asked.len()],
    };
    for (asked, output) in asked.into_iter().zip(outputs) {
        // The request may be gone.
        drop(asked.answer.send(output));
    }
}
