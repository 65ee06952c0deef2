//! C2SP checkpoints: a log's size and root in a signed note (<https://c2sp.org/tlog-checkpoint>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fcs_core::Digest;

use crate::hash::empty_root;
use crate::note::{NoteError, NoteKeyName, SignedNote, SigningKey, VerifierKey};
use crate::verify::TreeHead;

/// What a log says about itself at a moment. The log's key has the origin as its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Identity of the log, for example `faircredit.example/log`.
    pub origin: NoteKeyName,
    /// Size and root.
    pub head: TreeHead,
}

/// A checkpoint cannot be read, signed or trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it is malformed or not signed by the key.
    #[error("the checkpoint's note is refused")]
    Note(#[source] NoteError),
    /// The text inside the note breaks the format.
    #[error("malformed checkpoint: {0}")]
    Malformed(&'static str),
    /// The key is a witness's: what it says of a checkpoint is not what a log says.
    #[error("the key {0} is for cosignatures, not for a log")]
    CosignerKey(NoteKeyName),
    /// The key belongs to another log.
    #[error("the origin is {origin}, the key belongs to {key}")]
    OtherOrigin {
        /// Origin that the checkpoint names.
        origin: NoteKeyName,
        /// Name of the key.
        key: NoteKeyName,
    },
}

impl Checkpoint {
    /// The text that is signed: origin, size and base64 root, one line each.
    pub fn to_note_text(&self) -> String {
        let root = STANDARD.encode(self.head.root.as_bytes());
        format!("{}\n{}\n{root}\n", self.origin, self.head.size)
    }

    /// Reads the text of a note. Extension lines are allowed and dropped: they mean nothing here.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text
            .strip_suffix('\n')
            .ok_or(CheckpointError::Malformed("no line end"))?;
        let mut lines = body.split('\n');
        let mut line = || {
            lines
                .next()
                .ok_or(CheckpointError::Malformed("fewer than three lines"))
        };
        let (origin, size, root) = (line()?, line()?, line()?);
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Malformed("empty extension line"));
        }
        let head = TreeHead {
            size: parse_number(size).ok_or(CheckpointError::Malformed(
                "the size is not a decimal number without leading zeros",
            ))?,
            root: parse_hash(root).ok_or(CheckpointError::Malformed(
                "the root is not 32 bytes in base64",
            ))?,
        };
        if head.size == 0 && head.root != empty_root() {
            return Err(CheckpointError::Malformed(
                "size 0 with the root of another tree",
            ));
        }
        Ok(Self {
            origin: origin.parse().map_err(CheckpointError::Note)?,
            head,
        })
    }

    /// Signs with the log's key.
    pub fn sign(&self, key: &SigningKey) -> Result<SignedNote, CheckpointError> {
        self.check_key_name(key.name())?;
        SignedNote::sign(&self.to_note_text(), key).map_err(CheckpointError::Note)
    }

    /// Reads a signed checkpoint and checks the log's signature and origin.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<Self, CheckpointError> {
        if key.is_cosigner() {
            return Err(CheckpointError::CosignerKey(key.name().clone()));
        }
        let note = SignedNote::parse(note).map_err(CheckpointError::Note)?;
        let verified = note
            .verify(std::slice::from_ref(key))
            .map_err(CheckpointError::Note)?;
        let checkpoint = Self::parse(verified.text)?;
        checkpoint.check_key_name(key.name())?;
        Ok(checkpoint)
    }

    fn check_key_name(&self, key: &NoteKeyName) -> Result<(), CheckpointError> {
        if self.origin == *key {
            return Ok(());
        }
        Err(CheckpointError::OtherOrigin {
            origin: self.origin.clone(),
            key: key.clone(),
        })
    }
}

/// A decimal number in its one spelling, without leading zeros.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    text.parse::<u64>()
        .ok()
        .filter(|number| number.to_string() == text)
}

/// A hash in base64.
pub(crate) fn parse_hash(text: &str) -> Option<Digest> {
    let bytes = STANDARD.decode(text).ok()?;
    Digest::try_from(bytes.as_slice()).ok()
}
