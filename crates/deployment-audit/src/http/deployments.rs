//! `/v1/deployments`.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use fcs_rollout::{Change, Event};
use fcs_service::problem::{Problem, ProblemJson};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::app::deployments::{Deployments, NewApproval, NewDeployment};
use crate::app::history::History;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterBody {
    actor: String,
    environment: String,
    change: ChangeBody,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    model: String,
    manifest_digest: String,
    git_commit: String,
    author: String,
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApproveBody {
    actor: String,
    plan_digest: String,
    #[serde(default)]
    comment: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActivateBody {
    actor: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RollBackBody {
    actor: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    #[serde(default)]
    page_size: u32,
}

#[derive(Serialize)]
pub(super) struct DeploymentAnswer {
    deployment_id: String,
    state: &'static str,
    environment: &'static str,
    requested_by: String,
    change: Change,
    plan_digest: String,
    events: Vec<EventAnswer>,
}

#[derive(Serialize)]
struct EventAnswer {
    sequence: u64,
    occurred_at: String,
    actor: String,
    kind: &'static str,
    detail: Event,
    leaf_index: u64,
}

#[derive(Serialize)]
pub(super) struct ListAnswer {
    deployments: Vec<DeploymentAnswer>,
}

pub(super) async fn register(
    State(app): State<Arc<Deployments>>,
    ProblemJson(body): ProblemJson<RegisterBody>,
) -> Result<impl IntoResponse, Problem> {
    let change = body.change;
    let new = NewDeployment {
        actor: body.actor,
        environment: body.environment,
        model: change.model,
        manifest_digest: change.manifest_digest,
        git_commit: change.git_commit,
        author: change.author,
        description: change.description,
    };
    Ok((StatusCode::CREATED, answer(app.register(&new).await?)))
}

pub(super) async fn approve(
    State(app): State<Arc<Deployments>>,
    Path(id): Path<String>,
    ProblemJson(body): ProblemJson<ApproveBody>,
) -> Result<ProblemJson<DeploymentAnswer>, Problem> {
    let ApproveBody {
        actor,
        plan_digest,
        comment,
    } = body;
    Ok(answer(
        app.approve(
            &id,
            &NewApproval {
                actor,
                plan_digest,
                comment,
            },
        )
        .await?,
    ))
}

pub(super) async fn activate(
    State(app): State<Arc<Deployments>>,
    Path(id): Path<String>,
    ProblemJson(body): ProblemJson<ActivateBody>,
) -> Result<ProblemJson<DeploymentAnswer>, Problem> {
    Ok(answer(app.activate(&id, &body.actor).await?))
}

pub(super) async fn roll_back(
    State(app): State<Arc<Deployments>>,
    Path(id): Path<String>,
    ProblemJson(body): ProblemJson<RollBackBody>,
) -> Result<ProblemJson<DeploymentAnswer>, Problem> {
    Ok(answer(app.roll_back(&id, &body.actor, &body.reason).await?))
}

pub(super) async fn find(
    State(app): State<Arc<Deployments>>,
    Path(id): Path<String>,
) -> Result<ProblemJson<DeploymentAnswer>, Problem> {
    Ok(answer(app.find(&id).await?))
}

pub(super) async fn list(
    State(app): State<Arc<Deployments>>,
    Query(query): Query<PageQuery>,
) -> Result<ProblemJson<ListAnswer>, Problem> {
    let deployments = app
        .list(query.page_size)
        .await?
        .into_iter()
        .map(convert)
        .collect();
    Ok(ProblemJson(ListAnswer { deployments }))
}

fn answer(history: History) -> ProblemJson<DeploymentAnswer> {
    ProblemJson(convert(history))
}

fn convert(history: History) -> DeploymentAnswer {
    let deployment = &history.deployment;
    let event = |logged: crate::app::history::LoggedEvent| EventAnswer {
        sequence: logged.recorded.sequence,
        occurred_at: logged.recorded.at.to_string(),
        actor: logged.recorded.actor.to_string(),
        kind: logged.recorded.event.kind(),
        detail: logged.recorded.event,
        leaf_index: logged.leaf_index,
    };
    DeploymentAnswer {
        deployment_id: history.deployment_id.to_string(),
        state: deployment.state().as_str(),
        environment: deployment.environment().as_str(),
        requested_by: deployment.requested_by().to_string(),
        change: deployment.change().clone(),
        plan_digest: deployment.plan_digest().to_string(),
        events: history.events.into_iter().map(event).collect(),
    }
}
