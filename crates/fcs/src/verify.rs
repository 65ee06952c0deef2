//! Verifying the transparency log with nothing but the published formats. Of the services it trusts at most
//! the key that they name, and not even that when one is given.

use anyhow::Context;
use fcs_core::Digest;
use fcs_decision::record::record_digest;
use fcs_proto::deployment::v1::{
    GetCheckpointRequest, ListLeavesRequest, ProveDecisionRequest, ProveLeafRequest,
};
use fcs_proto::scoring::v1::Decision;
use fcs_tlog::policy::Accepted;
use fcs_tlog::{BatchLeaf, LogProof, MerkleTree, Policy, leaf_hash, verify_inclusion};
use serde::{Deserialize, Serialize};

use crate::client::Clients;
use crate::exit::CliError;
use crate::trust::{chain, failed, of_key};

const PAGE: u32 = 1_000;

/// What a proof file says is in the log. It is the `extra` of the proof; what it claims is checked against the entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "format", deny_unknown_fields)]
pub(crate) enum Statement {
    /// A decision, in a batch that is an entry.
    #[serde(rename = "faircredit-decision@1")]
    Decision {
        /// Position in the decision log.
        log_index: u64,
        /// The canonical record, exactly as it was hashed.
        record: String,
        /// The entry: the batch's bytes (JSON).
        batch: String,
        /// Path from the record digest to the batch's root.
        batch_proof: Vec<Digest>,
    },
    /// An event of a deployment or a rollout, which is an entry.
    #[serde(rename = "faircredit-event@1")]
    Event {
        /// The entry's bytes (JSON).
        entry: String,
    },
}

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
    /// The key that the service names; it is the one that verified it unless another was given.
    pub(crate) verifier_key: String,
    /// Witnesses of the policy that cosigned it.
    pub(crate) cosigned_by: Vec<String>,
}

/// Verifies the newest checkpoint and recomputes its root from every leaf. Without a policy the service's own key is
/// believed.
///
/// # Errors
/// [`CliError::Verification`] when anything does not hold.
pub(crate) async fn verify_log(
    clients: &mut Clients,
    policy: Option<&Policy>,
) -> anyhow::Result<VerifiedLog> {
    let response = clients
        .audit
        .get_checkpoint(GetCheckpointRequest {})
        .await
        .map_err(CliError::from)?
        .into_inner();
    let named = of_key(&response.verifier_key)?;
    let policy = policy.unwrap_or(&named);
    let Accepted {
        checkpoint,
        cosigners,
    } = policy
        .accept(response.checkpoint.as_bytes())
        .map_err(|error| failed(&chain(error)))?;
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
        cosigned_by: cosigners
            .into_iter()
            .map(|cosigner| cosigner.name)
            .collect(),
        checkpoint: response.checkpoint,
        verifier_key: response.verifier_key,
    })
}

/// Fetches the proof of a decision.
pub(crate) async fn prove_decision(
    clients: &mut Clients,
    decision: &Decision,
) -> anyhow::Result<LogProof> {
    let request = ProveDecisionRequest {
        log_index: decision.log_index,
    };
    let proof = clients
        .audit
        .prove_decision(request)
        .await
        .map_err(CliError::from)?
        .into_inner();
    let leaf = proof.leaf.context("the service sent no leaf")?;
    let statement = Statement::Decision {
        log_index: decision.log_index,
        record: String::from_utf8(decision.record.clone()).context("the record is not text")?,
        batch: String::from_utf8(leaf.data).context("the leaf is not text")?,
        batch_proof: digests(&proof.batch_proof)?,
    };
    Ok(LogProof {
        extra: Some(serde_json::to_vec(&statement)?),
        index: leaf.index,
        path: digests(&proof.log_proof)?,
        checkpoint: proof.checkpoint,
    })
}

/// Fetches the proof of an event by the index of its leaf.
pub(crate) async fn prove_event(
    clients: &mut Clients,
    leaf_index: u64,
) -> anyhow::Result<LogProof> {
    let proof = clients
        .audit
        .prove_leaf(ProveLeafRequest { leaf_index })
        .await
        .map_err(CliError::from)?
        .into_inner();
    let leaf = proof.leaf.context("the service sent no leaf")?;
    let statement = Statement::Event {
        entry: String::from_utf8(leaf.data).context("the leaf is not text")?,
    };
    Ok(LogProof {
        extra: Some(serde_json::to_vec(&statement)?),
        index: leaf.index,
        path: digests(&proof.proof)?,
        checkpoint: proof.checkpoint,
    })
}

/// Checks a proof from the statement in it to a checkpoint that the policy believes. An entry of somebody else's log
/// comes beside it.
///
/// # Errors
/// [`CliError::Verification`] when anything does not hold.
pub(crate) fn verify_proof(
    proof: &LogProof,
    entry: Option<&[u8]>,
    policy: &Policy,
) -> anyhow::Result<Proved> {
    let (what, leaf) = match (entry, &proof.extra) {
        (Some(entry), _) => (format!("entry {}", proof.index), leaf_hash(entry)),
        (None, Some(extra)) => {
            let statement: Statement = serde_json::from_slice(extra)
                .map_err(|error| failed(&format!("the proof's statement: {error}")))?;
            statement.check()?
        }
        (None, None) => {
            let message =
                "the proof says nothing of its entry: name the entry's bytes with --entry";
            return Err(CliError::Usage(message.to_owned()).into());
        }
    };
    let accepted = proof
        .verify(&leaf, policy)
        .map_err(|error| failed(&chain(error)))?;
    Ok(Proved { what, accepted })
}

/// What a proof has shown.
pub(crate) struct Proved {
    /// What is in the log.
    pub(crate) what: String,
    /// The checkpoint, and who cosigned it.
    pub(crate) accepted: Accepted,
}

impl Statement {
    /// What it says, and the hash of the entry that must be in the log for it.
    fn check(&self) -> anyhow::Result<(String, Digest)> {
        match self {
            Self::Event { entry } => Ok((entry.clone(), leaf_hash(entry.as_bytes()))),
            Self::Decision {
                log_index,
                record,
                batch,
                batch_proof,
            } => {
                let batch = BatchLeaf::parse(batch.as_bytes())
                    .map_err(|error| failed(&error.to_string()))?;
                let record_leaf = leaf_hash(record_digest(record.as_bytes()).as_bytes());
                let position = batch.position(*log_index).ok_or_else(|| {
                    failed(&format!("decision {log_index} is outside of the batch"))
                })?;
                verify_inclusion(&record_leaf, position, batch_proof, &batch.head())
                    .map_err(|error| failed(&format!("the record in its batch: {error}")))?;
                Ok((format!("decision {log_index}"), batch.leaf_hash()))
            }
        }
    }
}

fn digests(hashes: &[Vec<u8>]) -> anyhow::Result<Vec<Digest>> {
    hashes
        .iter()
        .map(|hash| Ok(Digest::try_from(hash.as_slice())?))
        .collect()
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
