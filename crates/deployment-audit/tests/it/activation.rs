//! Deployments from proposal to traffic and back, with a restart at every point.

use std::sync::Arc;
use std::time::Duration;

use deployment_audit::app::deployments::NewApproval;
use deployment_audit::app::history::History;
use fcs_core::ErrorCode;
use fcs_rollout::{DeploymentState, Environment, TrafficTable};
use fcs_testkit::wait::until;

use crate::support::app::{FakeTraffic, Life, Mood, proposal};
use crate::support::{Backend, on_both};

on_both!(
    a_model_goes_into_traffic_and_out_again,
    four_eyes_are_kept,
    every_broken_field_is_named,
    a_restart_after_the_intent_applies_it,
    a_restart_after_the_traffic_only_confirms_it,
    a_lost_answer_is_not_applied_again,
    a_refusal_reaches_the_caller_and_can_be_rolled_back,
    traffic_that_somebody_else_moved_is_left_alone,
    a_restart_in_the_rollback_goes_on,
    one_change_at_a_time,
    a_request_that_goes_away_takes_nothing_with_it,
    an_altered_event_is_not_believed,
);

const DEVELOPMENT: Environment = Environment::Development;

fn life(backend: &Backend, traffic: &Arc<FakeTraffic>) -> Life {
    Life::start(&backend.store, traffic, DEVELOPMENT)
}

fn kinds(history: &History) -> Vec<&'static str> {
    history
        .events
        .iter()
        .map(|logged| logged.recorded.event.kind())
        .collect()
}

async fn a_model_goes_into_traffic_and_out_again(backend: Backend) {
    let traffic = Arc::new(FakeTraffic::default());
    let life = life(&backend, &traffic).reconcile();
    let id = life
        .register("taiwan-default/1")
        .await
        .deployment_id
        .to_string();
    let active = life.deployments.activate(&id, "rita").await.unwrap();
    assert_eq!(active.deployment.state(), DeploymentState::Active);
    assert_eq!(
        kinds(&active),
        ["registered", "activation_requested", "activated"]
    );
    let table = traffic.table_in_force();
    assert_eq!(table.generation(), 1);
    assert_eq!(table.arms()[0].model.as_str(), "taiwan-default/1");
    assert_eq!(table.arms()[0].weight_basis_points, 10_000);
    let again = life.deployments.activate(&id, "rita").await.unwrap();
    assert_eq!(again, active, "asking again changes nothing");
    let back = life
        .deployments
        .roll_back(&id, "rita", "worse than hoped")
        .await
        .unwrap();
    assert_eq!(back.deployment.state(), DeploymentState::RolledBack);
    assert_eq!(back.events.len(), 5);
    assert!(traffic.table_in_force().is_empty());
    assert_eq!(traffic.table_in_force().generation(), 2);
    let leaves = backend.store.leaves(0, 100).await.unwrap();
    assert_eq!(leaves.len(), 5);
    for (logged, leaf) in back.events.iter().zip(leaves) {
        assert_eq!(logged.recorded.leaf_bytes(&back.deployment_id), leaf.data);
        assert_eq!(logged.leaf_index, leaf.index);
    }
    life.end().await;
}

async fn four_eyes_are_kept(backend: Backend) {
    let traffic = Arc::new(FakeTraffic::default());
    let life = Life::start(&backend.store, &traffic, Environment::Staging).reconcile();
    let registered = life.register("taiwan-default/1").await;
    let id = registered.deployment_id.to_string();
    let early = life.deployments.activate(&id, "rita").await.unwrap_err();
    assert_eq!(early.reason, "APPROVALS_MISSING");
    let plan_digest = registered.deployment.plan_digest().to_string();
    let approval = |actor: &str, plan_digest: &str| NewApproval {
        actor: actor.to_owned(),
        plan_digest: plan_digest.to_owned(),
        comment: String::new(),
    };
    for actor in ["ada", "ADA", "rita", "Rita"] {
        let own = life
            .deployments
            .approve(&id, &approval(actor, &plan_digest))
            .await
            .unwrap_err();
        assert_eq!(own.code, ErrorCode::PermissionDenied, "{actor}");
    }
    let other = life
        .deployments
        .approve(&id, &approval("bea", &"00".repeat(32)))
        .await;
    assert_eq!(other.unwrap_err().reason, "PLAN_DIGEST_MISMATCH");
    let approved = life
        .deployments
        .approve(&id, &approval("Bea", &plan_digest))
        .await
        .unwrap();
    assert_eq!(approved.deployment.state(), DeploymentState::Approved);
    let stored = backend.store.deployment(&id).await.unwrap().unwrap();
    assert_eq!(stored.summary.approver.as_deref(), Some("bea"));
    let active = life.deployments.activate(&id, "rita").await.unwrap();
    assert_eq!(active.deployment.state(), DeploymentState::Active);
    life.end().await;
}

async fn every_broken_field_is_named(backend: Backend) {
    let traffic = Arc::new(FakeTraffic::default());
    let life = life(&backend, &traffic);
    let mut new = proposal("no-version", Environment::Production);
    new.git_commit.push('!');
    new.actor = String::new();
    let error = life.deployments.register(&new).await.unwrap_err();
    let pointers: Vec<_> = error
        .violations
        .iter()
        .map(|broken| broken.pointer.as_str())
        .collect();
    assert_eq!(
        pointers,
        [
            "/actor",
            "/change/model",
            "/change/git_commit",
            "/environment"
        ]
    );
    assert!(
        error.violations[3]
            .description
            .contains("deploys to development")
    );
    let nobody = life.deployments.find("dep_nonsense").await.unwrap_err();
    assert_eq!(nobody.code, ErrorCode::InvalidArgument);
    let unknown = "dep_01981f6e-0000-7000-8000-000000000000";
    let unknown = life
        .deployments
        .activate(unknown, "rita")
        .await
        .unwrap_err();
    assert_eq!(unknown.code, ErrorCode::NotFound);
    assert!(life.deployments.list(1_001).await.is_err());
    life.end().await;
}

async fn a_restart_after_the_intent_applies_it(backend: Backend) {
    let traffic = Arc::new(FakeTraffic::default());
    let first = life(&backend, &traffic);
    let id = first
        .register("taiwan-default/1")
        .await
        .deployment_id
        .to_string();
    first.ask_for_activation(&id).await;
    first.end().await;
    assert_eq!(traffic.applied(), 0);
    let second = life(&backend, &traffic);
    second.round().await;
    let found = second.deployments.find(&id).await.unwrap();
    assert_eq!(found.deployment.state(), DeploymentState::Active);
    second.round().await;
    assert_eq!(traffic.applied(), 1);
    second.end().await;
}

async fn a_restart_after_the_traffic_only_confirms_it(backend: Backend) {
    let traffic = Arc::new(FakeTraffic::default());
    let first = life(&backend, &traffic);
    let id = first
        .register("taiwan-default/1")
        .await
        .deployment_id
        .to_string();
    first.ask_for_activation(&id).await;
    let found = first.deployments.find(&id).await.unwrap();
    // The table arrived, and the process died before it recorded that.
    traffic.force(found.deployment.desired_traffic().unwrap().clone());
    first.end().await;
    let second = life(&backend, &traffic);
    second.round().await;
    let found = second.deployments.find(&id).await.unwrap();
    assert_eq!(found.deployment.state(), DeploymentState::Active);
    assert_eq!(traffic.applied(), 0, "nothing was left to do");
    second.end().await;
}

async fn a_lost_answer_is_not_applied_again(backend: Backend) {
    let traffic = Arc::new(FakeTraffic::default());
    let life = life(&backend, &traffic);
    let id = life
        .register("taiwan-default/1")
        .await
        .deployment_id
        .to_string();
    life.ask_for_activation(&id).await;
    for mood in [Mood::Silent, Mood::LosingAnswers] {
        traffic.set_mood(mood);
        life.round().await;
        let found = life.deployments.find(&id).await.unwrap();
        assert_eq!(found.deployment.state(), DeploymentState::Activating);
    }
    traffic.set_mood(Mood::Obliging);
    life.round().await;
    let found = life.deployments.find(&id).await.unwrap();
    assert_eq!(found.deployment.state(), DeploymentState::Active);
    assert_eq!(traffic.applied(), 1);
    life.end().await;
}

async fn a_refusal_reaches_the_caller_and_can_be_rolled_back(backend: Backend) {
    let traffic = Arc::new(FakeTraffic::default());
    let life = life(&backend, &traffic).reconcile();
    let id = life
        .register("taiwan-default/1")
        .await
        .deployment_id
        .to_string();
    traffic.set_mood(Mood::Refusing("model taiwan-default/1 is not signed"));
    let refused = life.deployments.activate(&id, "rita").await.unwrap_err();
    assert_eq!(
        (refused.code, refused.reason),
        (ErrorCode::FailedPrecondition, "GATEWAY_REFUSED")
    );
    assert!(
        refused.message.contains("taiwan-default/1 is not signed"),
        "{refused}"
    );
    let again = life.deployments.activate(&id, "rita").await.unwrap_err();
    assert_eq!(again, refused, "the reason can be read again");
    let found = life.deployments.find(&id).await.unwrap();
    assert_eq!(found.deployment.state(), DeploymentState::Activating);
    traffic.set_mood(Mood::Obliging);
    let back = life
        .deployments
        .roll_back(&id, "rita", "it is not signed")
        .await
        .unwrap();
    assert_eq!(back.deployment.state(), DeploymentState::RolledBack);
    assert!(traffic.table_in_force().is_empty());
    life.end().await;
}

async fn traffic_that_somebody_else_moved_is_left_alone(backend: Backend) {
    let traffic = Arc::new(FakeTraffic::default());
    let first = life(&backend, &traffic);
    let id = first
        .register("taiwan-default/1")
        .await
        .deployment_id
        .to_string();
    first.ask_for_activation(&id).await;
    first.end().await;
    let foreign = TrafficTable::new(7, "other".to_owned(), Vec::new()).unwrap();
    traffic.force(foreign.clone());
    let second = life(&backend, &traffic).reconcile();
    let moved = second.deployments.activate(&id, "rita").await.unwrap_err();
    assert_eq!(moved.reason, "TRAFFIC_MOVED");
    assert_eq!(traffic.table_in_force(), foreign);
    let back = second
        .deployments
        .roll_back(&id, "rita", "overtaken")
        .await
        .unwrap();
    assert_eq!(back.deployment.state(), DeploymentState::RolledBack);
    assert_eq!(traffic.table_in_force().generation(), 8);
    second.end().await;
}

async fn a_restart_in_the_rollback_goes_on(backend: Backend) {
    let traffic = Arc::new(FakeTraffic::default());
    let first = life(&backend, &traffic);
    let id = first
        .register("taiwan-default/1")
        .await
        .deployment_id
        .to_string();
    first.ask_for_activation(&id).await;
    first.round().await;
    first.ask_for_rollback(&id).await;
    first.end().await;
    let second = life(&backend, &traffic);
    second.round().await;
    let found = second.deployments.find(&id).await.unwrap();
    assert_eq!(found.deployment.state(), DeploymentState::RolledBack);
    assert!(traffic.table_in_force().is_empty());
    second.end().await;
}

async fn one_change_at_a_time(backend: Backend) {
    let traffic = Arc::new(FakeTraffic::default());
    let life = life(&backend, &traffic);
    let one = life
        .register("taiwan-default/1")
        .await
        .deployment_id
        .to_string();
    let other = life
        .register("taiwan-default/2")
        .await
        .deployment_id
        .to_string();
    life.ask_for_activation(&one).await;
    let refused = life.deployments.activate(&other, "rita").await.unwrap_err();
    assert_eq!(
        (refused.code, refused.reason),
        (ErrorCode::Aborted, "CHANGE_IN_FLIGHT")
    );
    assert!(refused.message.contains(&one));
    life.round().await;
    life.ask_for_activation(&other).await;
    life.round().await;
    assert_eq!(
        traffic.table_in_force().arms()[0].model.as_str(),
        "taiwan-default/2"
    );
    life.end().await;
}

async fn a_request_that_goes_away_takes_nothing_with_it(backend: Backend) {
    let traffic = Arc::new(FakeTraffic::default());
    let life = life(&backend, &traffic);
    let new = proposal("taiwan-default/1", DEVELOPMENT);
    // Polled once, then dropped: the command is with the writer by then.
    let dropped = tokio::time::timeout(Duration::ZERO, life.deployments.register(&new)).await;
    assert!(
        dropped.is_err(),
        "the request was dropped before its answer"
    );
    let listed = until("the writer records it", Duration::from_secs(10), || async {
        life.deployments.list(0).await.unwrap().pop()
    })
    .await;
    assert_eq!(kinds(&listed), ["registered"]);
    assert_eq!(backend.store.log_size().await.unwrap(), 1);
    life.end().await;
}

async fn an_altered_event_is_not_believed(backend: Backend) {
    let traffic = Arc::new(FakeTraffic::default());
    let life = life(&backend, &traffic);
    let id = life
        .register("taiwan-default/1")
        .await
        .deployment_id
        .to_string();
    assert_eq!(
        backend
            .execute("UPDATE deployment_events SET actor = 'mallory'")
            .await
            .unwrap(),
        1
    );
    let error = life.deployments.find(&id).await.unwrap_err();
    assert_eq!(
        (error.code, error.reason),
        (ErrorCode::Internal, "STORE_DAMAGED")
    );
    life.end().await;
}
