//! The use case of the gateway: decide on one application.

use std::time::Instant;

use fcs_core::{ApiError, DecisionId, ErrorCode, RandomBytes, Violation};
use fcs_decision::calendar::Day;
use fcs_decision::catalogue::NoTexts;
use fcs_decision::decision::{DecisionContext, decide, decide_incomplete};
use fcs_decision::features::Reading;
use fcs_decision::manifest::Manifest;
use fcs_decision::record::{DecisionRecord, RECORD_FORMAT};
use fcs_service::admission::{Class, Place};
use fcs_service::auth::{Principal, PrincipalKind};
use fcs_service::grpc::Deadline;
use fcs_service::problem::internal;

use super::command::{ScoreCommand, invalid_request};
use super::queue::{self, Scored, answer};
use super::{App, store_unavailable};
use crate::metrics::ArmRequest;
use crate::store::{Claim, DEFAULT_CLIENT, Draft};

/// Where a request leaves word of the arm that it was given to.
struct Given<'a> {
    started: Instant,
    request: &'a mut Option<Box<ArmRequest>>,
}

/// The scope of a caller's idempotency keys within its tenant. It outlives the caller's API keys.
pub(super) fn client_of(caller: &Principal) -> String {
    match caller.kind {
        PrincipalKind::Anyone => DEFAULT_CLIENT.to_owned(),
        kind => format!("{}:{}", kind.as_str(), caller.subject),
    }
}

impl App {
    /// Decides on one application, or gives the decision that its key stands for already. The answer is durable.
    ///
    /// Dropping the future drops the request up to the moment when its draft is with the writer, and nothing after.
    pub async fn score(
        &self,
        caller: &Principal,
        command: ScoreCommand,
        deadline: Deadline,
    ) -> Result<Scored, ApiError> {
        let place = self.admission.enter(Class::Decision).await;
        self.score_admitted(caller, command, deadline, place).await
    }

    /// The same for a request that has its place already, or was refused one.
    pub(super) async fn score_admitted(
        &self,
        caller: &Principal,
        command: ScoreCommand,
        deadline: Deadline,
        place: Result<Place, ApiError>,
    ) -> Result<Scored, ApiError> {
        let started = Instant::now();
        let mut given = None;
        let result = async {
            let _place = place?;
            let given = Given {
                started,
                request: &mut given,
            };
            self.score_uncounted(caller, command, deadline, given).await
        };
        let result = result.await;
        if let Some(request) = given {
            match &result {
                Ok(scored) if scored.replayed => request.repeated(),
                Ok(_) => request.decided(),
                Err(error) => request.failed(error),
            }
        }
        self.metrics
            .score_seconds
            .observe(started.elapsed().as_secs_f64());
        match &result {
            Ok(scored) if scored.replayed => drop(self.metrics.replayed_answers.inc()),
            Ok(_) => {}
            Err(error) => self.metrics.score_error(error.code),
        }
        result
    }

    async fn score_uncounted(
        &self,
        caller: &Principal,
        command: ScoreCommand,
        deadline: Deadline,
        given: Given<'_>,
    ) -> Result<Scored, ApiError> {
        let claim = Claim {
            tenant: caller.tenant.clone(),
            client: client_of(caller),
            key: command.key.clone(),
            fingerprint: command.fingerprint(),
        };
        let flight = self.flights.enter(&claim)?;
        let place = self.queue.reserve()?;
        match self.decide(&command, deadline, given).await {
            Ok((record, bins)) => place.write(Draft::new(claim, &record, bins), flight).await,
            Err(error) => self.known(claim, place).await?.ok_or(error),
        }
    }

    /// The answer that a key stands for already. A new key is the rule, and the writer looks each of them up in any
    /// case; so it is looked up here only for a request that cannot be decided: a known key needs neither a model
    /// server nor an active model.
    async fn known(&self, claim: Claim, place: queue::Place) -> Result<Option<Scored>, ApiError> {
        let known = self.store.claimed(&claim).await;
        let known = known.map_err(store_unavailable)?;
        match known {
            None => Ok(None),
            Some(claimed) if self.queue.confirmed().covers(claimed.decision.log_index()) => {
                answer(claimed, true).map(Some)
            }
            Some(_) => place.confirm(claim).await.map(Some),
        }
    }

    /// The decision, and the bins of its features and score.
    async fn decide(
        &self,
        command: &ScoreCommand,
        deadline: Deadline,
        given: Given<'_>,
    ) -> Result<(DecisionRecord, Vec<u16>), ApiError> {
        let table = self.traffic.table();
        let assignment = table.assign(&command.application_id)?;
        let request = self.metrics.arm_request(assignment.arm, given.started);
        *given.request = Some(Box::new(request));
        let model = &assignment.arm.model;
        let manifest = deadline.run(self.catalog.manifest(model)).await??;
        let context = DecisionContext {
            arm: assignment.arm.name.clone(),
            cohort_basis_point: assignment.basis_point,
            traffic_generation: table.generation,
            ..self.fresh_context(command)
        };
        check_received(&context)?;
        check_texts(&manifest, &context)?;
        let reading = manifest
            .read(&command.features, &command.application)
            .map_err(invalid_request)?;
        let row = match reading {
            Reading::Complete(row) => row,
            Reading::Incomplete(row) => {
                let record = decide_incomplete(&manifest, &row, &context)
                    .map_err(|error| internal("DECISION_FAILED", error))?;
                return Ok((record, Vec::new()));
            }
        };
        let asked = Instant::now();
        let output = deadline
            .run(self.catalog.score(model, row.values(), deadline))
            .await??;
        self.metrics
            .model_seconds
            .observe(asked.elapsed().as_secs_f64());
        let record = decide(&manifest, &row, &output, &context)
            .map_err(|error| internal("DECISION_FAILED", error))?;
        let bins = manifest.bins_of(&row, record.score.unwrap_or_default());
        Ok((record, bins))
    }

    /// Identity, time and salt of a new decision.
    fn fresh_context(&self, command: &ScoreCommand) -> DecisionContext {
        let decided_at = self.clock.now();
        let mut identity = RandomBytes::default();
        self.random.fill(&mut identity);
        let mut salt = [0; 16];
        self.random.fill(&mut salt);
        DecisionContext {
            record_format: RECORD_FORMAT,
            application: command.application.clone(),
            decision_id: DecisionId::new(decided_at, &identity),
            application_id: command.application_id.clone(),
            decided_at,
            salt,
            arm: String::new(),
            cohort_basis_point: 0,
            traffic_generation: 0,
        }
    }
}

/// The clock of the notice begins with the application, so a day that has not come anywhere on earth is refused.
fn check_received(context: &DecisionContext) -> Result<(), ApiError> {
    let tomorrow = Day::of(context.decided_at).plus_days(1);
    match context.application.received_on {
        Some(day) if day > tomorrow => Err(invalid_request(vec![Violation {
            pointer: "/received_on".to_owned(),
            reason: "RECEIVED_ON_IN_FUTURE",
            description: format!("{day} has not come yet"),
        }])),
        _ => Ok(()),
    }
}

/// A request in a language without texts is refused before anything is scored.
fn check_texts(manifest: &Manifest, context: &DecisionContext) -> Result<(), ApiError> {
    let language = context.application.language.as_deref();
    match manifest.texts(language, Day::of(context.decided_at)) {
        Ok(_) => Ok(()),
        Err(error @ NoTexts::Language { .. }) => {
            let violation = Violation {
                pointer: "/language".to_owned(),
                reason: "LANGUAGE_NOT_AVAILABLE",
                description: error.to_string(),
            };
            Err(ApiError::invalid(
                "LANGUAGE_NOT_AVAILABLE",
                error.to_string(),
                vec![violation],
            ))
        }
        Err(error @ NoTexts::Day { .. }) => {
            let code = ErrorCode::FailedPrecondition;
            Err(ApiError::new(
                code,
                "REASON_TEXTS_NOT_IN_FORCE",
                error.to_string(),
            ))
        }
    }
}
