//! `ScoringService`.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ApiError, DecisionId, InvalidId};
use fcs_proto::scoring::v1::scoring_service_server::ScoringService;
use fcs_proto::scoring::v1::{
    GetDecisionRequest, GetDecisionResponse, ListDecisionsRequest, ListDecisionsResponse,
    ReplayDecisionRequest, ReplayDecisionResponse, ScoreRequest, ScoreResponse,
};
use fcs_service::auth::Principal;
use fcs_service::grpc::{Deadline, status};
use tonic::{Request, Response, Status};

use super::{application, convert};
use crate::app::App;
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
        let caller = caller(&request)?;
        answer(self.decide(&caller, request.into_inner(), deadline).await)
    }

    async fn get_decision(
        &self,
        request: Request<GetDecisionRequest>,
    ) -> Result<Response<GetDecisionResponse>, Status> {
        let caller = caller(&request)?;
        answer(self.find(&caller, request.into_inner()).await)
    }

    async fn list_decisions(
        &self,
        request: Request<ListDecisionsRequest>,
    ) -> Result<Response<ListDecisionsResponse>, Status> {
        let caller = caller(&request)?;
        answer(self.list(&caller, request.into_inner()).await)
    }

    async fn replay_decision(
        &self,
        request: Request<ReplayDecisionRequest>,
    ) -> Result<Response<ReplayDecisionResponse>, Status> {
        let deadline = Deadline::from_metadata(request.metadata(), REPLAY_TIMEOUT);
        let caller = caller(&request)?;
        answer(
            self.compute_again(&caller, &request.into_inner().decision_id, deadline)
                .await,
        )
    }
}

impl Scoring {
    async fn decide(
        &self,
        caller: &Principal,
        request: ScoreRequest,
        deadline: Deadline,
    ) -> Result<ScoreResponse, ApiError> {
        let command = application::command(request)
            .inspect_err(|error| self.app.metrics.score_error(error.code))?;
        let scored = self.app.score(caller, command, deadline).await?;
        let decision = convert::decision(&scored.decision)?;
        Ok(ScoreResponse {
            decision: Some(decision),
            replayed: scored.replayed,
        })
    }

    async fn find(
        &self,
        caller: &Principal,
        request: GetDecisionRequest,
    ) -> Result<GetDecisionResponse, ApiError> {
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
                self.app.latest_decision(&caller.tenant, &id).await?
            }
            (decision_id, _) => {
                self.app
                    .decision(&caller.tenant, parse_decision_id(decision_id)?)
                    .await?
            }
        };
        Ok(GetDecisionResponse {
            decision: Some(convert::decision(&stored)?),
        })
    }

    async fn list(
        &self,
        caller: &Principal,
        request: ListDecisionsRequest,
    ) -> Result<ListDecisionsResponse, ApiError> {
        let query = PageQuery {
            application_id: None,
            after_index: request.after_index,
            page_size: request.page_size,
        };
        let page = self.app.list_decisions(&caller.tenant, &query).await?;
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
        caller: &Principal,
        decision_id: &str,
        deadline: Deadline,
    ) -> Result<ReplayDecisionResponse, ApiError> {
        let replay = self
            .app
            .replay(&caller.tenant, parse_decision_id(decision_id)?, deadline)
            .await?;
        Ok(ReplayDecisionResponse {
            identical: replay.is_identical(),
            stored_record: replay.stored.to_vec(),
            recomputed_record: replay.recomputed,
        })
    }
}

fn caller<T>(request: &Request<T>) -> Result<Principal, Status> {
    Principal::of(request)
        .cloned()
        .map_err(|error| status(&error))
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
