//! The model servers of a gateway: one or several with the same models.
//!
//! A row goes to the server with the least to do. A server that does not answer is left alone for a while; its row
//! goes to another one. So does, a second time, a row whose answer is late. Scoring changes nothing, so asking twice
//! does no harm, and budgets keep it rare.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fcs_core::{ApiError, Digest, ErrorCode, ModelVersion};
use fcs_decision::decision::ModelOutput;
use fcs_service::grpc::{Breaker, Deadline};
use futures::future::{Either, join_all, select};
use tokio::time::sleep;
use tracing::warn;

use super::gather::{Gatherer, Gathering};
use super::hedge::Hedge;
use super::model_client::{ModelClient, RowOutputs};
use crate::app::port::{ModelPort, SignedManifest};
use crate::app::traffic::PinnedModel;
use crate::metrics::{ExtraCall, Metrics};

/// A deadline of the caller that passed sooner says nothing about the server.
const SLOW: Duration = Duration::from_millis(250);

/// The servers as the port of the application: rows that come together go together.
pub(crate) struct ModelServers {
    servers: Arc<Servers>,
    gathering: Gathering,
}

/// The servers.
pub(super) struct Servers {
    servers: Vec<Server>,
    turn: AtomicUsize,
    hedge: Hedge,
    metrics: Metrics,
}

/// One server, by its address.
struct Server {
    url: String,
    client: ModelClient,
    breaker: Breaker,
    at_work: AtomicUsize,
}

impl ModelServers {
    /// The servers at these addresses, and the task that calls them.
    pub(crate) fn over(
        clients: impl IntoIterator<Item = (String, ModelClient)>,
        metrics: Metrics,
    ) -> (Self, Gatherer) {
        let servers = Arc::new(Servers::over(clients, metrics));
        let (gathering, gatherer) = Gathering::over(Arc::clone(&servers));
        (Self { servers, gathering }, gatherer)
    }
}

impl Servers {
    fn over(clients: impl IntoIterator<Item = (String, ModelClient)>, metrics: Metrics) -> Self {
        let servers = clients.into_iter().map(|(url, client)| Server {
            url,
            client,
            breaker: Breaker::default(),
            at_work: AtomicUsize::new(0),
        });
        Self {
            servers: servers.collect(),
            turn: AtomicUsize::new(0),
            hedge: Hedge::default(),
            metrics,
        }
    }

    /// The server for a call: one that must be tried again, or else the one with the least to do, beside `other_than`.
    fn pick(&self, other_than: Option<usize>) -> Option<usize> {
        let now = Instant::now();
        let count = self.servers.len();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut candidates: Vec<usize> = (0..count)
            .map(|offset| first.wrapping_add(offset) % count)
            .filter(|index| Some(*index) != other_than)
            .collect();
        let due = |index: &usize| self.servers[*index].breaker.take_probe(now);
        if let Some(due) = candidates.iter().copied().find(due) {
            return Some(due);
        }
        candidates.retain(|index| self.servers[*index].breaker.is_closed());
        candidates
            .into_iter()
            .min_by_key(|index| self.servers[*index].at_work.load(Ordering::Relaxed))
    }

    async fn ask(
        &self,
        index: usize,
        model: &PinnedModel,
        rows: &[Vec<f64>],
        deadline: Deadline,
    ) -> Result<RowOutputs, ApiError> {
        let server = &self.servers[index];
        let mut call = Call::begin(server);
        let answer = server.client.score_rows(model, rows, deadline).await;
        call.end(answer.as_ref().err());
        if answer.is_ok() {
            self.hedge.observe(call.started.elapsed());
        }
        answer
    }

    /// Asks one server, and when its answer is late also another one; the first answer counts.
    async fn ask_twice_when_late(
        &self,
        index: usize,
        model: &PinnedModel,
        rows: &[Vec<f64>],
        deadline: Deadline,
    ) -> Result<RowOutputs, ApiError> {
        if self.servers.len() == 1 {
            return self.ask(index, model, rows, deadline).await;
        }
        let mut first = pin!(self.ask(index, model, rows, deadline));
        if let Either::Left((answer, _)) =
            select(first.as_mut(), pin!(sleep(self.hedge.usual()))).await
        {
            return answer;
        }
        let Some(second) = self.extra(ExtraCall::Hedge, index) else {
            return first.await;
        };
        let second = pin!(self.ask(second, model, rows, deadline));
        match select(first, second).await {
            Either::Left((answer, other)) => answer_or(answer, other).await,
            Either::Right((answer, other)) => {
                if answer.is_ok() {
                    self.servers[index].failed();
                }
                answer_or(answer, other).await
            }
        }
    }

    /// Scores rows in one call, or in two when the first is late or fails.
    pub(super) async fn score(
        &self,
        model: &PinnedModel,
        rows: &[Vec<f64>],
        deadline: Deadline,
    ) -> Result<RowOutputs, ApiError> {
        self.hedge.begin();
        let index = self.pick(None).ok_or_else(none_answers)?;
        let answer = self.ask_twice_when_late(index, model, rows, deadline).await;
        match &answer {
            Err(error) if is_no_answer(error) && !deadline.is_over() => {
                match self.extra(ExtraCall::Retry, index) {
                    Some(other) => self.ask(other, model, rows, deadline).await,
                    None => answer,
                }
            }
            _ => answer,
        }
    }

    /// Another server for a call that may be made a second time.
    fn extra(&self, kind: ExtraCall, other_than: usize) -> Option<usize> {
        if self.servers.len() == 1 {
            return None;
        }
        let allowed = match kind {
            ExtraCall::Hedge => self.hedge.may_hedge(),
            ExtraCall::Retry => self.hedge.may_retry(),
        };
        if !allowed {
            return None;
        }
        let index = self.pick(Some(other_than))?;
        self.metrics.extra_call(kind);
        Some(index)
    }
}

impl Server {
    /// It gave no answer, or a late one that another server was asked after and overtook.
    fn failed(&self) {
        if self.breaker.failed(Instant::now()) {
            warn!(
                server = self.url,
                "a model server is left alone for a while"
            );
        }
    }
}

/// An answer, or what the other server says when it is none.
async fn answer_or(
    answer: Result<RowOutputs, ApiError>,
    other: impl Future<Output = Result<RowOutputs, ApiError>>,
) -> Result<RowOutputs, ApiError> {
    match answer {
        Err(error) if is_no_answer(&error) => other.await,
        answer => answer,
    }
}

fn is_no_answer(error: &ApiError) -> bool {
    error.code == ErrorCode::Unavailable
}

/// A call on its way. A caller may give it up at any time.
struct Call<'a> {
    server: &'a Server,
    started: Instant,
    ended: bool,
}

impl<'a> Call<'a> {
    fn begin(server: &'a Server) -> Self {
        server.at_work.fetch_add(1, Ordering::Relaxed);
        Self {
            server,
            started: Instant::now(),
            ended: false,
        }
    }

    fn end(&mut self, error: Option<&ApiError>) {
        self.ended = true;
        let now = Instant::now();
        match error.map(|error| error.code) {
            Some(ErrorCode::DeadlineExceeded) if now - self.started < SLOW => {
                self.server.breaker.given_up(now);
            }
            Some(ErrorCode::Unavailable | ErrorCode::DeadlineExceeded) => self.server.failed(),
            _ => self.server.breaker.succeeded(),
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.server.at_work.fetch_sub(1, Ordering::Relaxed);
        if !self.ended {
            self.server.breaker.given_up(Instant::now());
        }
    }
}

#[async_trait]
impl ModelPort for ModelServers {
    /// Every server that answers has the model afterwards. One that does not loads it when it is asked for a score.
    async fn load(&self, model: &ModelVersion, digest: Option<Digest>) -> Result<(), ApiError> {
        let calls = self
            .servers
            .servers
            .iter()
            .map(|server| server.client.load(model, digest));
        let (loaded, errors): (Vec<_>, Vec<_>) =
            join_all(calls).await.into_iter().partition(Result::is_ok);
        let mut errors = errors.into_iter().filter_map(Result::err);
        let refusal = errors.find(|error| !is_no_answer(error) || loaded.is_empty());
        refusal.map_or(Ok(()), Err)
    }

    async fn manifest(
        &self,
        model: &ModelVersion,
        digest: Option<Digest>,
    ) -> Result<SignedManifest, ApiError> {
        let mut answer = Err(none_answers());
        for server in &self.servers.servers {
            answer = server.client.manifest(model, digest).await;
            if answer.is_ok() {
                break;
            }
        }
        answer
    }

    async fn score(
        &self,
        model: &PinnedModel,
        row: &[f64],
        deadline: Deadline,
    ) -> Result<ModelOutput, ApiError> {
        self.gathering.score(model, row, deadline).await
    }

    /// Whether one of them answers.
    async fn ping(&self) -> Result<(), ApiError> {
        let pings = join_all(
            self.servers
                .servers
                .iter()
                .map(|server| server.client.ping()),
        )
        .await;
        let mut answer = Err(none_answers());
        for ping in pings {
            answer = ping;
            if answer.is_ok() {
                break;
            }
        }
        answer
    }
}

fn none_answers() -> ApiError {
    ApiError::new(
        ErrorCode::Unavailable,
        "MODEL_SERVER_UNAVAILABLE",
        "no model server answers",
    )
    .retry_after(1)
}
