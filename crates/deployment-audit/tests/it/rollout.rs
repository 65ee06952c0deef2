//! Rollouts from proposal to the end, over both engines.

use deployment_audit::app::recorder::RolloutHistory;
use fcs_core::ErrorCode;
use fcs_rollout::Environment;
use fcs_rollout::rollout::{PauseCause, Phase};
use tokio::task::JoinSet;

use crate::support::app::Mood;
use crate::support::rollout::{BASELINE, CANDIDATE, Health, SECOND, World, proposal, whole};
use crate::support::{Backend, on_both};

on_both!(
    a_good_candidate_gets_everything_step_by_step,
    a_bad_candidate_goes_back,
    an_alarm_about_the_candidate_leads_back,
    four_eyes_are_kept,
    what_cannot_be_rolled_out_is_not_proposed,
    without_data_no_time_counts,
    five_rollbacks_at_once_are_one,
    two_controllers_at_once_do_the_same_as_one,
    a_refused_candidate_goes_back_with_the_reason,
    traffic_that_somebody_else_moved_is_seen_and_put_right,
    a_gate_takes_another_person,
    a_pause_is_a_pause_and_ends,
    aborted_early_it_never_has_traffic,
    one_at_a_time_and_for_the_table_it_was_made_for,
    a_gateway_that_does_not_follow_is_waited_for,
    a_rollback_that_fails_too_often_calls_people,
    an_altered_event_is_not_believed,
);

fn count(history: &RolloutHistory, kind: &str) -> usize {
    let kinds = World::kinds(history);
    kinds.into_iter().filter(|it| *it == kind).count()
}

async fn a_good_candidate_gets_everything_step_by_step(backend: Backend) {
    let world = World::new(&backend);
    let id = world.started().await;
    let controller = world.controller("one");
    world.drive(&id, &controller, Phase::Succeeded).await;
    assert_eq!(world.weights(), [0, 5_000, 10_000]);
    let history = world.history(&id).await;
    assert_eq!(count(&history, "step_passed"), 2);
    let table = world.traffic.table_in_force();
    let names: Vec<&str> = table.arms().iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(names, ["previous", "stable"], "the next one starts alike");
    assert_eq!(
        table.generation(),
        7,
        "5 to get ready, 6 and 7 for the steps"
    );
    assert_eq!(
        controller.round().await.unwrap(),
        0,
        "nothing is left to do"
    );
    let leaves = backend.store.leaves(0, 100).await.unwrap();
    assert_eq!(leaves.len(), history.events.len());
    let listed = world.rollouts.list(0).await.unwrap();
    assert_eq!(listed[0].summary.phase, "succeeded");
}

async fn a_bad_candidate_goes_back(backend: Backend) {
    let world = World::new(&backend);
    let before = world.traffic.table_in_force();
    let id = world.started().await;
    let controller = world.controller("one");
    world.drive(&id, &controller, Phase::Baking).await;
    world.set_health(Health::Bad);
    world.drive(&id, &controller, Phase::RolledBack).await;
    assert_eq!(world.weights(), [0, 5_000, 0]);
    let after = world.traffic.table_in_force();
    assert_eq!((after.arms(), after.salt()), (before.arms(), before.salt()));
    assert_eq!(after.generation(), 7);
}

async fn an_alarm_about_the_candidate_leads_back(backend: Backend) {
    let world = World::new(&backend);
    let id = world.started().await;
    let controller = world.controller("one");
    world.drive(&id, &controller, Phase::Baking).await;
    world.set_health(Health::Biased);
    world.drive(&id, &controller, Phase::RolledBack).await;
    let history = world.history(&id).await;
    let told = history.events.iter().map(|it| it.recorded.event.to_json());
    let told: Vec<_> = told.filter(|it| it.contains("bias alarm")).collect();
    assert_eq!(told.len(), 1);
    assert!(!told[0].contains("black"), "the log names no group");
    assert_eq!(world.weights(), [0, 5_000, 0]);
}

async fn four_eyes_are_kept(backend: Backend) {
    let world = World::of(&backend, Environment::Staging, 0);
    let id = world.propose().await;
    let rollouts = &world.rollouts;
    let early = rollouts.start(&id, "rita").await.unwrap_err();
    assert_eq!(early.reason, "WRONG_ROLLOUT_PHASE");
    let digest = world.history(&id).await.rollout.plan_digest().to_string();
    for maker in ["ada", "ADA", "cleo", "Rita"] {
        let own = rollouts.approve(&id, maker, &digest, "").await.unwrap_err();
        assert_eq!(own.code, ErrorCode::PermissionDenied, "{maker}");
    }
    let other = rollouts.approve(&id, "bea", &"00".repeat(32), "").await;
    assert_eq!(other.unwrap_err().reason, "PLAN_DIGEST_MISMATCH");
    rollouts.approve(&id, "Bea", &digest, "").await.unwrap();
    rollouts.start(&id, "rita").await.unwrap();
    assert_eq!(world.phase(&id).await, Phase::Preparing);
    let other = world.propose().await;
    let rejected = rollouts.reject(&other, "bea", "not now").await.unwrap();
    assert_eq!(rejected.rollout.phase(), Phase::Rejected);
}

async fn what_cannot_be_rolled_out_is_not_proposed(backend: Backend) {
    let world = World::new(&backend);
    let mut new = proposal(Environment::Production);
    new.committers.push(" ".to_owned());
    new.analysis.metrics[0].criteria.rate = None;
    let error = world.rollouts.propose(new).await.unwrap_err();
    let pointers: Vec<_> = error
        .violations
        .iter()
        .map(|it| it.pointer.as_str())
        .collect();
    assert_eq!(
        pointers,
        [
            "/committers",
            "/environment",
            "/analysis/metrics/0/criteria/rate"
        ]
    );
    world.traffic.force(whole(4, "stable", CANDIDATE, 2));
    let same = world
        .rollouts
        .propose(proposal(Environment::Development))
        .await;
    assert_eq!(same.unwrap_err().reason, "CANDIDATE_SERVES");
    world
        .traffic
        .force(whole(fcs_rollout::MAX_GENERATION, "stable", BASELINE, 1));
    let full = world
        .rollouts
        .propose(proposal(Environment::Development))
        .await;
    assert_eq!(full.unwrap_err().reason, "NO_TABLE_FOR_CANDIDATE");
    world.traffic.set_mood(Mood::Silent);
    let silent = world
        .rollouts
        .propose(proposal(Environment::Development))
        .await;
    assert_eq!(silent.unwrap_err().reason, "GATEWAY_UNAVAILABLE");
    assert!(world.rollouts.list(0).await.unwrap().is_empty());
    let unknown = "rol_01981f6e-0000-7000-8000-000000000000";
    let unknown = world.rollouts.find(unknown).await.unwrap_err();
    assert_eq!(unknown.reason, "ROLLOUT_NOT_FOUND");
    let nonsense = world.rollouts.find("dep_1").await.unwrap_err();
    assert_eq!(nonsense.reason, "INVALID_ROLLOUT_ID");
}

async fn without_data_no_time_counts(backend: Backend) {
    let world = World::new(&backend);
    let id = world.started().await;
    let controller = world.controller("one");
    world.drive(&id, &controller, Phase::Baking).await;
    for health in [Health::Missing, Health::Silent, Health::Unwatched] {
        world.set_health(health);
        for _ in 0..10 {
            world.clock.advance(15 * SECOND);
            controller.round().await.unwrap();
        }
        let rollout = world.history(&id).await.rollout;
        assert_eq!(
            (rollout.phase(), rollout.baked_micros().0),
            (Phase::Baking, 0)
        );
        let cause = rollout.pause().map(|pause| pause.cause);
        assert_eq!(cause, Some(PauseCause::AnalysisError));
        world.rollouts.resume(&id, "otto", "seen to").await.unwrap();
    }
    world.set_health(Health::Good);
    world.drive(&id, &controller, Phase::Succeeded).await;
}

async fn five_rollbacks_at_once_are_one(backend: Backend) {
    let world = World::new(&backend);
    let before = world.traffic.table_in_force();
    let id = world.started().await;
    let controller = world.controller("one");
    world.drive(&id, &controller, Phase::Baking).await;
    for _ in 0..2 {
        let mut askers = JoinSet::new();
        for _ in 0..5 {
            let (rollouts, id) = (world.rollouts.clone(), id.clone());
            askers.spawn(async move { rollouts.roll_back(&id, "otto", "worse").await });
        }
        controller.round().await.unwrap();
        for outcome in askers.join_all().await {
            outcome.unwrap();
        }
        world.drive(&id, &controller, Phase::RolledBack).await;
    }
    let history = world.history(&id).await;
    assert_eq!(count(&history, "rollback_started"), 1);
    assert_eq!(count(&history, "rolled_back"), 1);
    assert_eq!(world.weights(), [0, 5_000, 0]);
    assert_eq!(world.traffic.table_in_force().arms(), before.arms());
}

async fn two_controllers_at_once_do_the_same_as_one(backend: Backend) {
    let world = World::new(&backend);
    let id = world.started().await;
    let (one, other) = (world.controller("one"), world.controller("other"));
    for _ in 0..40 {
        // After so long each of them may take the lease from the other, in the middle of its round.
        world.clock.advance(31 * SECOND);
        let (first, second) = tokio::join!(one.round(), other.round());
        first.unwrap();
        second.unwrap();
    }
    let history = world.history(&id).await;
    assert_eq!(history.rollout.phase(), Phase::Succeeded);
    assert_eq!(world.weights(), [0, 5_000, 10_000]);
    assert_eq!(count(&history, "step_started"), 2);
    assert!(world.store.epoch("rollouts/development").await.unwrap() > 1);
}

async fn a_refused_candidate_goes_back_with_the_reason(backend: Backend) {
    let world = World::new(&backend);
    let id = world.started().await;
    let controller = world.controller("one");
    world
        .traffic
        .set_mood(Mood::Refusing("taiwan-default/2 is not signed"));
    controller.round().await.unwrap();
    let history = world.history(&id).await;
    assert_eq!(history.rollout.phase(), Phase::RollingBack);
    let last = history.events.last().unwrap().recorded.event.to_json();
    assert!(last.contains("is not signed"), "{last}");
    world.traffic.set_mood(Mood::Obliging);
    world.drive(&id, &controller, Phase::RolledBack).await;
    assert_eq!(world.weights(), [0]);
}

async fn traffic_that_somebody_else_moved_is_seen_and_put_right(backend: Backend) {
    let world = World::new(&backend);
    let before = world.traffic.table_in_force();
    let id = world.started().await;
    let controller = world.controller("one");
    world.drive(&id, &controller, Phase::Baking).await;
    world
        .traffic
        .force(whole(90, "other", "somebody-elses/1", 9));
    for _ in 0..4 {
        world.clock.advance(15 * SECOND);
        controller.round().await.unwrap();
    }
    let rollout = world.history(&id).await.rollout;
    assert_eq!(
        (rollout.phase(), rollout.baked_micros().0),
        (Phase::Baking, 0)
    );
    world
        .rollouts
        .roll_back(&id, "otto", "moved")
        .await
        .unwrap();
    world.drive(&id, &controller, Phase::RolledBack).await;
    let after = world.traffic.table_in_force();
    assert_eq!((after.generation(), after.arms()), (91, before.arms()));
}

async fn a_gate_takes_another_person(backend: Backend) {
    let world = World::new(&backend);
    let mut new = proposal(Environment::Development);
    if let fcs_rollout::rollout::Strategy::Canary { shares, .. } = &mut new.strategy {
        shares[1].gate = true;
    }
    let proposed = world.rollouts.propose(new).await.unwrap();
    let id = proposed.rollout_id.to_string();
    world.rollouts.start(&id, "rita").await.unwrap();
    let controller = world.controller("one");
    world.drive(&id, &controller, Phase::Gated).await;
    let own = world.rollouts.promote(&id, "cleo", "").await.unwrap_err();
    assert_eq!(own.reason, "FOUR_EYES_REQUIRED");
    assert_eq!(controller.round().await.unwrap(), 0, "it waits");
    world
        .rollouts
        .promote(&id, "bea", "looks good")
        .await
        .unwrap();
    world.drive(&id, &controller, Phase::Succeeded).await;
    assert_eq!(world.weights(), [0, 5_000, 10_000]);
}

async fn a_pause_is_a_pause_and_ends(backend: Backend) {
    let world = World::new(&backend);
    let id = world.started().await;
    let controller = world.controller("one");
    world.drive(&id, &controller, Phase::Baking).await;
    world.rollouts.pause(&id, "otto").await.unwrap();
    for _ in 0..10 {
        world.clock.advance(15 * SECOND);
        controller.round().await.unwrap();
    }
    let rollout = world.history(&id).await.rollout;
    let cause = rollout.pause().map(|pause| pause.cause);
    assert_eq!(
        (rollout.phase(), cause),
        (Phase::Baking, Some(PauseCause::Manual))
    );
    world.rollouts.resume(&id, "otto", "seen to").await.unwrap();
    world.drive(&id, &controller, Phase::Succeeded).await;
    assert_eq!(world.weights(), [0, 5_000, 10_000]);
}

async fn aborted_early_it_never_has_traffic(backend: Backend) {
    let world = World::new(&backend);
    let id = world.propose().await;
    for _ in 0..2 {
        let aborted = world.rollouts.abort(&id, "rita", "changed our minds").await;
        assert_eq!(aborted.unwrap().rollout.phase(), Phase::Cancelled);
    }
    world.controller("one").round().await.unwrap();
    assert!(world.weights().is_empty());
    let late = world.rollouts.start(&id, "rita").await.unwrap_err();
    assert_eq!(late.code, ErrorCode::FailedPrecondition);
    let running = world.started().await;
    let aborted = world
        .rollouts
        .abort(&running, "rita", "stop")
        .await
        .unwrap();
    assert_eq!(aborted.rollout.phase(), Phase::RollingBack);
}

async fn one_at_a_time_and_for_the_table_it_was_made_for(backend: Backend) {
    let world = World::new(&backend);
    let (one, other) = (world.propose().await, world.propose().await);
    world.rollouts.start(&one, "rita").await.unwrap();
    let busy = world.rollouts.start(&other, "rita").await.unwrap_err();
    assert_eq!(busy.reason, "CHANGE_IN_FLIGHT");
    let controller = world.controller("one");
    world.drive(&one, &controller, Phase::Succeeded).await;
    let moved = world.rollouts.start(&other, "rita").await.unwrap_err();
    assert_eq!(moved.reason, "TRAFFIC_MOVED");
}

async fn a_gateway_that_does_not_follow_is_waited_for(backend: Backend) {
    let world = World::new(&backend);
    let id = world.started().await;
    let controller = world.controller("one");
    world.drive(&id, &controller, Phase::Shifting).await;
    world.traffic.set_mood(Mood::Lagging);
    for _ in 0..10 {
        controller.round().await.unwrap();
        world.clock.advance(15 * SECOND);
    }
    let rollout = world.history(&id).await.rollout;
    let cause = rollout.pause().map(|pause| pause.cause);
    let expected = (Phase::Shifting, Some(PauseCause::TargetUnreachable));
    assert_eq!((rollout.phase(), cause), expected);
    world
        .rollouts
        .roll_back(&id, "otto", "one lags")
        .await
        .unwrap();
    controller.round().await.unwrap();
    assert_eq!(world.weights(), [0, 5_000, 0], "the table comes first");
    assert_eq!(world.phase(&id).await, Phase::RollingBack);
    world.traffic.set_mood(Mood::Obliging);
    world.drive(&id, &controller, Phase::RolledBack).await;
}

async fn a_rollback_that_fails_too_often_calls_people(backend: Backend) {
    let world = World::new(&backend);
    let id = world.started().await;
    let controller = world.controller("one");
    world.drive(&id, &controller, Phase::Baking).await;
    world
        .rollouts
        .roll_back(&id, "otto", "worse")
        .await
        .unwrap();
    world.traffic.set_mood(Mood::Silent);
    world.drive(&id, &controller, Phase::RollbackStuck).await;
    let history = world.history(&id).await;
    assert_eq!(count(&history, "rollback_failed"), 6);
    world.traffic.set_mood(Mood::Obliging);
    controller.round().await.unwrap();
    assert_eq!(world.weights(), [0, 5_000, 0], "traffic first");
    assert_eq!(world.phase(&id).await, Phase::RollbackStuck);
    world
        .rollouts
        .roll_back(&id, "otto", "again")
        .await
        .unwrap();
    world.drive(&id, &controller, Phase::RolledBack).await;
}

async fn an_altered_event_is_not_believed(backend: Backend) {
    let world = World::new(&backend);
    let id = world.propose().await;
    let forged = "UPDATE rollout_events SET actor = 'mallory' WHERE sequence = 1";
    assert_eq!(backend.execute(forged).await.unwrap(), 1);
    let error = world.rollouts.find(&id).await.unwrap_err();
    assert_eq!(error.reason, "STORE_DAMAGED");
}
