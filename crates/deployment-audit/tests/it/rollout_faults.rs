//! A controller that stops between any two calls, or in one: the next one ends as if nothing had happened.

use fcs_rollout::Environment;
use fcs_rollout::rollout::Phase;

use crate::support::rollout::{BASELINE, CANDIDATE, Fault, Faults, Health, SECOND, World};
use crate::support::{Backend, sqlite};

/// Rounds that a whole rollout takes at most, a quarter of a minute apart.
const ROUNDS: u32 = 40;

/// Drives one rollout with a fault after so many calls, then with a controller of another process. Says whether
/// the fault came at all.
async fn is_hit(backend: &Backend, calls: u64, fault: Fault, health: Health) -> bool {
    let second = i64::try_from(calls).unwrap() * 10_000 + 5_000 * i64::from(fault == Fault::After);
    let world = World::of(backend, Environment::Development, second);
    let id = world.started().await;
    let faults = Faults::after(calls, fault);
    let first = world.faulty(&format!("first {calls}"), &faults);
    let next = world.controller(&format!("next {calls}"));
    world.set_health(health);
    for _ in 0..ROUNDS {
        // Whatever it does, the process may be gone; the lease is over before the next one comes.
        drop(first.round().await);
        world.clock.advance(15 * SECOND);
    }
    world.clock.advance(31 * SECOND);
    let end = match health {
        Health::Good => Phase::Succeeded,
        _ => Phase::RolledBack,
    };
    if !faults.are_spared() {
        for _ in 0..ROUNDS {
            next.round().await.unwrap();
            world.clock.advance(15 * SECOND);
        }
    }
    let history = world.history(&id).await;
    assert_eq!(history.rollout.phase(), end, "after {calls} calls");
    let (weights, serving) = match health {
        Health::Good => (vec![0, 5_000, 10_000], CANDIDATE),
        _ => (vec![0, 5_000, 0], BASELINE),
    };
    assert_eq!(world.weights(), weights, "after {calls} calls");
    let table = world.traffic.table_in_force();
    let arm = table
        .arms()
        .iter()
        .find(|arm| arm.weight_basis_points == 10_000);
    assert_eq!(arm.unwrap().model.as_str(), serving);
    !faults.are_spared()
}

async fn every_fault_point(fault: Fault, health: Health) {
    let backend = sqlite().await;
    let mut calls = 0;
    while is_hit(&backend, calls, fault, health).await {
        calls += 1;
    }
    assert!(calls > 60, "only {calls} calls were counted");
}

#[tokio::test]
async fn stopped_before_any_call_the_candidate_still_gets_everything() {
    every_fault_point(Fault::Before, Health::Good).await;
}

#[tokio::test]
async fn stopped_in_any_call_the_candidate_still_gets_everything() {
    every_fault_point(Fault::After, Health::Good).await;
}

#[tokio::test]
async fn stopped_before_any_call_a_rollback_is_completed() {
    every_fault_point(Fault::Before, Health::Bad).await;
}

#[tokio::test]
async fn stopped_in_any_call_a_rollback_is_completed() {
    every_fault_point(Fault::After, Health::Bad).await;
}
