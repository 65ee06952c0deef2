//! `ScoringService`.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ApiError, DecisionId, InvalidId};
use fcs_proto::scoring::v1::scoring_service_server::ScoringService;
use fcs_proto::scoring::v1::{
    GetDecisionRequest, GetDecisionResponse, ListDecisionsRequest, ListDecisionsResponse,
    ReplayDecisionRequest, ReplayDecisionResponse, ScoreRequest, ScoreResponse,
};
use fcs_service::grpc::{Deadline, status};
use tonic::{Request, Response, Status};

use super::convert;
use crate::app::App;
use crate::app::command::ScoreCommand;
use crate::app::decisions::{PageQuery, REPLAY_TIMEOUT};

pub(super) struct Scoring {
    pub(super) app: Arc<App>,
    pub(super) score_timeout: Duration,
}

#[async_trait::async_trait]
impl ScoringService for Scoring {
    async fn score(
        &self,
        request: Request<ScoreRequest>,
    ) -> Result<Response<ScoreResponse>, Status> {
        let deadline = Deadline::from_metadata(request.metadata(), self.score_timeout);
        answer(self.decide(request.into_inner(), deadline).await)
    }

    async fn get_decision(
        &self,
        request: Request<GetDecisionRequest>,
    ) -> Result<Response<GetDecisionResponse>, Status> {
        answer(self.find(request.into_inner()).await)
    }

    async fn list_decisions(
        &self,
        request: Request<ListDecisionsRequest>,
    ) -> Result<Response<ListDecisionsResponse>, Status> {
        answer(self.list(request.into_inner()).await)
    }

    async fn replay_decision(
        &self,
        request: Request<ReplayDecisionRequest>,
    ) -> Result<Response<ReplayDecisionResponse>, Status> {
        let deadline = Deadline::from_metadata(request.metadata(), REPLAY_TIMEOUT);
        answer(
            self.compute_again(&request.into_inner().decision_id, deadline)
                .await,
        )
    }
}

impl Scoring {
    async fn decide(
        &self,
        request: ScoreRequest,
        deadline: Deadline,
    ) -> Result<ScoreResponse, ApiError> {
        let features = convert::features(request.features);
        let command =
            ScoreCommand::new(&request.idempotency_key, &request.application_id, features)
                .inspect_err(|error| self.app.metrics.score_error(error.code))?;
        let scored = self.app.score(command, deadline).await?;
        let decision = convert::decision(&scored.decision)?;
        Ok(ScoreResponse {
            decision: Some(decision),
            replayed: scored.replayed,
        })
    }

    async fn find(&self, request: GetDecisionRequest) -> Result<GetDecisionResponse, ApiError> {
        let stored = match (
            request.decision_id.as_str(),
            request.application_id.as_str(),
        ) {
            ("", "") => {
                let message = "give a decision_id or an application_id";
                return Err(ApiError::invalid("DECISION_ID_MISSING", message, vec![]));
            }
            ("", application_id) => {
                let id = application_id
                    .parse()
                    .map_err(|error| invalid_id("APPLICATION_ID_INVALID", &error))?;
                self.app.latest_decision(&id).await?
            }
            (decision_id, _) => self.app.decision(parse_decision_id(decision_id)?).await?,
        };
        Ok(GetDecisionResponse {
            decision: Some(convert::decision(&stored)?),
        })
    }

    async fn list(&self, request: ListDecisionsRequest) -> Result<ListDecisionsResponse, ApiError> {
        let query = PageQuery {
            application_id: None,
            after_index: request.after_index,
            page_size: request.page_size,
        };
        let page = self.app.list_decisions(&query).await?;
        let decisions = page
            .decisions
            .iter()
            .map(convert::decision)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(ListDecisionsResponse {
            decisions,
            highest_index: page.highest_index,
        })
    }

    async fn compute_again(
        &self,
        decision_id: &str,
        deadline: Deadline,
    ) -> Result<ReplayDecisionResponse, ApiError> {
        let replay = self
            .app
            .replay(parse_decision_id(decision_id)?, deadline)
            .await?;
        Ok(ReplayDecisionResponse {
            identical: replay.is_identical(),
            stored_record: replay.stored.to_vec(),
            recomputed_record: replay.recomputed,
        })
    }
}

fn parse_decision_id(text: &str) -> Result<DecisionId, ApiError> {
    text.parse()
        .map_err(|error| invalid_id("DECISION_ID_INVALID", &error))
}

fn invalid_id(reason: &'static str, error: &InvalidId) -> ApiError {
    ApiError::invalid(reason, error.to_string(), vec![])
}

fn answer<T>(result: Result<T, ApiError>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|error| status(&error))
}
