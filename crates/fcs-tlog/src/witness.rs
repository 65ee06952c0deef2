//! What a witness is asked and how it decides (<https://c2sp.org/tlog-witness>).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fcs_core::Digest;

use crate::checkpoint::{Checkpoint, parse_hash, parse_number};
use crate::note::{MAX_NOTE_BYTES, SignedNote, VerifierKey};
use crate::verify::{TreeHead, verify_consistency};

/// Most hashes in a request.
pub const PROOF_LINES_MAX: usize = 63;

/// Longest request that is read, in bytes.
pub const REQUEST_BYTES_MAX: usize = MAX_NOTE_BYTES + 8 * 1024;

/// The body of `add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint that the witness cosigned last, 0 for none.
    pub old_size: u64,
    /// Proof that the new checkpoint extends that one, lowest first.
    pub proof: Vec<Digest>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

/// Why a witness does not cosign. Each case has its HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request breaks the format.
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    /// The old size is above the size of the checkpoint.
    #[error("the old size is greater than the checkpoint's")]
    SizesReversed,
    /// The witness does not follow this log.
    #[error("the log is unknown here")]
    UnknownLog,
    /// No key of the log signed.
    #[error("the checkpoint is not signed by the log")]
    NotSigned,
    /// The old size is not the one that was cosigned last.
    #[error("the checkpoint cosigned last is of size {size}")]
    OtherSize {
        /// Size of the checkpoint that was cosigned last.
        size: u64,
    },
    /// A different tree of the size that was cosigned last: the log has forked.
    #[error("another tree of size {size} is cosigned already")]
    OtherRoot {
        /// The size of both trees.
        size: u64,
    },
    /// The proof does not show that the log only grew.
    #[error("the checkpoint is not proved to extend the one cosigned last")]
    Inconsistent,
}

impl Refusal {
    /// The HTTP status that the protocol gives it.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::SizesReversed => 400,
            Self::NotSigned => 403,
            Self::UnknownLog => 404,
            Self::OtherSize { .. } | Self::OtherRoot { .. } => 409,
            Self::Inconsistent => 422,
        }
    }

    /// Whether the log itself signed something that contradicts what it signed before, or does not prove the contrary.
    pub fn is_evidence(&self) -> bool {
        matches!(self, Self::OtherRoot { .. } | Self::Inconsistent)
    }
}

impl AddCheckpoint {
    /// Reads a request's body.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(Refusal::Malformed("too long"));
        }
        let text = str::from_utf8(bytes).map_err(|_| Refusal::Malformed("not UTF-8"))?;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(Refusal::Malformed("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old_size = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .and_then(parse_number)
            .ok_or(Refusal::Malformed("the first line is not \"old <size>\""))?;
        let proof = lines
            .map(parse_hash)
            .collect::<Option<Vec<_>>>()
            .ok_or(Refusal::Malformed("a hash is not 32 bytes in base64"))?;
        if proof.len() > PROOF_LINES_MAX {
            return Err(Refusal::Malformed("more than 63 hashes"));
        }
        let request = Self {
            old_size,
            proof,
            checkpoint: checkpoint.to_owned(),
        };
        request.read()?;
        Ok(request)
    }

    /// The checkpoint, when a key of its log signed it. `logs` are the keys that the witness trusts.
    pub fn authenticate(&self, logs: &[VerifierKey]) -> Result<Checkpoint, Refusal> {
        let (note, checkpoint) = self.read()?;
        let of_log = |key: &&VerifierKey| *key.name() == checkpoint.origin && !key.is_cosigner();
        let keys: Vec<VerifierKey> = logs.iter().filter(of_log).cloned().collect();
        if keys.is_empty() {
            return Err(Refusal::UnknownLog);
        }
        note.verify(&keys).map_err(|_| Refusal::NotSigned)?;
        if self.old_size > checkpoint.head.size {
            return Err(Refusal::SizesReversed);
        }
        Ok(checkpoint)
    }

    /// Whether an authentic checkpoint extends the head that was cosigned last, the empty tree's when there is none.
    pub fn check(&self, checkpoint: &Checkpoint, last: &TreeHead) -> Result<(), Refusal> {
        let (new, size) = (&checkpoint.head, last.size);
        if self.old_size != size {
            return Err(Refusal::OtherSize { size });
        }
        if new.size == size && new.root != last.root {
            return Err(Refusal::OtherRoot { size });
        }
        verify_consistency(last, new, &self.proof).map_err(|_| Refusal::Inconsistent)
    }

    fn read(&self) -> Result<(SignedNote, Checkpoint), Refusal> {
        let malformed = Refusal::Malformed("the checkpoint is not a signed note of three lines");
        let read = || {
            let note = SignedNote::parse(self.checkpoint.as_bytes()).ok()?;
            let checkpoint = Checkpoint::parse(note.text()).ok()?;
            Some((note, checkpoint))
        };
        read().ok_or(malformed)
    }
}

impl fmt::Display for AddCheckpoint {
    /// The body of the request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in &self.proof {
            writeln!(f, "{}", STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
