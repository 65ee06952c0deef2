//! Sealing, opening and blind indices.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fcs_core::{ApplicationId, Digest, TenantId};
use fcs_service::Random;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

use super::KeyFile;
use crate::store::Claim;

/// First byte of every sealed value.
const VERSION: u8 = 1;
/// The table of data keys.
const KEYS_TABLE: &str = "applicant_keys";

/// Why something does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The value is not what was sealed at this place.
    #[error("{table}.{column} does not open: it was changed, moved, or sealed with another key")]
    Altered {
        /// Where the value stands.
        table: &'static str,
        /// Where the value stands.
        column: &'static str,
    },
    /// The key file lacks a key.
    #[error("the key file has no key-encryption key {0}")]
    UnknownKek(String),
}

/// Where a sealed value stands. It is authenticated with the value, so that a ciphertext opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The row: the values of its key.
    pub row: &'a [&'a [u8]],
    /// The column.
    pub column: &'static str,
}

impl Place<'_> {
    fn aad(&self) -> Vec<u8> {
        let row = self.row.iter().copied();
        let parts = [self.table.as_bytes()].into_iter().chain(row);
        prefixed(parts.chain([self.column.as_bytes()]))
    }

    const fn altered(&self) -> VaultError {
        VaultError::Altered {
            table: self.table,
            column: self.column,
        }
    }
}

/// Each part with its length in bytes as 8 bytes big-endian before it.
fn prefixed<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part);
    }
    bytes
}

/// The blind index of an application within its tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Applicant {
    /// The tenant.
    pub tenant: TenantId,
    /// HMAC-SHA-256 over tenant and application id.
    pub index: Digest,
}

impl Applicant {
    /// The row of the applicant's key.
    fn place<'a>(row: &'a [&'a [u8]; 2], column: &'static str) -> Place<'a> {
        Place {
            table: KEYS_TABLE,
            row,
            column,
        }
    }

    fn row(&self) -> [&[u8]; 2] {
        [self.tenant.as_str().as_bytes(), self.index.as_bytes()]
    }
}

/// A data key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The key-encryption key that wrapped it.
    pub kek_id: String,
    /// The sealed key.
    pub bytes: Vec<u8>,
}

/// A data key that was just made, with what is stored of it.
#[derive(Debug)]
pub struct FreshKey {
    /// The key.
    pub key: DataKey,
    /// The key as it is stored.
    pub wrapped: WrappedKey,
    /// The application id, sealed with it.
    pub application_id: Vec<u8>,
}

/// The key of everything that is stored about one application.
#[derive(Clone)]
pub struct DataKey {
    key: LessSafeKey,
    random: Arc<dyn Random>,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([redacted])")
    }
}

impl DataKey {
    fn new(bytes: &[u8; 32], random: &Arc<dyn Random>) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, bytes).expect("AES-256 takes keys of 32 bytes");
        Self {
            key: LessSafeKey::new(key),
            random: Arc::clone(random),
        }
    }

    /// Encrypts a value for its place.
    pub fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce);
        let head = 1 + NONCE_LEN;
        let mut sealed = Vec::with_capacity(head + plain.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend(nonce);
        sealed.extend(plain);
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.aad()),
                &mut sealed[head..],
            )
            .expect("a record is far below the 64 GiB that GCM takes");
        sealed.extend(tag.as_ref());
        sealed
    }

    /// Decrypts the value of a place.
    ///
    /// # Errors
    /// When it is not what was sealed there with this key.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let read = || {
            let body = sealed.strip_prefix(&[VERSION])?;
            let (nonce, body) = body.split_first_chunk::<NONCE_LEN>()?;
            let mut body = body.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let aad = Aad::from(place.aad());
            let length = self.key.open_in_place(nonce, aad, &mut body).ok()?.len();
            body.truncate(length);
            Some(body)
        };
        read().ok_or_else(|| place.altered())
    }
}

/// The keys from the file, ready for use.
pub struct Vault {
    blind_index: hmac::Key,
    keks: Vec<Kek>,
    random: Arc<dyn Random>,
}

struct Kek {
    id: String,
    key: DataKey,
    proof: Digest,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault([redacted])")
    }
}

impl Vault {
    /// Takes the keys of a file. Nonces and data keys come from `random`.
    pub fn new(file: &KeyFile, random: Arc<dyn Random>) -> Self {
        let keks = file.keks.iter().map(|(id, key)| Kek {
            id: id.clone(),
            key: DataKey::new(key.expose(), &random),
            proof: mac(&hmac_key(key.expose()), "key-check", &[id.as_bytes()]),
        });
        Self {
            blind_index: hmac_key(file.blind_index.expose()),
            keks: keks.collect(),
            random,
        }
    }

    /// Every key of the file by identifier, with what proves it and tells nothing about it.
    pub fn proofs(&self) -> Vec<(&str, Digest)> {
        let blind = ("blind-index", self.blind("key-check", &[]));
        let keks = self.keks.iter().map(|kek| (kek.id.as_str(), kek.proof));
        [blind].into_iter().chain(keks).collect()
    }

    /// The key-encryption keys that wrap nothing new.
    pub fn former_keks(&self) -> impl Iterator<Item = &str> {
        self.keks[1..].iter().map(|kek| kek.id.as_str())
    }

    /// The blind index of an application.
    pub fn applicant(&self, tenant: &TenantId, id: &ApplicationId) -> Applicant {
        let parts = [tenant.as_str().as_bytes(), id.as_str().as_bytes()];
        Applicant {
            tenant: tenant.clone(),
            index: self.blind("application", &parts),
        }
    }

    /// The stored form of a claim's key. Clients make keys of application ids.
    pub fn request_key(&self, claim: &Claim) -> String {
        let scope = claim.scope();
        let parts = [&scope, claim.key.as_str()].map(str::as_bytes);
        URL_SAFE_NO_PAD.encode(self.blind("request-key", &parts).as_bytes())
    }

    /// The stored form of a claim's fingerprint. Without a key it could be guessed from what is known of an applicant.
    pub fn fingerprint(&self, claim: &Claim) -> Digest {
        let scope = claim.scope();
        self.blind(
            "fingerprint",
            &[scope.as_bytes(), claim.fingerprint.as_bytes()],
        )
    }

    fn blind(&self, purpose: &str, parts: &[&[u8]]) -> Digest {
        mac(&self.blind_index, purpose, parts)
    }

    /// Makes the data key of an application.
    pub fn fresh_key(&self, applicant: &Applicant, id: &ApplicationId) -> FreshKey {
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        let row = applicant.row();
        let key = DataKey::new(&bytes, &self.random);
        let place = Applicant::place(&row, "application_id");
        FreshKey {
            application_id: key.seal(&place, id.as_str().as_bytes()),
            wrapped: self.wrap(applicant, &bytes),
            key,
        }
    }

    fn wrap(&self, applicant: &Applicant, bytes: &[u8]) -> WrappedKey {
        let kek = &self.keks[0];
        let row = applicant.row();
        let place = Applicant::place(&row, "wrapped_key");
        WrappedKey {
            kek_id: kek.id.clone(),
            bytes: kek.key.seal(&place, bytes),
        }
    }

    /// The data key of an application.
    ///
    /// # Errors
    /// When its key-encryption key is not in the file, or it was not wrapped for this application.
    pub fn unwrap(
        &self,
        applicant: &Applicant,
        wrapped: &WrappedKey,
    ) -> Result<DataKey, VaultError> {
        let bytes = self.unwrapped(applicant, wrapped)?;
        Ok(DataKey::new(&bytes, &self.random))
    }

    /// The same data key, wrapped by the first key-encryption key of the file.
    ///
    /// # Errors
    /// As [`Self::unwrap`].
    pub fn rewrap(
        &self,
        applicant: &Applicant,
        wrapped: &WrappedKey,
    ) -> Result<WrappedKey, VaultError> {
        let bytes = self.unwrapped(applicant, wrapped)?;
        Ok(self.wrap(applicant, &bytes))
    }

    fn unwrapped(
        &self,
        applicant: &Applicant,
        wrapped: &WrappedKey,
    ) -> Result<[u8; 32], VaultError> {
        let kek = self.keks.iter().find(|kek| kek.id == wrapped.kek_id);
        let kek = kek.ok_or_else(|| VaultError::UnknownKek(wrapped.kek_id.clone()))?;
        let row = applicant.row();
        let place = Applicant::place(&row, "wrapped_key");
        let bytes = kek.key.open(&place, &wrapped.bytes)?;
        bytes.try_into().map_err(|_| place.altered())
    }

    /// The application id that was sealed with its data key.
    ///
    /// # Errors
    /// When it was not sealed for this application.
    pub fn application_id(
        &self,
        applicant: &Applicant,
        key: &DataKey,
        sealed: &[u8],
    ) -> Result<ApplicationId, VaultError> {
        let row = applicant.row();
        let place = Applicant::place(&row, "application_id");
        let text = String::from_utf8(key.open(&place, sealed)?);
        let id = text.ok().and_then(|text| text.parse().ok());
        id.ok_or_else(|| place.altered())
    }
}

fn hmac_key(bytes: &[u8; 32]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes)
}

/// HMAC-SHA-256 over the purpose and the parts, each with its length before it.
fn mac(key: &hmac::Key, purpose: &str, parts: &[&[u8]]) -> Digest {
    let text = prefixed(
        [purpose.as_bytes()]
            .into_iter()
            .chain(parts.iter().copied()),
    );
    let tag = hmac::sign(key, &text);
    Digest::try_from(tag.as_ref()).expect("HMAC-SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests;
