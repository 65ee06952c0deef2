//! The log as files, its witnesses, and the refusal to sign beside what they have seen.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use deployment_audit::app::log::LogError;
use deployment_audit::app::proofs::Proofs;
use fcs_core::ErrorCode;
use fcs_tlog::tile::{parse_entries, parse_hashes};
use fcs_tlog::{Frontier, Tile, TreeHead, leaf_hash};

use crate::support::log::{
    FakeWitness, TurnedClock, all_of, append, folder, open, open_witnessed, verify,
};
use crate::support::{Backend, digest_of, on_both, sqlite};

on_both!(
    the_folder_holds_the_whole_log,
    tiles_are_served_as_far_as_the_checkpoint_covers_them,
    a_database_older_than_the_folder_is_not_signed,
    a_rewritten_database_is_not_signed_beside_the_folder,
    a_byte_that_changes_while_the_log_runs_is_found,
    witnesses_cosign_before_publication,
    a_database_older_than_a_witness_is_not_signed,
    a_fork_that_a_witness_sees_is_not_signed,
);

/// Reads a folder as an outsider does: every entry, every tile, and the root of the checkpoint.
fn audited(path: &Path, head: TreeHead) {
    let mut frontier = Frontier::new();
    for tile in Tile::between(0, head.size) {
        let bytes = fs::read(path.join(tile.to_string())).unwrap();
        if tile.to_string().starts_with("tile/entries/") {
            for entry in parse_entries(&bytes).unwrap() {
                frontier.push(leaf_hash(entry));
            }
        } else {
            assert_eq!(parse_hashes(&bytes).unwrap().len() as u64, tile.width());
        }
    }
    assert_eq!(frontier.head(), head);
}

/// Appends leaves of one decision each, behind the first `from`.
async fn grow(backend: &Backend, from: u64, to: u64) {
    for index in from + 1..=to {
        append(backend, index, 1).await;
    }
}

async fn the_folder_holds_the_whole_log(backend: Backend) {
    let log = open(&backend).await;
    let mut before = 0;
    for size in [0, 3, 255, 256, 300, 513] {
        grow(&backend, before, size).await;
        log.publish().await.unwrap();
        before = size;
        let note = folder(&backend).checkpoint().unwrap().unwrap();
        assert_eq!(note, log.current().await.unwrap().note.as_bytes());
        let head = verify(&log, str::from_utf8(&note).unwrap()).head;
        assert_eq!(head.size, size);
        audited(folder(&backend).path(), head);
    }
    let partial = folder(&backend).path().join("tile/0/000.p");
    assert!(!partial.exists(), "the full tile has replaced it");
    // Another process goes on with the folder, and one that lost it writes it anew.
    drop(log);
    fs::remove_dir_all(folder(&backend).path()).unwrap();
    let log = open(&backend).await;
    log.publish().await.unwrap();
    audited(
        folder(&backend).path(),
        verify(&log, &log.current().await.unwrap().note).head,
    );
}

async fn tiles_are_served_as_far_as_the_checkpoint_covers_them(backend: Backend) {
    grow(&backend, 0, 300).await;
    let log = open(&backend).await;
    log.publish().await.unwrap();
    let proofs = Proofs {
        store: Arc::clone(&backend.store),
        log,
    };
    for tile in Tile::between(0, 300) {
        let expected = fs::read(folder(&backend).path().join(tile.to_string())).unwrap();
        assert_eq!(proofs.tile(&tile).await.unwrap(), expected, "{tile}");
    }
    // Earlier sizes had narrower tiles; later ones do not exist yet.
    let narrow = proofs.tile(&"tile/0/001.p/7".parse().unwrap()).await;
    assert_eq!(parse_hashes(&narrow.unwrap()).unwrap().len(), 7);
    grow(&backend, 300, 301).await;
    for path in ["tile/0/001.p/45", "tile/entries/002.p/1", "tile/2/000.p/1"] {
        let error = proofs.tile(&path.parse().unwrap()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound, "{path}");
    }
    let changed = "UPDATE leaves SET data = (SELECT l.data FROM leaves l WHERE l.leaf_index = 1) \
                   WHERE leaf_index = 0";
    assert_eq!(backend.execute(changed).await.unwrap(), 1);
    let entries = proofs.tile(&"tile/entries/000".parse().unwrap()).await;
    assert_eq!(entries.unwrap_err().reason, "LOG_REFUSED");
}

/// Takes the last leaf and every checkpoint over it out of the database, as an older backup does.
async fn put_back(backend: &Backend, size: u64) {
    assert_eq!(size, 2, "the statements are static");
    for statement in [
        "DELETE FROM checkpoints WHERE size > 2",
        "DELETE FROM decision_batches WHERE leaf_index >= 2",
        "DELETE FROM leaves WHERE leaf_index >= 2",
        "UPDATE log_head SET size = 2",
    ] {
        assert_eq!(backend.execute(statement).await.unwrap(), 1, "{statement}");
    }
}

async fn a_database_older_than_the_folder_is_not_signed(backend: Backend) {
    grow(&backend, 0, 2).await;
    let log = open(&backend).await;
    log.publish().await.unwrap();
    grow(&backend, 2, 3).await;
    log.publish().await.unwrap();
    let published = folder(&backend).checkpoint().unwrap();
    put_back(&backend, 2).await;
    let log = open(&backend).await;
    let reason = log.refusal().unwrap();
    assert!(
        reason.contains("covers 3 leaves and the database holds 2"),
        "{reason}"
    );
    assert!(matches!(log.publish().await, Err(LogError::Refused(_))));
    // Also when other leaves have taken the places.
    backend.store.seal(false).await.unwrap();
    append(&backend, 3, 2).await;
    append(&backend, 5, 1).await;
    assert!(open(&backend).await.refusal().is_some());
    assert_eq!(folder(&backend).checkpoint().unwrap(), published);
    let last = backend.store.last_checkpoint().await.unwrap().unwrap();
    assert_eq!(last.size, 2, "nothing was signed");
}

async fn a_rewritten_database_is_not_signed_beside_the_folder(backend: Backend) {
    grow(&backend, 0, 3).await;
    open(&backend).await.publish().await.unwrap();
    for statement in [
        "DELETE FROM checkpoints",
        "UPDATE leaves SET data = (SELECT l.data FROM leaves l WHERE l.leaf_index = 1) WHERE leaf_index = 0",
    ] {
        assert_eq!(backend.execute(statement).await.unwrap(), 1, "{statement}");
    }
    let reason = open(&backend).await.refusal().unwrap();
    assert!(reason.contains("other leaves"), "{reason}");
}

async fn a_byte_that_changes_while_the_log_runs_is_found(backend: Backend) {
    grow(&backend, 0, 600).await;
    let log = open(&backend).await;
    log.publish().await.unwrap();
    log.scrub().await.unwrap();
    let changed = "UPDATE leaves SET data = (SELECT l.data FROM leaves l WHERE l.leaf_index = 1) \
                   WHERE leaf_index = 555";
    assert_eq!(backend.execute(changed).await.unwrap(), 1);
    assert!(matches!(log.scrub().await, Err(LogError::Refused(_))));
    assert!(log.refusal().unwrap().contains("leaf 555"));
    assert!(matches!(log.publish().await, Err(LogError::Refused(_))));
}

async fn witnesses_cosign_before_publication(backend: Backend) {
    let (one, two) = (FakeWitness::new("w1", 11), FakeWitness::new("w2", 12));
    let (policy, witnesses) = all_of(&[Arc::clone(&one), Arc::clone(&two)]);
    let clock = Arc::new(TurnedClock::default());
    grow(&backend, 0, 2).await;
    let log = open_witnessed(&backend, 1, (witnesses, Arc::clone(&clock) as _)).await;
    log.publish().await.unwrap();
    let note = || fs::read(folder(&backend).path().join("checkpoint")).unwrap();
    assert_eq!(policy.accept(&note()).unwrap().cosigners.len(), 2);
    // One is down: the log goes on, and the checkpoint says what it has.
    two.state.lock().unwrap().is_up = false;
    grow(&backend, 2, 3).await;
    log.publish().await.unwrap();
    let published = log.current().await.unwrap();
    assert_eq!(published.head.size, 3);
    assert_eq!(published.note.as_bytes(), note());
    assert!(policy.accept(&note()).is_err(), "the quorum is not met");
    // It rests, then it is asked again, and the same checkpoint gets its cosignature.
    let asked = two.state.lock().unwrap().asked;
    two.state.lock().unwrap().is_up = true;
    log.publish().await.unwrap();
    assert_eq!(two.state.lock().unwrap().asked, asked);
    clock.turn(10);
    log.publish().await.unwrap();
    assert_eq!(policy.accept(&note()).unwrap().checkpoint.head.size, 3);
    // What is cosigned is not asked for again, not even after a restart.
    let asked = one.state.lock().unwrap().asked;
    log.publish().await.unwrap();
    let (_, again) = all_of(&[Arc::clone(&one), Arc::clone(&two)]);
    let log = open_witnessed(&backend, 1, (again, clock as _)).await;
    log.publish().await.unwrap();
    assert_eq!(one.state.lock().unwrap().asked, asked);
    assert_eq!(log.current().await.unwrap().note.as_bytes(), note());
    // A signature over something else is not published.
    one.state.lock().unwrap().lies = true;
    grow(&backend, 3, 4).await;
    log.publish().await.unwrap();
    let refused = policy.accept(&note()).unwrap_err().to_string();
    assert!(refused.contains("only w2 cosigned"), "{refused}");
}

async fn a_database_older_than_a_witness_is_not_signed(backend: Backend) {
    let witness = FakeWitness::new("w1", 11);
    let clock = Arc::new(TurnedClock::default());
    grow(&backend, 0, 2).await;
    let (_, witnesses) = all_of(&[Arc::clone(&witness)]);
    let log = open_witnessed(&backend, 1, (witnesses, Arc::clone(&clock) as _)).await;
    log.publish().await.unwrap();
    grow(&backend, 2, 3).await;
    log.publish().await.unwrap();
    // Everything of the log's own goes back together: only the witness remembers.
    put_back(&backend, 2).await;
    fs::remove_dir_all(folder(&backend).path()).unwrap();
    let (_, witnesses) = all_of(&[witness]);
    let log = open_witnessed(&backend, 1, (witnesses, clock as _)).await;
    assert!(matches!(log.publish().await, Err(LogError::Refused(_))));
    let reason = log.refusal().unwrap();
    assert!(
        reason.contains("has cosigned 3 leaves and this log has 2"),
        "{reason}"
    );
    assert_eq!(
        folder(&backend).checkpoint().unwrap(),
        None,
        "nothing is published"
    );
}

async fn a_fork_that_a_witness_sees_is_not_signed(backend: Backend) {
    for (size, same_size) in [(3, true), (2, false)] {
        let witness = FakeWitness::new("w1", 11);
        witness.state.lock().unwrap().last = TreeHead {
            size,
            root: digest_of(9),
        };
        let clock = Arc::new(TurnedClock::default());
        if same_size {
            grow(&backend, 0, 3).await;
        }
        let (_, witnesses) = all_of(&[witness]);
        let log = open_witnessed(&backend, 1, (witnesses, clock as _)).await;
        assert!(matches!(log.publish().await, Err(LogError::Refused(_))));
        let reason = log.refusal().unwrap();
        assert!(reason.contains("another log of this origin"), "{reason}");
    }
}

/// The file of the database itself, put back with everything in it.
#[tokio::test]
async fn an_older_copy_of_the_database_file_is_not_signed() {
    let backend = sqlite().await;
    grow(&backend, 0, 2).await;
    let log = open(&backend).await;
    log.publish().await.unwrap();
    let copy = backend.folder.path().join("backup.db");
    let statement = format!("VACUUM INTO '{}'", copy.display());
    let fcs_service::database::Database::Sqlite(pool) = &backend.database else {
        panic!("the backend is SQLite");
    };
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(pool)
        .await
        .unwrap();
    grow(&backend, 2, 4).await;
    log.publish().await.unwrap();
    pool.close().await;
    let file = backend.folder.path().join("deployment_audit.db");
    assert!(file.exists());
    for ending in ["-wal", "-shm"] {
        let mut name = file.clone().into_os_string();
        name.push(ending);
        drop(fs::remove_file(name));
    }
    fs::copy(&copy, &file).unwrap();
    let restored = backend.reopened().await;
    assert_eq!(restored.store.log_size().await.unwrap(), 2);
    let reason = open(&restored).await.refusal().unwrap();
    assert!(reason.contains("older than what was published"), "{reason}");
}
