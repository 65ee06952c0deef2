//! The store on both engines.

use deployment_audit::store::{
    NewBatch, NewEvent, StoreError, StoredCheckpoint, Summary, WHOLE_LOG,
};
use fcs_core::{Digest, UnixMicros};
use tokio::task::JoinSet;

use crate::support::{Backend, digest_of, on_both};

on_both!(
    an_event_and_its_leaf_are_one_transaction,
    a_sequence_is_taken_once,
    histories_come_back_as_written,
    four_eyes_hold_in_the_database,
    nothing_runs_unapproved_outside_development,
    one_deployment_changes_traffic_at_a_time,
    batches_are_contiguous,
    batches_are_found_by_decision_and_size,
    a_size_has_one_checkpoint,
    many_writers_leave_no_gap,
    a_second_migration_changes_nothing,
);

fn event(deployment_id: &str, sequence: u64, state: &str) -> NewEvent {
    NewEvent {
        deployment_id: deployment_id.to_owned(),
        sequence,
        occurred_at: UnixMicros(1_000 + i64::try_from(sequence).unwrap()),
        actor: "Rita".to_owned(),
        kind: "registered".to_owned(),
        detail: format!("{{\"sequence\":{sequence}}}"),
        leaf: format!("{deployment_id}/{sequence}").into_bytes(),
        summary: Summary {
            environment: "development".to_owned(),
            author: "ada".to_owned(),
            requester: "rita".to_owned(),
            approver: None,
            state: state.to_owned(),
        },
    }
}

fn batch(first_index: u64, decisions: u64) -> NewBatch {
    NewBatch {
        first_index,
        digests: (first_index..first_index + decisions)
            .map(digest_of)
            .collect(),
        leaf: format!("batch {first_index}").into_bytes(),
    }
}

async fn an_event_and_its_leaf_are_one_transaction(backend: Backend) {
    let store = &backend.store;
    store
        .append_events(&[event("dep_a", 1, "registered")])
        .await
        .unwrap();
    let half = [
        event("dep_b", 1, "registered"),
        event("dep_a", 1, "registered"),
    ];
    assert!(matches!(
        store.append_events(&half).await,
        Err(StoreError::Conflict)
    ));
    assert_eq!(
        store.log_size().await.unwrap(),
        1,
        "the refused leaves are gone"
    );
    assert_eq!(store.leaves(0, 10).await.unwrap().len(), 1);
    assert_eq!(store.deployment("dep_b").await.unwrap(), None);
}

async fn a_sequence_is_taken_once(backend: Backend) {
    let store = &backend.store;
    store
        .append_events(&[event("dep_a", 1, "registered")])
        .await
        .unwrap();
    for sequence in [1, 3] {
        let outcome = store
            .append_events(&[event("dep_a", sequence, "active")])
            .await;
        assert!(
            matches!(outcome, Err(StoreError::Conflict)),
            "sequence {sequence}"
        );
    }
    store
        .append_events(&[event("dep_a", 2, "active")])
        .await
        .unwrap();
}

async fn histories_come_back_as_written(backend: Backend) {
    let store = &backend.store;
    for id in ["dep_a", "dep_b", "dep_c"] {
        store
            .append_events(&[event(id, 1, "registered")])
            .await
            .unwrap();
    }
    store
        .append_events(&[event("dep_b", 2, "active")])
        .await
        .unwrap();
    let written = store.deployment("dep_b").await.unwrap().unwrap();
    assert_eq!(written.summary.state, "active");
    let sequences: Vec<_> = written
        .events
        .iter()
        .map(|event| (event.sequence, event.leaf_index))
        .collect();
    assert_eq!(sequences, [(1, 1), (2, 3)]);
    assert_eq!(written.events[1].leaf, b"dep_b/2");
    assert_eq!(written.events[1].actor, "Rita");
    assert_eq!(written.events[1].occurred_at, UnixMicros(1_002));
    let newest = store.deployments(2).await.unwrap();
    let ids: Vec<_> = newest
        .iter()
        .map(|one| one.deployment_id.as_str())
        .collect();
    assert_eq!(ids, ["dep_c", "dep_b"]);
    assert_eq!(newest[1], written);
}

async fn four_eyes_hold_in_the_database(backend: Backend) {
    let store = &backend.store;
    store
        .append_events(&[event("dep_a", 1, "registered")])
        .await
        .unwrap();
    for approver in ["ada", "rita"] {
        let mut approved = event("dep_a", 2, "approved");
        approved.summary.approver = Some(approver.to_owned());
        let outcome = store.append_events(&[approved]).await;
        assert!(matches!(outcome, Err(StoreError::Refused(_))), "{approver}");
    }
    for statement in [
        "UPDATE deployments SET approver = 'ada'",
        "UPDATE deployments SET approver = 'ADA'",
        "INSERT INTO deployments VALUES ('dep_x', 'production', 'ada', 'rita', 'rita', 'approved', 1)",
        "INSERT INTO deployments VALUES ('dep_x', 'production', 'Ada', 'rita', 'ada', 'approved', 1)",
    ] {
        assert!(backend.execute(statement).await.is_err(), "{statement}");
    }
    let mut approved = event("dep_a", 2, "approved");
    approved.summary.approver = Some("bea".to_owned());
    store.append_events(&[approved]).await.unwrap();
}

async fn nothing_runs_unapproved_outside_development(backend: Backend) {
    for (environment, allowed) in [
        ("development", true),
        ("staging", false),
        ("production", false),
    ] {
        let id = format!("dep_{environment}");
        let mut registered = event(&id, 1, "registered");
        registered.summary.environment = environment.to_owned();
        let mut active = event(&id, 2, "active");
        active.summary.environment = environment.to_owned();
        backend.store.append_events(&[registered]).await.unwrap();
        let outcome = backend.store.append_events(&[active]).await;
        assert_eq!(outcome.is_ok(), allowed, "{environment}: {outcome:?}");
    }
}

async fn one_deployment_changes_traffic_at_a_time(backend: Backend) {
    let store = &backend.store;
    for id in ["dep_a", "dep_b"] {
        store
            .append_events(&[event(id, 1, "registered")])
            .await
            .unwrap();
    }
    store
        .append_events(&[event("dep_a", 2, "activating")])
        .await
        .unwrap();
    let second = store
        .append_events(&[event("dep_b", 2, "activating")])
        .await;
    assert!(matches!(second, Err(StoreError::Conflict)), "{second:?}");
    assert_eq!(store.unfinished("development").await.unwrap(), ["dep_a"]);
    assert!(store.unfinished("production").await.unwrap().is_empty());
    store
        .append_events(&[event("dep_a", 3, "active")])
        .await
        .unwrap();
    store
        .append_events(&[event("dep_b", 2, "activating")])
        .await
        .unwrap();
}

async fn batches_are_contiguous(backend: Backend) {
    let store = &backend.store;
    let early = store.append_batch(&batch(2, 1)).await;
    assert!(
        matches!(
            early,
            Err(StoreError::NotContiguous {
                expected: 1,
                found: 2
            })
        ),
        "{early:?}"
    );
    store.append_batch(&batch(1, 3)).await.unwrap();
    for first in [3, 5] {
        let wrong = store.append_batch(&batch(first, 2)).await;
        assert!(
            matches!(wrong, Err(StoreError::NotContiguous { expected: 4, .. })),
            "{wrong:?}"
        );
    }
    assert_eq!(
        store.log_size().await.unwrap(),
        1,
        "a refused batch leaves no leaf"
    );
}

async fn batches_are_found_by_decision_and_size(backend: Backend) {
    let store = &backend.store;
    assert_eq!(store.append_batch(&batch(1, 3)).await.unwrap(), 0);
    store
        .append_events(&[event("dep_a", 1, "registered")])
        .await
        .unwrap();
    assert_eq!(store.append_batch(&batch(4, 2)).await.unwrap(), 2);
    for (size, last) in [(0, 0), (1, 3), (2, 3), (3, 5), (WHOLE_LOG, 5)] {
        assert_eq!(
            store.last_decision_index(size).await.unwrap(),
            last,
            "size {size}"
        );
    }
    let found = store.batch_of(4).await.unwrap().unwrap();
    assert_eq!(
        (found.first_index, found.last_index(), found.leaf_index),
        (4, 5, 2)
    );
    assert_eq!(found.digest(5), Some(digest_of(5)));
    assert_eq!((found.digest(3), found.digest(6)), (None, None));
    assert_eq!(store.batch_of(6).await.unwrap(), None);
    assert_eq!(store.batch_of(0).await.unwrap(), None);
}

async fn a_size_has_one_checkpoint(backend: Backend) {
    let store = &backend.store;
    assert_eq!(store.last_checkpoint().await.unwrap(), None);
    let checkpoint = StoredCheckpoint {
        size: 3,
        root: Digest::from_bytes([1; 32]),
        note: "note\n".to_owned(),
        created_at: UnixMicros(5),
    };
    store.put_checkpoint(&checkpoint).await.unwrap();
    let again = StoredCheckpoint {
        created_at: UnixMicros(6),
        ..checkpoint.clone()
    };
    store.put_checkpoint(&again).await.unwrap();
    let forked = StoredCheckpoint {
        root: Digest::from_bytes([2; 32]),
        ..checkpoint.clone()
    };
    assert!(matches!(
        store.put_checkpoint(&forked).await,
        Err(StoreError::Conflict)
    ));
    assert_eq!(
        store.last_checkpoint().await.unwrap(),
        Some(checkpoint.clone())
    );
    let smaller = StoredCheckpoint {
        size: 2,
        ..checkpoint.clone()
    };
    store.put_checkpoint(&smaller).await.unwrap();
    assert_eq!(store.last_checkpoint().await.unwrap(), Some(checkpoint));
}

async fn many_writers_leave_no_gap(backend: Backend) {
    const WRITERS: u64 = 16;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = std::sync::Arc::clone(&backend.store);
        writers.spawn(async move {
            let id = format!("dep_{writer}");
            store
                .append_events(&[event(&id, 1, "registered")])
                .await
                .unwrap();
            // Half of the second events are refused and must leave no hole behind.
            let second = if writer % 2 == 0 { 2 } else { 7 };
            let outcome = store
                .append_events(&[event(&id, second, "registered")])
                .await;
            assert_eq!(outcome.is_ok(), writer % 2 == 0);
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    let size = WRITERS + WRITERS / 2;
    assert_eq!(backend.store.log_size().await.unwrap(), size);
    let leaves = backend.store.leaves(0, 1_000).await.unwrap();
    let indexes: Vec<u64> = leaves.iter().map(|leaf| leaf.index).collect();
    assert_eq!(indexes, (0..size).collect::<Vec<_>>());
}

async fn a_second_migration_changes_nothing(backend: Backend) {
    backend.store.append_batch(&batch(1, 1)).await.unwrap();
    deployment_audit::store::migrate(&backend.database)
        .await
        .unwrap();
    assert_eq!(backend.store.log_size().await.unwrap(), 1);
}
