//! `ScoringService`.

use std::sync::Arc;
use std::time::Duration;

use fcs_core::{ApiError, ApplicationId};
use fcs_proto::scoring::v1::scoring_service_server::ScoringService;
use fcs_proto::scoring::v1::{
    ExplainDecisionRequest, ExplainDecisionResponse, GetDecisionRequest, GetDecisionResponse,
    ListDecisionsRequest, ListDecisionsResponse, ReplayDecisionRequest, ReplayDecisionResponse,
    ScoreBatchRequest, ScoreBatchResponse, ScoreRequest, ScoreResponse, ScoreStreamRequest,
};
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::{answer, application, batch, caller, convert, explain, invalid_id, parse_decision_id};
use crate::app::App;
use crate::app::batch::BATCH_TIMEOUT;
use crate::app::decisions::{PageQuery, REPLAY_TIMEOUT};

pub(super) struct Scoring {
    pub(super) app: Arc<App>,
    pub(super) score_timeout: Duration,
    pub(super) draining: CancellationToken,
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

    async fn score_batch(
        &self,
        request: Request<ScoreBatchRequest>,
    ) -> Result<Response<ScoreBatchResponse>, Status> {
        let deadline = Deadline::from_metadata(request.metadata(), BATCH_TIMEOUT);
        let caller = caller(&request)?;
        let request = request.into_inner();
        let answers = batch::batch(&self.app, &caller, request, self.score_timeout, deadline);
        answer(answers.await)
    }

    type ScoreStreamStream = batch::Answers;

    async fn score_stream(
        &self,
        request: Request<Streaming<ScoreStreamRequest>>,
    ) -> Result<Response<batch::Answers>, Status> {
        let caller = caller(&request)?;
        let app = Arc::clone(&self.app);
        let draining = self.draining.clone();
        let requests = request.into_inner();
        Ok(Response::new(batch::stream(
            app,
            caller,
            requests,
            self.score_timeout,
            draining,
        )))
    }

    async fn explain_decision(
        &self,
        request: Request<ExplainDecisionRequest>,
    ) -> Result<Response<ExplainDecisionResponse>, Status> {
        let deadline = Deadline::from_metadata(request.metadata(), REPLAY_TIMEOUT);
        let caller = caller(&request)?;
        answer(
            self.explain(&caller, &request.into_inner().decision_id, deadline)
                .await,
        )
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
        batch::score_response(&self.app.score(caller, command, deadline).await?)
    }

    async fn explain(
        &self,
        caller: &Principal,
        decision_id: &str,
        deadline: Deadline,
    ) -> Result<ExplainDecisionResponse, ApiError> {
        let id = parse_decision_id(decision_id)?;
        let explanation = self.app.explain(&caller.tenant, id, deadline).await?;
        Ok(explain::response(explanation))
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
                self.app
                    .latest_decision(&caller.tenant, &parse_application_id(application_id)?)
                    .await?
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
            application_id: match request.application_id.as_str() {
                "" => None,
                text => Some(parse_application_id(text)?),
            },
            after_index: request.after_index,
            page_size: request.page_size,
            page_token: request.page_token,
        };
        let page = self.app.list_decisions(&caller.tenant, &query).await?;
        let decisions = page
            .decisions
            .iter()
            .map(convert::found)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(ListDecisionsResponse {
            decisions,
            highest_index: page.highest_index,
            next_page_token: page.next_page_token.unwrap_or_default(),
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

fn parse_application_id(text: &str) -> Result<ApplicationId, ApiError> {
    text.parse()
        .map_err(|error| invalid_id("APPLICATION_ID_INVALID", &error))
}
