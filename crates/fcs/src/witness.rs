//! A witness: what it has cosigned, in files, and its answers over HTTP (C2SP tlog-witness).

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use deployment_audit::tile_folder::write_whole;
use fcs_core::{Clock, Digest};
use fcs_tlog::note::{CosigningKey, VerifierKey};
use fcs_tlog::witness::{AddCheckpoint, REQUEST_BYTES_MAX, Refusal};
use fcs_tlog::{Checkpoint, TreeHead, empty_root};
use http::{StatusCode, header};
use sha2::Digest as _;

const PLAIN_TEXT: [(header::HeaderName, &str); 1] =
    [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];

/// A witness over its folder.
pub(crate) struct Witness {
    key: CosigningKey,
    logs: Vec<VerifierKey>,
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// Held from the look at the last checkpoint until the new one is durable, so that no answer overtakes another.
    turn: Mutex<()>,
}

/// Why nothing was cosigned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WitnessFailure {
    /// The request is not one to cosign.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The files could not be read or written.
    #[error("the witness's state could not be read or written")]
    State(#[from] io::Error),
}

impl Witness {
    /// A witness of these logs that keeps its state in a folder.
    pub(crate) fn new(
        key: CosigningKey,
        logs: Vec<VerifierKey>,
        folder: &Path,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let folder = folder.to_owned();
        let turn = Mutex::default();
        Self {
            key,
            logs,
            folder,
            clock,
            turn,
        }
    }

    /// Cosigns a checkpoint that extends what it cosigned last, and answers only when that is durable. Returns
    /// signature lines.
    pub(crate) fn add(&self, body: &[u8]) -> Result<String, WitnessFailure> {
        let request = AddCheckpoint::parse(body)?;
        let checkpoint = request.authenticate(&self.logs)?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(&log_id(checkpoint.origin.as_str()));
        let last = self.last(&path, &checkpoint)?;
        if let Err(refusal) = request.check(&checkpoint, &last) {
            if refusal.is_evidence() {
                self.keep(&path, &checkpoint, body)?;
            }
            return Err(refusal.into());
        }
        write_whole(&path, request.checkpoint.as_bytes())?;
        let seconds = u64::try_from(self.clock.now().0 / 1_000_000).unwrap_or(0);
        // Extension lines are part of what is cosigned.
        let text = request
            .checkpoint
            .rsplit_once("\n\n")
            .map_or("", |(text, _)| text);
        let line = self.key.cosign(&format!("{text}\n"), seconds);
        Ok(format!("{line}\n"))
    }

    /// The checkpoint that it cosigned last, by the hash of the log's origin.
    fn cosigned(&self, log: &str) -> io::Result<Option<Vec<u8>>> {
        read(&self.path(log))
    }

    fn path(&self, log: &str) -> PathBuf {
        self.folder.join(format!("{log}.checkpoint"))
    }

    fn last(&self, path: &Path, checkpoint: &Checkpoint) -> io::Result<TreeHead> {
        let Some(note) = read(path)? else {
            let root = empty_root();
            return Ok(TreeHead { size: 0, root });
        };
        let keys = self.logs.iter();
        keys.filter(|key| *key.name() == checkpoint.origin)
            .find_map(|key| Checkpoint::open(&note, key).ok())
            .map(|last| last.head)
            // Without its memory it must not say anything more.
            .ok_or_else(|| io::Error::other(format!("{} is damaged", path.display())))
    }

    /// Keeps what the log signed against its own past, beside what it had signed before: once for each head, whose number
    /// only the log's key can raise.
    fn keep(&self, path: &Path, checkpoint: &Checkpoint, body: &[u8]) -> io::Result<()> {
        let name = log_id(&checkpoint.to_note_text());
        let folder = self.folder.join("evidence");
        write_whole(&folder.join(format!("{name}.request")), body)?;
        match read(path)? {
            Some(last) => write_whole(&folder.join(format!("{name}.cosigned")), &last),
            None => Ok(()),
        }
    }
}

/// The routes of a witness.
pub(crate) fn routes(witness: Arc<Witness>) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{log}/checkpoint", get(last_checkpoint))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(witness)
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    let done = tokio::task::spawn_blocking(move || witness.add(&body)).await;
    let done = done.unwrap_or_else(|error| Err(io::Error::other(error).into()));
    match done {
        Ok(lines) => (PLAIN_TEXT, lines).into_response(),
        Err(WitnessFailure::Refused(refusal)) => refused(&refusal),
        Err(WitnessFailure::State(error)) => {
            eprintln!("error: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn refused(refusal: &Refusal) -> Response {
    let status =
        StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match refusal {
        Refusal::OtherSize { size } | Refusal::OtherRoot { size } => {
            let headers = [(header::CONTENT_TYPE, "text/x.tlog.size")];
            (status, headers, format!("{size}\n")).into_response()
        }
        _ => (status, PLAIN_TEXT, format!("{refusal}\n")).into_response(),
    }
}

async fn last_checkpoint(
    State(witness): State<Arc<Witness>>,
    UrlPath(log): UrlPath<String>,
) -> Response {
    let is_hash = log.parse::<Digest>().is_ok();
    match is_hash.then(|| witness.cosigned(&log)) {
        Some(Ok(Some(note))) => (PLAIN_TEXT, note).into_response(),
        Some(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// SHA-256 of a text. That of a log's origin is its name in addresses and files.
fn log_id(text: &str) -> String {
    Digest::from_bytes(sha2::Sha256::digest(text).into()).to_string()
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
