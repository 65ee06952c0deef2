//! Asking witnesses to cosign a checkpoint before it is published.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fcs_core::UnixMicros;
use fcs_tlog::note::{NoteSignature, SignedNote};
use fcs_tlog::policy::Policy;
use fcs_tlog::witness::AddCheckpoint;
use fcs_tlog::{MerkleTree, TreeHead};
use futures::future::join_all;
use tracing::warn;

use super::ports::{Answer, Witness, WitnessError};

/// How often one witness is told another old size for one checkpoint: its first answer tells it, and another client may
/// be faster once.
const ATTEMPTS: u32 = 3;
/// A witness that failed is left alone for so long, in microseconds.
const REST: i64 = 10_000_000;

/// Why a log may not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// A witness has cosigned a longer log.
    #[error(
        "witness {name} has cosigned {seen} leaves and this log has {size}: the database is older than what was published"
    )]
    Shorter {
        /// The witness.
        name: String,
        /// Leaves that it has seen.
        seen: u64,
        /// Leaves of the log.
        size: u64,
    },
    /// A witness has cosigned another log.
    #[error("witness {name} has cosigned another log of this origin: the history was rewritten")]
    Forked {
        /// The witness.
        name: String,
    },
}

/// What is known of a witness.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// Size that it cosigned last.
    size: u64,
    /// When it may be asked again after a failure.
    rests_until: Option<UnixMicros>,
}

/// The witnesses of a policy.
pub struct Witnesses {
    policy: Policy,
    asked: Vec<Arc<dyn Witness>>,
    known: Mutex<HashMap<String, Known>>,
}

/// A checkpoint to be cosigned, and the tree that proves how it follows.
pub struct Asking<'a> {
    /// The signed checkpoint with the cosignatures that it has.
    pub note: &'a SignedNote,
    /// Its size and root.
    pub head: TreeHead,
    /// Makes the proofs of consistency.
    pub tree: &'a (dyn Fn(u64) -> Option<Vec<fcs_core::Digest>> + Send + Sync),
    /// The time.
    pub now: UnixMicros,
}

impl Witnesses {
    /// The witnesses that are asked, and the policy that says whose cosignatures count.
    pub fn new(policy: Policy, asked: Vec<Arc<dyn Witness>>) -> Self {
        Self {
            policy,
            asked,
            known: Mutex::default(),
        }
    }

    /// Whether the cosignatures on a note make the quorum.
    pub fn is_quorum(&self, note: &SignedNote) -> bool {
        self.policy.is_quorum(&self.policy.cosigners(note))
    }

    /// Cosignatures of this policy's witnesses on a note.
    pub fn cosignatures(&self, note: &SignedNote) -> usize {
        self.policy.cosigners(note).len()
    }

    /// Whether a witness that has not cosigned the note may be asked now.
    pub fn is_due(&self, note: &SignedNote, now: UnixMicros) -> bool {
        self.asked
            .iter()
            .any(|witness| self.may_ask(witness.as_ref(), note, now))
    }

    /// Asks every witness that is missing on the note, all at the same time, and returns what they signed. A witness
    /// that fails is left out and rests.
    pub async fn ask(&self, asking: &Asking<'_>) -> Result<Vec<NoteSignature>, Contradiction> {
        let missing = self
            .asked
            .iter()
            .filter(|witness| self.may_ask(witness.as_ref(), asking.note, asking.now));
        let answers = join_all(missing.map(|witness| self.ask_one(witness.as_ref(), asking))).await;
        let mut signatures = Vec::new();
        for answer in answers {
            signatures.extend(answer?);
        }
        Ok(signatures)
    }

    async fn ask_one(
        &self,
        witness: &dyn Witness,
        asking: &Asking<'_>,
    ) -> Result<Option<NoteSignature>, Contradiction> {
        let name = &witness.identity().name;
        let mut old_size = self.known().get(name).copied().unwrap_or_default().size;
        for _ in 0..ATTEMPTS {
            let answer = match request(asking, old_size) {
                Some(request) => witness.ask(&request).await,
                None => return Err(shorter(name, old_size, asking)),
            };
            match answer {
                Ok(Answer::Cosigned(lines)) => {
                    let cosigned = valid(witness, asking.note, lines);
                    let rests_until = cosigned.is_none().then(|| rest(asking.now));
                    let size = asking.head.size;
                    self.remember(name, Known { size, rests_until });
                    return Ok(cosigned);
                }
                Ok(Answer::OtherSize(size)) if size > asking.head.size => {
                    return Err(shorter(name, size, asking));
                }
                // It was asked about just this size, so it is the root that differs.
                Ok(Answer::OtherSize(size)) if size == old_size && size == asking.head.size => {
                    return Err(forked(name));
                }
                Ok(Answer::OtherSize(size)) => old_size = size,
                Ok(Answer::Inconsistent) => return Err(forked(name)),
                Err(WitnessError(error)) => {
                    warn!(witness = name, error, "a witness did not cosign");
                    break;
                }
            }
        }
        let rests_until = Some(rest(asking.now));
        let size = old_size;
        self.remember(name, Known { size, rests_until });
        Ok(None)
    }

    fn may_ask(&self, witness: &dyn Witness, note: &SignedNote, now: UnixMicros) -> bool {
        let identity = witness.identity();
        let rests_until = self
            .known()
            .get(&identity.name)
            .and_then(|known| known.rests_until);
        note.signature_by(&identity.key).is_none() && rests_until.is_none_or(|until| now >= until)
    }

    fn remember(&self, name: &str, known: Known) {
        self.known().insert(name.to_owned(), known);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a witness is asked; `None` when the log is shorter than what it has seen.
fn request(asking: &Asking<'_>, old_size: u64) -> Option<AddCheckpoint> {
    // Other witnesses' cosignatures are of no use to this one.
    let mut note = asking.note.clone();
    note.keep_first_signature();
    Some(AddCheckpoint {
        old_size,
        proof: (asking.tree)(old_size)?,
        checkpoint: note.to_string(),
    })
}

/// The proof that a head of this tree extends the first `old` leaves; `None` when it has fewer.
pub fn proof(tree: &MerkleTree, old: u64, head: &TreeHead) -> Option<Vec<fcs_core::Digest>> {
    tree.consistency_proof(old, head.size).ok()
}

fn valid(
    witness: &dyn Witness,
    note: &SignedNote,
    lines: Vec<NoteSignature>,
) -> Option<NoteSignature> {
    let identity = witness.identity();
    for line in lines {
        let mut with = note.clone();
        if with.push(line).is_ok()
            && let Some(signature) = with.signature_by(&identity.key)
        {
            return Some(signature.clone());
        }
    }
    warn!(
        witness = identity.name,
        "a witness answered without a valid cosignature of its key"
    );
    None
}

fn shorter(name: &str, seen: u64, asking: &Asking<'_>) -> Contradiction {
    Contradiction::Shorter {
        name: name.to_owned(),
        seen,
        size: asking.head.size,
    }
}

fn forked(name: &str) -> Contradiction {
    Contradiction::Forked {
        name: name.to_owned(),
    }
}

fn rest(now: UnixMicros) -> UnixMicros {
    UnixMicros(now.0.saturating_add(REST))
}
