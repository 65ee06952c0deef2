//! A client of the decision API that retries safely.
//!
//! For: programs that ask for decisions. A request keeps its idempotency key over all its attempts, so however often
//! it is sent, it is decided once. Attempts are spread by jittered backoff, bounded by the deadline of the call, and
//! paid from a budget, so that clients of a system in trouble do not add to it.
//! Not for: reviews, notices and traffic; the bindings in `fcs-proto` serve those.
//!
//! Invariants: no attempt begins after the deadline; only errors that may pass are retried; a retry waits at least as
//! long as the server asked for.

pub mod retry;

use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ApiError, ErrorCode};
use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::score_batch_item::Outcome;
use fcs_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use fcs_service::grpc::{Credential, Deadline, api_error, channel, request};
use fcs_service::{OsRandom, Random};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::retry::{Backoff, Budget, may_pass};

/// Requests of one batch at most, the server's limit.
pub const BATCH_ITEMS_MAX: usize = 256;

/// How a client behaves. The defaults suit a request that a person waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientSettings {
    /// Time for a call with all its attempts.
    pub deadline: Duration,
    /// Time for one attempt.
    pub attempt_timeout: Duration,
    /// Attempts of a call at most.
    pub attempts_max: u32,
    /// How long to wait between attempts.
    pub backoff: Backoff,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(3),
            attempts_max: 6,
            backoff: Backoff::default(),
        }
    }
}

/// A client. Cloning shares the connection and the budget.
#[derive(Clone)]
pub struct Client {
    scoring: ScoringServiceClient<InterceptedService<Channel, Credential>>,
    settings: ClientSettings,
    budget: Arc<Budget>,
    random: Arc<dyn Random>,
}

/// What became of each request of a batch, in their order.
pub type BatchAnswers = Vec<Result<wire::ScoreResponse, ApiError>>;

impl Client {
    /// A client of the gateway at a URL, which is connected to at the first call. The credential goes with each call;
    /// the default one is none.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(
        url: &str,
        credential: Credential,
        settings: ClientSettings,
    ) -> anyhow::Result<Self> {
        Ok(Self::on(channel(url)?, credential, settings))
    }

    /// A client on a channel, for example one with TLS.
    pub fn on(channel: Channel, credential: Credential, settings: ClientSettings) -> Self {
        Self {
            scoring: ScoringServiceClient::with_interceptor(channel, credential),
            settings,
            budget: Arc::default(),
            random: Arc::new(OsRandom),
        }
    }

    /// A new idempotency key: 128 random bits in hexadecimal.
    pub fn new_key(&self) -> String {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        hex::encode(bytes)
    }

    /// Asks for a decision. A request without an idempotency key gets a new one, for all its attempts.
    pub async fn score(
        &self,
        mut message: wire::ScoreRequest,
    ) -> Result<wire::ScoreResponse, ApiError> {
        self.name(&mut message);
        let call = |deadline| {
            let mut scoring = self.scoring.clone();
            let call = request(message.clone(), deadline);
            async move { scoring.score(call).await }
        };
        self.call(Deadline::after(self.settings.deadline), call)
            .await
    }

    /// Asks for several decisions. The requests that failed in a way that may pass are sent again, by themselves,
    /// while there is time.
    pub async fn score_batch(
        &self,
        mut items: Vec<wire::ScoreRequest>,
    ) -> Result<BatchAnswers, ApiError> {
        for item in &mut items {
            self.name(item);
        }
        let deadline = Deadline::after(self.settings.deadline);
        let mut answers = self.batch(items.clone(), deadline).await?;
        for attempt in 1..self.settings.attempts_max {
            let failed: Vec<usize> = (0..items.len())
                .filter(|&place| {
                    answers[place]
                        .as_ref()
                        .is_err_and(|error| may_pass(error.code))
                })
                .collect();
            if failed.is_empty() {
                break;
            }
            let asked = failed
                .iter()
                .filter_map(|&place| answers[place].as_ref().err()?.retry_after_s)
                .max();
            if !self.wait(attempt, asked, deadline).await {
                break;
            }
            let again = failed.iter().map(|&place| items[place].clone()).collect();
            // What was answered before is not lost when the rest cannot be asked again.
            let Ok(again) = self.batch(again, deadline).await else {
                break;
            };
            for (place, answer) in failed.iter().zip(again) {
                answers[*place] = answer;
            }
        }
        Ok(answers)
    }

    async fn batch(
        &self,
        items: Vec<wire::ScoreRequest>,
        deadline: Deadline,
    ) -> Result<BatchAnswers, ApiError> {
        let message = wire::ScoreBatchRequest { items };
        let call = |deadline| {
            let mut scoring = self.scoring.clone();
            let call = request(message.clone(), deadline);
            async move { scoring.score_batch(call).await }
        };
        let answer = self.call(deadline, call).await?;
        if answer.items.len() != message.items.len() {
            let message = "the gateway answered another number of requests than it was sent";
            return Err(ApiError::new(
                ErrorCode::Internal,
                "ANSWER_INVALID",
                message,
            ));
        }
        Ok(answer.items.into_iter().map(item).collect())
    }

    /// One decision by its id.
    pub async fn decision(&self, decision_id: &str) -> Result<wire::Decision, ApiError> {
        let message = wire::GetDecisionRequest {
            decision_id: decision_id.to_owned(),
            application_id: String::new(),
        };
        let call = |deadline| {
            let mut scoring = self.scoring.clone();
            let call = request(message.clone(), deadline);
            async move { scoring.get_decision(call).await }
        };
        let answer = self
            .call(Deadline::after(self.settings.deadline), call)
            .await?;
        answer.decision.ok_or_else(|| {
            ApiError::new(
                ErrorCode::Internal,
                "ANSWER_INVALID",
                "the gateway sent no decision",
            )
        })
    }

    /// One page of decisions; begin with a query without a page token, and go on with the token of each page.
    pub async fn decisions(
        &self,
        query: wire::ListDecisionsRequest,
    ) -> Result<wire::ListDecisionsResponse, ApiError> {
        let call = |deadline| {
            let mut scoring = self.scoring.clone();
            let call = request(query.clone(), deadline);
            async move { scoring.list_decisions(call).await }
        };
        self.call(Deadline::after(self.settings.deadline), call)
            .await
    }

    /// Why a decision came out as it did.
    pub async fn explain(
        &self,
        decision_id: &str,
    ) -> Result<wire::ExplainDecisionResponse, ApiError> {
        let message = wire::ExplainDecisionRequest {
            decision_id: decision_id.to_owned(),
        };
        let call = |deadline| {
            let mut scoring = self.scoring.clone();
            let call = request(message.clone(), deadline);
            async move { scoring.explain_decision(call).await }
        };
        self.call(Deadline::after(self.settings.deadline), call)
            .await
    }

    fn name(&self, message: &mut wire::ScoreRequest) {
        if message.idempotency_key.is_empty() {
            message.idempotency_key = self.new_key();
        }
    }

    /// Makes attempts until one has an answer, an error that stays, or there is no time, attempt or budget left.
    async fn call<T, F>(
        &self,
        deadline: Deadline,
        attempt: impl Fn(Deadline) -> F,
    ) -> Result<T, ApiError>
    where
        F: Future<Output = Result<Response<T>, Status>> + Send,
    {
        let mut number = 1;
        loop {
            let limit = deadline.min(Deadline::after(self.settings.attempt_timeout));
            let error = match limit.run(attempt(limit)).await {
                Ok(Ok(answer)) => {
                    self.budget.succeeded();
                    return Ok(answer.into_inner());
                }
                Ok(Err(status)) => api_error(&status),
                Err(late) => late,
            };
            if !may_pass(error.code) || number >= self.settings.attempts_max {
                return Err(error);
            }
            if !self.wait(number, error.retry_after_s, deadline).await {
                return Err(error);
            }
            tracing::debug!(reason = error.reason, attempt = number, "trying again");
            number += 1;
        }
    }

    /// Waits before the next attempt; `false` when there is no budget for it, or no time.
    async fn wait(&self, attempt: u32, asked_s: Option<u32>, deadline: Deadline) -> bool {
        let mut bytes = [0; 4];
        self.random.fill(&mut bytes);
        let asked = Duration::from_secs(asked_s.unwrap_or_default().into());
        let wait = self
            .settings
            .backoff
            .wait(attempt, u32::from_be_bytes(bytes))
            .max(asked);
        if !self.budget.failed() || wait >= deadline.remaining() {
            return false;
        }
        tokio::time::sleep(wait).await;
        true
    }
}

fn item(item: wire::ScoreBatchItem) -> Result<wire::ScoreResponse, ApiError> {
    match item.outcome {
        Some(Outcome::Answer(answer)) => Ok(answer),
        Some(Outcome::Error(error)) => Err(retry::refusal(error)),
        None => Err(ApiError::new(
            ErrorCode::Internal,
            "ANSWER_INVALID",
            "the gateway sent an item without an outcome",
        )),
    }
}
