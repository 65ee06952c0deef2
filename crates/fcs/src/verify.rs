//! Verifying the transparency log with nothing but the published formats. Of the services it trusts at most
//! the key that they name, and not even that when one is given.

use anyhow::Context;
use fcs_core::Digest;
use fcs_decision::record::record_digest;
use fcs_proto::deployment::v1::{
    GetCheckpointRequest, ListLeavesRequest, ProveDecisionRequest, ProveDecisionResponse,
};
use fcs_proto::scoring::v1::Decision;
use fcs_tlog::batch::{BatchLeaf, DecisionClaim, DecisionProof, verify_decision};
use fcs_tlog::checkpoint::Checkpoint;
use fcs_tlog::note::VerifierKey;
use fcs_tlog::{MerkleTree, leaf_hash};
use serde::{Deserialize, Serialize};

use crate::client::Clients;
use crate::exit::CliError;

const PAGE: u32 = 1_000;

/// The proof that a decision is in the log, with all that is needed to check it offline.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bundle {
    /// Always [`BUNDLE_FORMAT`].
    pub(crate) format: String,
    /// Position in the decision log.
    pub(crate) log_index: u64,
    /// The canonical record, exactly as it was hashed.
    pub(crate) record: String,
    /// The batch leaf's bytes (JSON).
    pub(crate) batch_leaf: String,
    /// Path from the record digest to the batch root.
    pub(crate) batch_proof: Vec<Digest>,
    /// Zero-based index of the batch leaf.
    pub(crate) leaf_index: u64,
    /// Path from the batch leaf to the checkpoint's root.
    pub(crate) log_proof: Vec<Digest>,
    /// C2SP checkpoint.
    pub(crate) checkpoint: String,
    /// The key that the service named; take yours from a source that you trust.
    pub(crate) verifier_key: String,
}

/// Name and version of the bundle's shape.
pub(crate) const BUNDLE_FORMAT: &str = "faircredit-decision-proof@1";

/// A checkpoint whose signature and root were verified.
#[derive(Serialize)]
pub(crate) struct VerifiedLog {
    /// Origin of the log.
    pub(crate) origin: String,
    /// Leaves.
    pub(crate) size: u64,
    /// Root of the tree.
    pub(crate) root: Digest,
    /// Highest decision index that the log covers.
    pub(crate) last_decision_index: u64,
    /// The signed note.
    pub(crate) checkpoint: String,
    /// The key that verified it.
    pub(crate) verifier_key: String,
}

/// Verifies the newest checkpoint's signature and recomputes its root from every leaf.
///
/// # Errors
/// [`CliError::Verification`] when anything does not hold.
pub(crate) async fn verify_log(
    clients: &mut Clients,
    key: Option<&str>,
) -> anyhow::Result<VerifiedLog> {
    let response = clients
        .audit
        .get_checkpoint(GetCheckpointRequest {})
        .await
        .map_err(CliError::from)?
        .into_inner();
    let verifier_key = key.unwrap_or(&response.verifier_key).to_owned();
    let checkpoint = open(&response.checkpoint, &verifier_key)?;
    let size = checkpoint.head.size;
    let (tree, last_decision_index) = fetch_tree(clients, size).await?;
    if tree.root() != checkpoint.head.root {
        return Err(failed("the leaves do not give the root of the checkpoint"));
    }
    Ok(VerifiedLog {
        origin: checkpoint.origin.to_string(),
        size,
        root: checkpoint.head.root,
        last_decision_index,
        checkpoint: response.checkpoint,
        verifier_key,
    })
}

/// Fetches the proof of a decision.
pub(crate) async fn fetch_bundle(
    clients: &mut Clients,
    decision: &Decision,
) -> anyhow::Result<Bundle> {
    let verifier_key = clients
        .audit
        .get_checkpoint(GetCheckpointRequest {})
        .await
        .map_err(CliError::from)?
        .into_inner()
        .verifier_key;
    let request = ProveDecisionRequest {
        log_index: decision.log_index,
    };
    let proof = clients
        .audit
        .prove_decision(request)
        .await
        .map_err(CliError::from)?
        .into_inner();
    bundle(decision, proof, verifier_key)
}

/// Checks a bundle from record to signature.
///
/// # Errors
/// [`CliError::Verification`] when anything does not hold.
pub(crate) fn verify_bundle(bundle: &Bundle, key: Option<&str>) -> anyhow::Result<()> {
    if bundle.format != BUNDLE_FORMAT {
        return Err(failed(&format!(
            "the bundle's format must be {BUNDLE_FORMAT}"
        )));
    }
    let checkpoint = open(&bundle.checkpoint, key.unwrap_or(&bundle.verifier_key))?;
    let claim = DecisionClaim {
        record_digest: record_digest(bundle.record.as_bytes()),
        log_index: bundle.log_index,
    };
    let batch = BatchLeaf::parse(bundle.batch_leaf.as_bytes())
        .map_err(|error| failed(&error.to_string()))?;
    let proof = DecisionProof {
        batch,
        batch_proof: bundle.batch_proof.clone(),
        leaf_index: bundle.leaf_index,
        log_proof: bundle.log_proof.clone(),
    };
    verify_decision(&claim, &proof, &checkpoint).map_err(|error| failed(&error.to_string()))
}

fn bundle(
    decision: &Decision,
    proof: ProveDecisionResponse,
    verifier_key: String,
) -> anyhow::Result<Bundle> {
    let leaf = proof.leaf.context("the service sent no leaf")?;
    let digests = |hashes: &[Vec<u8>]| -> anyhow::Result<Vec<Digest>> {
        hashes
            .iter()
            .map(|hash| Ok(Digest::try_from(hash.as_slice())?))
            .collect()
    };
    Ok(Bundle {
        format: BUNDLE_FORMAT.into(),
        log_index: decision.log_index,
        record: String::from_utf8(decision.record.clone()).context("the record is not text")?,
        batch_leaf: String::from_utf8(leaf.data).context("the leaf is not text")?,
        batch_proof: digests(&proof.batch_proof)?,
        leaf_index: leaf.index,
        log_proof: digests(&proof.log_proof)?,
        checkpoint: proof.checkpoint,
        verifier_key,
    })
}

/// Every leaf up to a size, and the highest decision index that the batches among them cover without a gap.
async fn fetch_tree(clients: &mut Clients, size: u64) -> anyhow::Result<(MerkleTree, u64)> {
    let mut tree = MerkleTree::new();
    let mut last_decision_index = 0;
    while tree.len() < size {
        let request = ListLeavesRequest {
            after_count: tree.len(),
            page_size: PAGE,
        };
        let response = clients
            .audit
            .list_leaves(request)
            .await
            .map_err(CliError::from)?;
        let before = tree.len();
        for leaf in response
            .into_inner()
            .leaves
            .into_iter()
            .take_while(|leaf| leaf.index < size)
        {
            if leaf.index != tree.len() {
                return Err(failed("the service left out a leaf"));
            }
            if let Ok(batch) = BatchLeaf::parse(&leaf.data) {
                if batch.first_index() != last_decision_index + 1 {
                    return Err(failed("the batches leave out a decision"));
                }
                last_decision_index = batch.last_index();
            }
            tree.push(leaf_hash(&leaf.data));
        }
        if tree.len() == before {
            return Err(failed(
                "the service holds fewer leaves than its checkpoint says",
            ));
        }
    }
    Ok((tree, last_decision_index))
}

fn open(note: &str, key: &str) -> anyhow::Result<Checkpoint> {
    let key: VerifierKey = key
        .parse()
        .map_err(|error| CliError::Usage(format!("the verifier key: {error}")))?;
    Checkpoint::open(note.as_bytes(), &key)
        .map_err(|error| failed(&format!("the checkpoint: {error}")))
}

fn failed(what: &str) -> anyhow::Error {
    CliError::Verification(format!("verification failed: {what}")).into()
}
