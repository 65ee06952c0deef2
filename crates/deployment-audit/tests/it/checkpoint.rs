//! Checkpoints: stored before shown, and never over a changed past.

use std::sync::Arc;

use deployment_audit::app::log::{LogError, TransparencyLog};
use deployment_audit::app::proofs::Proofs;
use deployment_audit::store::StoreError;
use fcs_core::ErrorCode;
use fcs_tlog::{DecisionClaim, verify_consistency, verify_decision};

use crate::support::log::{append, batch, open, open_with, verify};
use crate::support::{Backend, digest_of, on_both};

on_both!(
    an_empty_log_has_a_checkpoint,
    checkpoints_are_stored_and_survive_a_restart,
    every_decision_is_proved_under_one_checkpoint,
    an_altered_leaf_is_never_signed,
    a_truncated_log_is_never_signed,
    another_key_does_not_continue_the_log,
    altered_digests_prove_nothing,
    a_second_history_of_one_size_is_not_signed,
);

async fn an_empty_log_has_a_checkpoint(backend: Backend) {
    let log = open(&backend).await;
    log.publish().await.unwrap();
    let published = log.current().await.unwrap();
    assert_eq!(verify(&log, &published.note).head.size, 0);
    assert_eq!(published.last_decision_index, 0);
}

async fn checkpoints_are_stored_and_survive_a_restart(backend: Backend) {
    let log = open(&backend).await;
    log.publish().await.unwrap();
    append(&backend, 1, 5).await;
    append(&backend, 6, 1).await;
    log.publish().await.unwrap();
    let published = log.current().await.unwrap();
    assert_eq!((published.head.size, published.last_decision_index), (2, 6));
    let stored = backend.store.last_checkpoint().await.unwrap().unwrap();
    assert_eq!(stored.note, published.note);
    assert_eq!(verify(&log, &stored.note).head, published.head);
    let restarted = open(&backend).await;
    restarted.publish().await.unwrap();
    assert_eq!(restarted.current().await.unwrap(), published);
    append(&backend, 7, 2).await;
    restarted.publish().await.unwrap();
    let grown = restarted.current().await.unwrap();
    let proof = restarted.consistency_proof(2, 3).unwrap();
    verify_consistency(&published.head, &grown.head, &proof).unwrap();
}

async fn every_decision_is_proved_under_one_checkpoint(backend: Backend) {
    for first in [1, 4, 5] {
        append(&backend, first, if first == 4 { 1 } else { 3 }).await;
    }
    let log = open(&backend).await;
    log.publish().await.unwrap();
    let proofs = Proofs {
        store: Arc::clone(&backend.store),
        log: Arc::clone(&log),
    };
    for log_index in 1..=7 {
        let proved = proofs.decision(log_index).await.unwrap();
        let claim = DecisionClaim {
            record_digest: digest_of(log_index),
            log_index,
        };
        let checkpoint = verify(&log, &proved.published.note);
        verify_decision(&claim, &proved.proof, &checkpoint).unwrap();
        assert_eq!(proved.leaf, proved.proof.batch.to_bytes());
        let other = DecisionClaim {
            record_digest: digest_of(999),
            log_index,
        };
        assert!(verify_decision(&other, &proved.proof, &checkpoint).is_err());
    }
    let early = proofs.decision(8).await.unwrap_err();
    assert_eq!(
        (early.code, early.reason),
        (ErrorCode::NotFound, "DECISION_NOT_YET_LOGGED")
    );
    assert!(early.retry_after_s.is_some());
    assert_eq!(
        proofs.decision(0).await.unwrap_err().code,
        ErrorCode::InvalidArgument
    );
    assert_eq!(proofs.leaf(3).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(
        proofs.consistency(4, 0).await.unwrap_err().code,
        ErrorCode::InvalidArgument
    );
    assert_eq!(
        proofs.consistency(1, 9).await.unwrap_err().code,
        ErrorCode::FailedPrecondition
    );
    assert!(proofs.leaves(u64::MAX, 10).await.unwrap().is_empty());
}

/// Signs a log of two leaves.
async fn signed(backend: &Backend) {
    append(backend, 1, 2).await;
    append(backend, 3, 2).await;
    open(backend).await.publish().await.unwrap();
}

async fn refuses(backend: &Backend, log: &TransparencyLog) {
    assert!(log.refusal().is_some());
    let before = backend.store.last_checkpoint().await.unwrap();
    let sealed = backend.store.append_batch(&batch(5, 1)).await;
    assert!(matches!(sealed, Err(StoreError::Sealed)));
    assert!(matches!(log.publish().await, Err(LogError::Refused(_))));
    assert!(matches!(log.current().await, Err(LogError::Refused(_))));
    assert_eq!(
        backend.store.last_checkpoint().await.unwrap(),
        before,
        "nothing was signed"
    );
}

async fn an_altered_leaf_is_never_signed(backend: Backend) {
    signed(&backend).await;
    let rewritten = "UPDATE leaves SET data = (SELECT l.data FROM leaves l WHERE l.leaf_index = 1) \
                     WHERE leaf_index = 0";
    assert_eq!(backend.execute(rewritten).await.unwrap(), 1);
    refuses(&backend, &*open(&backend).await).await;
}

async fn a_truncated_log_is_never_signed(backend: Backend) {
    signed(&backend).await;
    for statement in [
        "DELETE FROM decision_batches WHERE leaf_index = 1",
        "DELETE FROM leaves WHERE leaf_index = 1",
        "UPDATE log_head SET size = 1",
    ] {
        assert_eq!(backend.execute(statement).await.unwrap(), 1, "{statement}");
    }
    // The same place is taken by another leaf: the size fits again, the root does not.
    let log = open(&backend).await;
    assert!(log.refusal().is_some());
    backend.store.seal(false).await.unwrap();
    append(&backend, 3, 1).await;
    assert!(open(&backend).await.refusal().is_some());
}

async fn another_key_does_not_continue_the_log(backend: Backend) {
    signed(&backend).await;
    refuses(&backend, &*open_with(&backend, 2).await).await;
}

async fn altered_digests_prove_nothing(backend: Backend) {
    signed(&backend).await;
    let swapped = "UPDATE decision_batches SET digests = \
                   (SELECT b.digests FROM decision_batches b WHERE b.first_index = 3) \
                   WHERE first_index = 1";
    assert_eq!(backend.execute(swapped).await.unwrap(), 1);
    let log = open(&backend).await;
    log.publish().await.unwrap();
    let proofs = Proofs {
        store: Arc::clone(&backend.store),
        log,
    };
    let error = proofs.decision(1).await.unwrap_err();
    assert_eq!(
        (error.code, error.reason),
        (ErrorCode::Internal, "STORE_DAMAGED")
    );
    assert!(proofs.decision(3).await.is_ok());
}

async fn a_second_history_of_one_size_is_not_signed(backend: Backend) {
    let log = open(&backend).await;
    append(&backend, 1, 2).await;
    // Another process signed something else over one leaf.
    let mut other = backend
        .store
        .last_checkpoint()
        .await
        .unwrap()
        .unwrap_or_else(|| deployment_audit::store::StoredCheckpoint {
            size: 1,
            root: digest_of(1),
            note: "other".to_owned(),
            created_at: fcs_core::UnixMicros(1),
        });
    other.size = 1;
    backend.store.put_checkpoint(&other).await.unwrap();
    assert!(matches!(log.publish().await, Err(LogError::Refused(_))));
    assert!(log.refusal().is_some());
}
