//! C2SP signed notes with Ed25519 keys (<https://c2sp.org/signed-note>), and cosignatures in them.
//!
//! A note is a text, a blank line and signature lines. Signatures of keys that the verifier does not
//! know are ignored; one wrong signature of a known key refuses the whole note.

mod cosign;
mod key;
mod parse;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use cosign::CosigningKey;
pub use key::{KeyId, NoteKeyName, SigningKey, VerifierKey};

/// An Ed25519 public key.
pub type VerifyingKeyBytes = [u8; 32];

/// Longest note that is read or signed, in bytes.
pub const MAX_NOTE_BYTES: usize = 1_000_000;

/// Most signatures that a note may have.
pub const MAX_SIGNATURES: usize = 100;

/// A note or a key is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The name of a key is empty or has white space, a plus or an ASCII control character.
    #[error("a key name must be non-empty, without white space, plus and control characters")]
    InvalidKeyName,
    /// The text of a verifier key breaks the format `name+id+base64`.
    #[error("a verifier key must be \"<name>+<8 hexadecimal digits>+<base64 of type and key>\"")]
    InvalidVerifierKey,
    /// The key is of a type that is not supported.
    #[error("key type {0:#04x} is not supported, only Ed25519 (0x01) and its cosignatures (0x04)")]
    UnsupportedKeyType(u8),
    /// The identifier in a verifier key is not the hash of the rest.
    #[error("the key id does not belong to the name and the key")]
    KeyIdMismatch,
    /// The note breaks the format.
    #[error("malformed note: {0}")]
    Malformed(&'static str),
    /// A known key's signature is wrong.
    #[error("the signature of {0} does not hold")]
    BadSignature(NoteKeyName),
    /// No known key signed.
    #[error("no known key signed the note")]
    Unverified,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key that is said to have signed.
    pub name: NoteKeyName,
    /// Identifier of that key.
    pub key_id: KeyId,
    /// The signature itself, in the form that the key's type defines.
    pub signature: Vec<u8>,
}

impl NoteSignature {
    /// Reads signature lines, each with its line end, as a witness answers them.
    pub fn parse_lines(bytes: &[u8]) -> Result<Vec<Self>, NoteError> {
        parse::signature_lines(bytes)
    }

    /// When a cosignature was made, in seconds since the Unix epoch; of no meaning for other signatures.
    pub fn cosigned_at(&self) -> Option<u64> {
        cosign::parts(&self.signature).map(|(time, _)| time)
    }
}

impl fmt::Display for NoteSignature {
    /// The line without its line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key_id.0.to_vec();
        bytes.extend_from_slice(&self.signature);
        write!(f, "\u{2014} {} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A well-formed note. Its signatures mean nothing before [`SignedNote::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// Signs a text, which ends with a line end and has no other control characters.
    pub fn sign(text: &str, key: &SigningKey) -> Result<Self, NoteError> {
        parse::check_text(text)?;
        Ok(Self {
            text: text.to_owned(),
            signatures: vec![key.sign(text)],
        })
    }

    /// Adds a signature by another key.
    pub fn add_signature(&mut self, key: &SigningKey) -> Result<(), NoteError> {
        self.push(key.sign(&self.text))
    }

    /// Adds a signature line, for example a witness's.
    pub fn push(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.len() == MAX_SIGNATURES {
            return Err(NoteError::Malformed("too many signatures"));
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Drops every signature but the first one, which is the signer's own.
    pub fn keep_first_signature(&mut self) {
        self.signatures.truncate(1);
    }

    /// The signature line of a key, when there is one and it holds.
    pub fn signature_by(&self, key: &VerifierKey) -> Option<&NoteSignature> {
        let made = |signature: &&NoteSignature| {
            key.made(signature) && key.check(&self.text, signature).is_ok()
        };
        self.signatures.iter().find(made)
    }

    /// Reads the text form, bytes of UTF-8.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        parse::note(bytes)
    }

    /// The signed text, unverified.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signatures, in order, unverified.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks the signatures of the known keys and returns the text and the keys that signed it.
    pub fn verify<'a>(&self, known: &'a [VerifierKey]) -> Result<Verified<'_, 'a>, NoteError> {
        let mut signers: Vec<&VerifierKey> = Vec::new();
        for signature in &self.signatures {
            // Two known keys may share name and id by accident; refusing then is the safe side.
            for key in known.iter().filter(|key| key.made(signature)) {
                key.check(&self.text, signature)?;
                if !signers.contains(&key) {
                    signers.push(key);
                }
            }
        }
        if signers.is_empty() {
            return Err(NoteError::Unverified);
        }
        Ok(Verified {
            text: &self.text,
            signers,
        })
    }
}

impl fmt::Display for SignedNote {
    /// The text form, with its line ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// A text and the known keys whose signatures on it hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<'text, 'keys> {
    /// The text that was signed.
    pub text: &'text str,
    /// At least one key, each once.
    pub signers: Vec<&'keys VerifierKey>,
}
