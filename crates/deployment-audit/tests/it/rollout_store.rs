//! The store of rollouts on both engines.

use deployment_audit::store::rollouts::{Lease, LeaseClaim, NewRolloutEvent, Part, RolloutSummary};
use deployment_audit::store::{NewEvent, StoreError, Summary};
use fcs_core::{Digest, UnixMicros};
use tokio::task::JoinSet;

use crate::support::{Backend, digest_of, on_both};

on_both!(
    a_history_comes_back_as_written,
    a_position_is_taken_once,
    of_many_writers_of_a_position_one_is_first,
    four_eyes_hold_in_the_database,
    nothing_starts_unapproved_outside_development,
    one_rollout_at_a_time_has_the_traffic,
    rollouts_and_deployments_exclude_each_other,
    a_lease_has_one_holder_and_a_rising_epoch,
    a_lost_lease_writes_nothing,
    the_open_ones_are_listed,
);

fn event(rollout_id: &str, sequence: u64, phase: &str) -> NewRolloutEvent {
    NewRolloutEvent {
        rollout_id: rollout_id.to_owned(),
        sequence,
        occurred_at: UnixMicros(1_000 + i64::try_from(sequence).unwrap()),
        actor: "Rita".to_owned(),
        kind: "proposed".to_owned(),
        detail: format!("{{\"sequence\":{sequence}}}"),
        leaf: format!("{rollout_id}/{sequence}").into_bytes(),
        digest: digest_of(sequence),
        part: None,
        summary: RolloutSummary {
            environment: "development".to_owned(),
            model: "taiwan-default/2".to_owned(),
            requester: "Rita".to_owned(),
            phase: phase.to_owned(),
            approvals: 0,
            has_broken_glass: false,
        },
    }
}

impl Backend {
    async fn append(&self, event: NewRolloutEvent) -> Result<(), StoreError> {
        self.rollouts.append_rollout(&[event], None).await
    }
}

fn is_conflict(outcome: &Result<(), StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Conflict))
}

fn is_refused(outcome: &Result<(), StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Refused(_)))
}

async fn a_history_comes_back_as_written(backend: Backend) {
    assert_eq!(backend.rollouts.rollout("rol_a").await.unwrap(), None);
    for id in ["rol_a", "rol_b"] {
        backend.append(event(id, 1, "proposed")).await.unwrap();
    }
    backend.append(event("rol_a", 2, "queued")).await.unwrap();
    let stored = backend.rollouts.rollout("rol_a").await.unwrap().unwrap();
    assert_eq!(stored.row.summary, event("rol_a", 2, "queued").summary);
    assert_eq!(stored.row.updated_at, UnixMicros(1_002));
    let places: Vec<(u64, u64, Digest)> = stored
        .events
        .iter()
        .map(|event| (event.sequence, event.leaf_index, event.digest))
        .collect();
    assert_eq!(places, [(1, 0, digest_of(1)), (2, 2, digest_of(2))]);
    assert_eq!(stored.events[1].leaf, b"rol_a/2");
    assert_eq!(
        backend.store.leaves(2, 1).await.unwrap()[0].data,
        b"rol_a/2"
    );
    let newest = backend.rollouts.rollouts(1).await.unwrap();
    assert_eq!(newest[0].rollout_id, "rol_b");
    assert_eq!(backend.rollouts.rollouts(9).await.unwrap()[1], stored.row);
}

async fn a_position_is_taken_once(backend: Backend) {
    backend.append(event("rol_a", 1, "proposed")).await.unwrap();
    for sequence in [1, 3] {
        let outcome = backend.append(event("rol_a", sequence, "queued")).await;
        assert!(is_conflict(&outcome), "{sequence}");
    }
    let half = [event("rol_b", 1, "proposed"), event("rol_a", 1, "proposed")];
    assert!(is_conflict(
        &backend.rollouts.append_rollout(&half, None).await
    ));
    assert_eq!(backend.store.log_size().await.unwrap(), 1);
    assert_eq!(backend.rollouts.rollout("rol_b").await.unwrap(), None);
}

async fn of_many_writers_of_a_position_one_is_first(backend: Backend) {
    backend.append(event("rol_a", 1, "proposed")).await.unwrap();
    let mut writers = JoinSet::new();
    for _ in 0..6 {
        let rollouts = backend.rollouts.clone();
        writers.spawn(async move {
            let event = event("rol_a", 2, "queued");
            rollouts.append_rollout(&[event], None).await
        });
    }
    let outcomes = writers.join_all().await;
    let written = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(written, 1);
    assert_eq!(outcomes.into_iter().filter(Result::is_err).count(), 5);
    assert_eq!(backend.store.log_size().await.unwrap(), 2);
}

async fn four_eyes_hold_in_the_database(backend: Backend) {
    let makers = ["ada", "cleo", "rita"].map(str::to_owned).to_vec();
    let mut proposed = event("rol_a", 1, "awaiting_approval");
    proposed.part = Some(Part::Makers(makers.clone()));
    backend.append(proposed).await.unwrap();
    let approval = |approver: &str, sequence| {
        let mut approved = event("rol_a", sequence, "queued");
        approved.part = Some(Part::Approver(approver.to_owned()));
        approved.summary.approvals = sequence - 1;
        approved
    };
    for maker in &makers {
        let outcome = backend.append(approval(maker, 2)).await;
        assert!(is_refused(&outcome), "{maker}");
    }
    backend.append(approval("bea", 2)).await.unwrap();
    assert!(is_refused(&backend.append(approval("bea", 3)).await));
    assert_eq!(backend.store.log_size().await.unwrap(), 2);
    let forged = "INSERT INTO rollout_people (rollout_id, identity, part) \
                  VALUES ('rol_a', 'ada', 'approver')";
    assert!(backend.execute(forged).await.is_err(), "nor by hand");
}

async fn nothing_starts_unapproved_outside_development(backend: Backend) {
    let staged = |sequence, phase: &str, approvals, has_broken_glass| {
        let mut event = event("rol_a", sequence, phase);
        "staging".clone_into(&mut event.summary.environment);
        event.summary.approvals = approvals;
        event.summary.has_broken_glass = has_broken_glass;
        event
    };
    backend
        .append(staged(1, "awaiting_approval", 0, false))
        .await
        .unwrap();
    for phase in ["queued", "preparing", "succeeded"] {
        let outcome = backend.append(staged(2, phase, 0, false)).await;
        assert!(is_refused(&outcome), "{phase}");
    }
    backend.append(staged(2, "queued", 0, true)).await.unwrap();
    backend
        .append(staged(3, "preparing", 1, false))
        .await
        .unwrap();
}

async fn one_rollout_at_a_time_has_the_traffic(backend: Backend) {
    for id in ["rol_a", "rol_b"] {
        backend.append(event(id, 1, "queued")).await.unwrap();
    }
    backend
        .append(event("rol_a", 2, "preparing"))
        .await
        .unwrap();
    assert!(is_conflict(
        &backend.append(event("rol_b", 2, "preparing")).await
    ));
    for (sequence, phase) in [(3, "rolling_back"), (4, "rollback_stuck")] {
        backend
            .append(event("rol_a", sequence, phase))
            .await
            .unwrap();
        let outcome = backend.append(event("rol_b", 2, "preparing")).await;
        assert!(is_conflict(&outcome), "{phase}");
    }
    backend
        .append(event("rol_a", 5, "rolled_back"))
        .await
        .unwrap();
    backend
        .append(event("rol_b", 2, "preparing"))
        .await
        .unwrap();
}

fn deployment(sequence: u64, state: &str) -> NewEvent {
    NewEvent {
        deployment_id: "dep_a".to_owned(),
        sequence,
        occurred_at: UnixMicros(1),
        actor: "rita".to_owned(),
        kind: "registered".to_owned(),
        detail: "{}".to_owned(),
        leaf: vec![1],
        summary: Summary {
            environment: "development".to_owned(),
            author: "ada".to_owned(),
            requester: "rita".to_owned(),
            approver: None,
            state: state.to_owned(),
        },
    }
}

async fn rollouts_and_deployments_exclude_each_other(backend: Backend) {
    let store = &backend.store;
    store
        .append_events(&[deployment(1, "registered"), deployment(2, "activating")])
        .await
        .unwrap();
    backend.append(event("rol_a", 1, "queued")).await.unwrap();
    assert!(is_conflict(
        &backend.append(event("rol_a", 2, "preparing")).await
    ));
    store
        .append_events(&[deployment(3, "active")])
        .await
        .unwrap();
    backend
        .append(event("rol_a", 2, "preparing"))
        .await
        .unwrap();
    assert!(is_conflict(
        &store.append_events(&[deployment(4, "rolling_back")]).await
    ));
    backend
        .append(event("rol_a", 3, "succeeded"))
        .await
        .unwrap();
    store
        .append_events(&[deployment(4, "rolling_back")])
        .await
        .unwrap();
}

impl Backend {
    async fn claim(&self, holder: &str, now: i64) -> Option<Lease> {
        let claim = LeaseClaim {
            name: "rollouts/staging",
            holder,
            now: UnixMicros(now),
            until: UnixMicros(now + 10),
        };
        self.rollouts.claim(claim).await.unwrap()
    }
}

async fn a_lease_has_one_holder_and_a_rising_epoch(backend: Backend) {
    assert_eq!(backend.rollouts.epoch("rollouts/staging").await.unwrap(), 0);
    assert_eq!(backend.claim("one", 0).await.unwrap().epoch, 1);
    assert_eq!(backend.claim("other", 9).await, None);
    assert_eq!(backend.claim("one", 9).await.unwrap().epoch, 1);
    assert_eq!(
        backend.claim("other", 18).await,
        None,
        "it was held for longer"
    );
    assert_eq!(backend.claim("other", 19).await.unwrap().epoch, 2);
    assert_eq!(backend.claim("one", 20).await, None);
    assert_eq!(backend.claim("one", 40).await.unwrap().epoch, 3);
    assert_eq!(backend.rollouts.epoch("rollouts/staging").await.unwrap(), 3);
}

async fn a_lost_lease_writes_nothing(backend: Backend) {
    let lost = backend.claim("one", 0).await.unwrap();
    let held = backend.claim("other", 10).await.unwrap();
    let proposed = [event("rol_a", 1, "proposed")];
    let rollouts = &backend.rollouts;
    let outcome = rollouts.append_rollout(&proposed, Some(&lost)).await;
    assert!(matches!(outcome, Err(StoreError::LeaseLost)));
    assert_eq!(backend.store.log_size().await.unwrap(), 0);
    rollouts
        .append_rollout(&proposed, Some(&held))
        .await
        .unwrap();
}

async fn the_open_ones_are_listed(backend: Backend) {
    let phases = [
        "queued",
        "awaiting_approval",
        "rollback_stuck",
        "rolled_back",
    ];
    for (place, phase) in phases.iter().enumerate() {
        let id = format!("rol_{place}");
        backend.append(event(&id, 1, phase)).await.unwrap();
    }
    let open = backend.rollouts.open_rollouts("development").await.unwrap();
    assert_eq!(open, ["rol_1", "rol_2"]);
    assert!(
        backend
            .rollouts
            .open_rollouts("staging")
            .await
            .unwrap()
            .is_empty()
    );
}
