//! `/v1/log`, which is also the prefix of a C2SP tlog-tiles log. Hashes are lower-case hexadecimal, leaves are their exact text.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use fcs_core::{ApiError, Digest};
use fcs_service::problem::{Problem, ProblemJson, internal};
use fcs_tlog::Tile;
use fcs_tlog::tile::TileError;
use http::header;
use serde::{Deserialize, Serialize};

use crate::app::proofs::Proofs;
use crate::store::StoredLeaf;

const PLAIN_TEXT: [(header::HeaderName, &str); 1] =
    [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeavesQuery {
    #[serde(default)]
    after_count: u64,
    #[serde(default)]
    page_size: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsistencyQuery {
    old: u64,
    #[serde(default)]
    new: u64,
}

#[derive(Serialize)]
struct LeafAnswer {
    index: u64,
    data: String,
}

#[derive(Serialize)]
pub(super) struct LeavesAnswer {
    leaves: Vec<LeafAnswer>,
}

#[derive(Serialize)]
pub(super) struct LeafProofAnswer {
    leaf: LeafAnswer,
    proof: Vec<Digest>,
    checkpoint: String,
}

#[derive(Serialize)]
pub(super) struct DecisionProofAnswer {
    log_index: u64,
    record_digest: Digest,
    first_index: u64,
    last_index: u64,
    batch_proof: Vec<Digest>,
    leaf: LeafAnswer,
    log_proof: Vec<Digest>,
    checkpoint: String,
}

#[derive(Serialize)]
pub(super) struct ConsistencyAnswer {
    proof: Vec<Digest>,
    checkpoint: String,
}

pub(super) async fn checkpoint(
    State(app): State<Arc<Proofs>>,
) -> Result<impl IntoResponse, Problem> {
    let note = app.checkpoint().await?.note.clone();
    Ok((PLAIN_TEXT, [(header::CACHE_CONTROL, "max-age=1")], note))
}

pub(super) async fn tile(
    State(app): State<Arc<Proofs>>,
    Path(path): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let tile: Tile = format!("tile/{path}")
        .parse()
        .map_err(|error: TileError| ApiError::not_found("TILE_NOT_FOUND", error.to_string()))?;
    let bytes = app.tile(&tile).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        // A tile never changes. It is not marked public: whoever reads it showed a credential.
        (header::CACHE_CONTROL, "max-age=31536000, immutable"),
    ];
    Ok((headers, bytes))
}

pub(super) async fn verifier_key(State(app): State<Arc<Proofs>>) -> impl IntoResponse {
    (PLAIN_TEXT, format!("{}\n", app.verifier_key()))
}

pub(super) async fn leaves(
    State(app): State<Arc<Proofs>>,
    Query(query): Query<LeavesQuery>,
) -> Result<ProblemJson<LeavesAnswer>, Problem> {
    let leaves = app.leaves(query.after_count, query.page_size).await?;
    let leaves = leaves.into_iter().map(text).collect::<Result<_, _>>()?;
    Ok(ProblemJson(LeavesAnswer { leaves }))
}

pub(super) async fn leaf(
    State(app): State<Arc<Proofs>>,
    Path(index): Path<u64>,
) -> Result<ProblemJson<LeafProofAnswer>, Problem> {
    let proved = app.leaf(index).await?;
    Ok(ProblemJson(LeafProofAnswer {
        leaf: text(proved.leaf)?,
        proof: proved.proof,
        checkpoint: proved.published.note.clone(),
    }))
}

pub(super) async fn decision(
    State(app): State<Arc<Proofs>>,
    Path(log_index): Path<u64>,
) -> Result<ProblemJson<DecisionProofAnswer>, Problem> {
    let proved = app.decision(log_index).await?;
    let proof = proved.proof;
    Ok(ProblemJson(DecisionProofAnswer {
        log_index,
        record_digest: proved.record_digest,
        first_index: proof.batch.first_index(),
        last_index: proof.batch.last_index(),
        batch_proof: proof.batch_proof,
        leaf: text(StoredLeaf {
            index: proof.leaf_index,
            data: proved.leaf,
        })?,
        log_proof: proof.log_proof,
        checkpoint: proved.published.note.clone(),
    }))
}

pub(super) async fn consistency(
    State(app): State<Arc<Proofs>>,
    Query(query): Query<ConsistencyQuery>,
) -> Result<ProblemJson<ConsistencyAnswer>, Problem> {
    let proved = app.consistency(query.old, query.new).await?;
    let checkpoint = proved.published.note.clone();
    Ok(ProblemJson(ConsistencyAnswer {
        proof: proved.proof,
        checkpoint,
    }))
}

fn text(leaf: StoredLeaf) -> Result<LeafAnswer, ApiError> {
    let data = String::from_utf8(leaf.data).map_err(|error| internal("LEAF_DAMAGED", error))?;
    Ok(LeafAnswer {
        index: leaf.index,
        data,
    })
}
