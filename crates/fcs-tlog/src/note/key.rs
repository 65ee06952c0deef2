//! Keys and their names.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use sha2::{Digest as _, Sha256};

use super::{NoteError, NoteSignature, VerifyingKeyBytes, cosign};

/// What signatures of a key are, by their number in C2SP signed notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyType {
    /// Ed25519 over the text of the note.
    Ed25519 = 0x01,
    /// A time, and Ed25519 over it and the text.
    Cosignature = 0x04,
}

/// Name of a key. For a log's key it is the log's origin, for example `faircredit.example/log`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NoteKeyName(String);

impl NoteKeyName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NoteKeyName {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let forbidden = |c: char| c.is_whitespace() || c < ' ' || c == '+';
        if text.is_empty() || text.contains(forbidden) {
            return Err(NoteError::InvalidKeyName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for NoteKeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The short hash that tells keys of one name apart: the first four bytes of
/// `SHA-256(name || 0x0A || type || public key)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    fn of(name: &NoteKeyName, typed_key: &[u8]) -> Self {
        let hash = Sha256::new()
            .chain_update(name.as_str())
            .chain_update(b"\n")
            .chain_update(typed_key)
            .finalize();
        Self([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// A key that signs notes. It never prints its secret.
pub struct SigningKey {
    secret: ed25519_dalek::SigningKey,
    public: VerifierKey,
}

impl SigningKey {
    /// The Ed25519 key of a secret seed (RFC 8032).
    pub fn from_seed(name: NoteKeyName, seed: &[u8; 32]) -> Self {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = VerifierKey::new(name, KeyType::Ed25519, secret.verifying_key());
        Self { secret, public }
    }

    /// The public half.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.public
    }

    /// The name that signatures carry.
    pub fn name(&self) -> &NoteKeyName {
        &self.public.name
    }

    pub(super) fn sign(&self, text: &str) -> NoteSignature {
        NoteSignature {
            name: self.public.name.clone(),
            key_id: self.public.key_id,
            signature: self.secret.sign(text.as_bytes()).to_bytes().to_vec(),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public)
    }
}

/// A key that checks notes. Its text form is the C2SP vkey `name+id+base64(type || public key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: NoteKeyName,
    key_id: KeyId,
    key_type: KeyType,
    key: VerifyingKey,
}

impl VerifierKey {
    pub(super) fn new(name: NoteKeyName, key_type: KeyType, key: VerifyingKey) -> Self {
        let key_id = KeyId::of(&name, &typed(key_type, &key));
        Self {
            name,
            key_id,
            key_type,
            key,
        }
    }

    pub(super) fn key_type(&self) -> KeyType {
        self.key_type
    }

    pub(super) fn key_bytes(&self) -> &VerifyingKeyBytes {
        self.key.as_bytes()
    }

    /// The key's name.
    pub fn name(&self) -> &NoteKeyName {
        &self.name
    }

    /// The key's identifier.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Whether a signature line names this key.
    pub(crate) fn made(&self, signature: &NoteSignature) -> bool {
        self.name == signature.name && self.key_id == signature.key_id
    }

    pub(super) fn check(&self, text: &str, signature: &NoteSignature) -> Result<(), NoteError> {
        let bad = || NoteError::BadSignature(self.name.clone());
        let verify = |message: &str, signature: &[u8]| {
            Signature::from_slice(signature)
                .and_then(|ed25519| self.key.verify_strict(message.as_bytes(), &ed25519))
                .map_err(|_| bad())
        };
        match self.key_type {
            KeyType::Ed25519 => verify(text, &signature.signature),
            KeyType::Cosignature => {
                let (time, ed25519) = cosign::parts(&signature.signature).ok_or_else(bad)?;
                verify(&cosign::message(text, time), ed25519)
            }
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}+{}+{}",
            self.name,
            self.key_id,
            STANDARD.encode(typed(self.key_type, &self.key))
        )
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(NoteError::InvalidVerifierKey);
        let (name, id, encoded): (NoteKeyName, _, _) = (part()?.parse()?, part()?, part()?);
        let bytes = STANDARD
            .decode(encoded)
            .map_err(|_| NoteError::InvalidVerifierKey)?;
        let (&kind, key) = bytes.split_first().ok_or(NoteError::InvalidVerifierKey)?;
        let key_type = [KeyType::Ed25519, KeyType::Cosignature]
            .into_iter()
            .find(|known| *known as u8 == kind)
            .ok_or(NoteError::UnsupportedKeyType(kind))?;
        let key = <&[u8; 32]>::try_from(key).map_err(|_| NoteError::InvalidVerifierKey)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| NoteError::InvalidVerifierKey)?;
        // Anyone can sign for a key of small order.
        if key.is_weak() {
            return Err(NoteError::InvalidVerifierKey);
        }
        let verifier = Self::new(name, key_type, key);
        if verifier.key_id.to_string() != id {
            return Err(NoteError::KeyIdMismatch);
        }
        Ok(verifier)
    }
}

fn typed(key_type: KeyType, key: &VerifyingKey) -> [u8; 33] {
    let mut bytes = [key_type as u8; 33];
    bytes[1..].copy_from_slice(key.as_bytes());
    bytes
}
