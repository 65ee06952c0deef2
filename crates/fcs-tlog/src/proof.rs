//! C2SP proofs: that an entry is in a log, in a file that verifies offline (<https://c2sp.org/tlog-proof>).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fcs_core::Digest;

use crate::checkpoint::{parse_hash, parse_number};
use crate::note::MAX_NOTE_BYTES;
use crate::policy::{Accepted, Policy, Unmet};
use crate::verify::{VerifyError, verify_inclusion};

/// Longest proof file that is read, in bytes.
pub const PROOF_BYTES_MAX: usize = 8 << 20;

/// Most hashes of a path: the height of the greatest tree.
const HASHES_MAX: usize = 64;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1\n";

/// A proof that an entry is in a log. Its text form is a `.tlog-proof` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// What the application adds. Nothing vouches for it.
    pub extra: Option<Vec<u8>>,
    /// Zero-based index of the entry.
    pub index: u64,
    /// Path from the entry to the root, lowest first.
    pub path: Vec<Digest>,
    /// The checkpoint's note, verbatim.
    pub checkpoint: String,
}

/// A file is not a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed proof: {0}")]
pub struct ProofFormatError(&'static str);

/// A proof does not show that the entry is in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogProofError {
    /// The checkpoint does not meet the policy.
    #[error("the checkpoint is not one to believe")]
    Checkpoint(#[source] Unmet),
    /// The path does not lead from the entry to the checkpoint's root.
    #[error("the entry is not proved to be in the log")]
    Path(#[source] VerifyError),
}

impl LogProof {
    /// Reads a proof file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFormatError> {
        let broken = |what| ProofFormatError(what);
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(broken("too long"));
        }
        let text = str::from_utf8(bytes).map_err(|_| broken("not UTF-8"))?;
        let text = text
            .strip_prefix(FIRST_LINE)
            .ok_or(broken("the first line is not c2sp.org/tlog-proof@v1"))?;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(broken("no empty line before the checkpoint"))?;
        if checkpoint.is_empty() || checkpoint.len() > MAX_NOTE_BYTES {
            return Err(broken("no checkpoint, or one that is too long"));
        }
        let mut lines = head.split('\n').peekable();
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            Some(encoded) => {
                lines.next();
                let bytes = STANDARD.decode(encoded);
                Some(bytes.map_err(|_| broken("the extra data is not base64"))?)
            }
            None => None,
        };
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(parse_number)
            .ok_or(broken("no index line with a decimal number"))?;
        let path = lines
            .map(|line| parse_hash(line).ok_or(broken("a hash is not 32 bytes in base64")))
            .collect::<Result<Vec<_>, _>>()?;
        if path.len() > HASHES_MAX {
            return Err(broken("more hashes than any tree is high"));
        }
        Ok(Self {
            extra,
            index,
            path,
            checkpoint: checkpoint.to_owned(),
        })
    }

    /// Checks that the entry with this leaf hash is in a log that the policy believes.
    pub fn verify(&self, leaf: &Digest, policy: &Policy) -> Result<Accepted, LogProofError> {
        let accepted = policy
            .accept(self.checkpoint.as_bytes())
            .map_err(LogProofError::Checkpoint)?;
        verify_inclusion(leaf, self.index, &self.path, &accepted.checkpoint.head)
            .map_err(LogProofError::Path)?;
        Ok(accepted)
    }
}

impl fmt::Display for LogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FIRST_LINE)?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
