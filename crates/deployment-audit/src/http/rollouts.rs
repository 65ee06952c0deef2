//! `/v1/rollouts`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use fcs_core::ApiError;
use fcs_rollout::rollout::{Analysis, Event, Limits, PauseCause, Plan, Strategy};
use fcs_service::problem::{Problem, ProblemJson};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::app::recorder::{LoggedRolloutEvent, RolloutHistory};
use crate::app::rollouts::{NewRollout, Rollouts};
use crate::store::rollouts::RolloutRow;

type App = State<Arc<Rollouts>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProposeBody {
    actor: String,
    environment: String,
    change: ChangeBody,
    #[serde(default)]
    committers: Vec<String>,
    #[serde(default = "Strategy::usual_canary")]
    strategy: Strategy,
    #[serde(default)]
    analysis: Analysis,
    #[serde(default)]
    limits: Limits,
    point_of_no_return: Option<usize>,
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
struct ApproveBody {
    actor: String,
    plan_digest: String,
    #[serde(default)]
    comment: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActorBody {
    actor: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PromoteBody {
    actor: String,
    #[serde(default)]
    comment: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonBody {
    actor: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    #[serde(default)]
    page_size: u32,
}

#[derive(Serialize)]
struct RolloutAnswer {
    rollout_id: String,
    phase: &'static str,
    pause: Option<PauseCause>,
    requested_by: String,
    plan_digest: String,
    plan: Plan,
    step: usize,
    weight_basis_points: u32,
    baked_micros: u64,
    bake_needed_micros: u64,
    head_digest: String,
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
struct RowAnswer {
    rollout_id: String,
    environment: String,
    model: String,
    requested_by: String,
    phase: String,
    approvals: u64,
    updated_at: String,
}

#[derive(Serialize)]
struct ListAnswer {
    rollouts: Vec<RowAnswer>,
}

/// The routes of rollouts.
pub(super) fn routes(app: Arc<Rollouts>) -> Router {
    Router::new()
        .route("/v1/rollouts", post(propose).get(list))
        .route("/v1/rollouts/{id}", get(find))
        .route("/v1/rollouts/{id}/approve", post(approve))
        .route("/v1/rollouts/{id}/reject", post(reject))
        .route("/v1/rollouts/{id}/start", post(start))
        .route("/v1/rollouts/{id}/pause", post(pause))
        .route("/v1/rollouts/{id}/resume", post(resume))
        .route("/v1/rollouts/{id}/promote", post(promote))
        .route("/v1/rollouts/{id}/abort", post(abort))
        .route("/v1/rollouts/{id}/rollback", post(roll_back))
        .with_state(app)
}

async fn propose(
    State(app): App,
    ProblemJson(body): ProblemJson<ProposeBody>,
) -> Result<impl IntoResponse, Problem> {
    let change = body.change;
    let new = NewRollout {
        actor: body.actor,
        environment: body.environment,
        model: change.model,
        manifest_digest: change.manifest_digest,
        git_commit: change.git_commit,
        author: change.author,
        committers: body.committers,
        description: change.description,
        strategy: body.strategy,
        analysis: body.analysis,
        limits: body.limits,
        point_of_no_return: body.point_of_no_return,
    };
    Ok((StatusCode::CREATED, answer(app.propose(new).await)?))
}

async fn approve(
    State(app): App,
    Path(id): Path<String>,
    ProblemJson(body): ProblemJson<ApproveBody>,
) -> Result<ProblemJson<RolloutAnswer>, Problem> {
    let ApproveBody {
        actor,
        plan_digest,
        comment,
    } = body;
    answer(app.approve(&id, &actor, &plan_digest, &comment).await)
}

async fn reject(
    State(app): App,
    Path(id): Path<String>,
    ProblemJson(body): ProblemJson<ReasonBody>,
) -> Result<ProblemJson<RolloutAnswer>, Problem> {
    answer(app.reject(&id, &body.actor, &body.reason).await)
}

async fn start(
    State(app): App,
    Path(id): Path<String>,
    ProblemJson(body): ProblemJson<ActorBody>,
) -> Result<ProblemJson<RolloutAnswer>, Problem> {
    answer(app.start(&id, &body.actor).await)
}

async fn pause(
    State(app): App,
    Path(id): Path<String>,
    ProblemJson(body): ProblemJson<ActorBody>,
) -> Result<ProblemJson<RolloutAnswer>, Problem> {
    answer(app.pause(&id, &body.actor).await)
}

async fn resume(
    State(app): App,
    Path(id): Path<String>,
    ProblemJson(body): ProblemJson<ReasonBody>,
) -> Result<ProblemJson<RolloutAnswer>, Problem> {
    answer(app.resume(&id, &body.actor, &body.reason).await)
}

async fn promote(
    State(app): App,
    Path(id): Path<String>,
    ProblemJson(body): ProblemJson<PromoteBody>,
) -> Result<ProblemJson<RolloutAnswer>, Problem> {
    answer(app.promote(&id, &body.actor, &body.comment).await)
}

async fn abort(
    State(app): App,
    Path(id): Path<String>,
    ProblemJson(body): ProblemJson<ReasonBody>,
) -> Result<ProblemJson<RolloutAnswer>, Problem> {
    answer(app.abort(&id, &body.actor, &body.reason).await)
}

async fn roll_back(
    State(app): App,
    Path(id): Path<String>,
    ProblemJson(body): ProblemJson<ReasonBody>,
) -> Result<ProblemJson<RolloutAnswer>, Problem> {
    answer(app.roll_back(&id, &body.actor, &body.reason).await)
}

async fn find(
    State(app): App,
    Path(id): Path<String>,
) -> Result<ProblemJson<RolloutAnswer>, Problem> {
    answer(app.find(&id).await)
}

async fn list(
    State(app): App,
    Query(query): Query<PageQuery>,
) -> Result<ProblemJson<ListAnswer>, Problem> {
    let rows = app.list(query.page_size).await?;
    let rollouts = rows.into_iter().map(row).collect();
    Ok(ProblemJson(ListAnswer { rollouts }))
}

fn row(row: RolloutRow) -> RowAnswer {
    let summary = row.summary;
    RowAnswer {
        rollout_id: row.rollout_id,
        environment: summary.environment,
        model: summary.model,
        requested_by: summary.requester,
        phase: summary.phase,
        approvals: summary.approvals,
        updated_at: row.updated_at.to_string(),
    }
}

fn answer(
    outcome: Result<RolloutHistory, ApiError>,
) -> Result<ProblemJson<RolloutAnswer>, Problem> {
    let history = outcome?;
    let rollout = history.rollout;
    let (baked_micros, bake_needed_micros) = rollout.baked_micros();
    Ok(ProblemJson(RolloutAnswer {
        rollout_id: history.rollout_id.to_string(),
        phase: rollout.phase().as_str(),
        pause: rollout.pause().map(|pause| pause.cause),
        requested_by: rollout.requested_by().to_string(),
        plan_digest: rollout.plan_digest().to_string(),
        plan: rollout.plan().clone(),
        step: rollout.step(),
        weight_basis_points: rollout.desired().weight_basis_points,
        baked_micros,
        bake_needed_micros,
        head_digest: history.head.to_string(),
        events: history.events.into_iter().map(event).collect(),
    }))
}

fn event(logged: LoggedRolloutEvent) -> EventAnswer {
    let recorded = logged.recorded;
    EventAnswer {
        sequence: recorded.sequence,
        occurred_at: recorded.at.to_string(),
        actor: recorded.actor.to_string(),
        kind: recorded.event.kind(),
        detail: recorded.event,
        leaf_index: logged.leaf_index,
    }
}
