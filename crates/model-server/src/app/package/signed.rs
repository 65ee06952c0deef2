//! A package in memory whose signatures and digests are verified.

use std::collections::BTreeMap;

use fcs_core::{ModelVersion, UnixMicros};
use fcs_decision::manifest::{FileEntry, FileRole, MANIFEST_SIZE_MAX, Manifest, sha256};
use fcs_decision::trust::{DetachedSignature, TrustPolicy};

use super::PackageError;
use crate::registry::{Created, MANIFEST_FILE, PackagePlace, RegistryError, SIGNATURE_FILE};

/// Largest signature file, in bytes.
const SIGNATURE_BYTES_MAX: u64 = 64 << 10;

/// A manifest that enough trusted keys signed.
#[derive(Debug)]
pub struct SignedManifest {
    /// The manifest, parsed.
    pub manifest: Manifest,
    /// Its bytes, exactly as they were signed.
    pub bytes: Vec<u8>,
    /// The signatures over them, at least one.
    pub signatures: Vec<DetachedSignature>,
    signature_bytes: Vec<u8>,
}

/// The bytes of a package, exactly as they were signed.
#[derive(Debug)]
pub struct SignedPackage {
    /// The manifest and its signatures.
    pub signed: SignedManifest,
    files: BTreeMap<FileRole, Vec<u8>>,
}

impl SignedManifest {
    /// Reads the manifest of a model: the signatures are verified, with keys that are valid at the moment `at`, before
    /// it is parsed. `None` when there is no manifest, which is also how a half-written version looks.
    ///
    /// # Errors
    /// [`PackageError`] names the first check that failed.
    pub async fn read(
        place: &PackagePlace,
        model: &ModelVersion,
        trust: &TrustPolicy,
        at: UnixMicros,
    ) -> Result<Option<Self>, PackageError> {
        let Some(bytes) = place.read(MANIFEST_FILE, MANIFEST_SIZE_MAX as u64).await? else {
            return Ok(None);
        };
        let signature_bytes = required(place, SIGNATURE_FILE, SIGNATURE_BYTES_MAX).await?;
        let signatures =
            DetachedSignature::parse_file(&signature_bytes).map_err(PackageError::Signature)?;
        trust
            .verify(&bytes, &signatures, model.name(), at)
            .map_err(PackageError::Signature)?;
        let manifest = Manifest::parse(&bytes).map_err(PackageError::Manifest)?;
        if manifest.model_version() != model {
            return Err(PackageError::OtherModel {
                expected: model.clone(),
                found: manifest.model_version().clone(),
            });
        }
        Ok(Some(Self {
            manifest,
            bytes,
            signatures,
            signature_bytes,
        }))
    }
}

impl SignedPackage {
    /// Reads the package of a model: first its [`SignedManifest`], then each file, whose digest is verified before it
    /// is kept.
    ///
    /// # Errors
    /// [`PackageError`] names the first check that failed.
    pub async fn read(
        place: &PackagePlace,
        model: &ModelVersion,
        trust: &TrustPolicy,
        at: UnixMicros,
    ) -> Result<Option<Self>, PackageError> {
        let Some(signed) = SignedManifest::read(place, model, trust, at).await? else {
            return Ok(None);
        };
        let mut files = BTreeMap::new();
        for entry in &signed.manifest.files {
            files.insert(entry.role, signed_file(place, entry).await?);
        }
        Ok(Some(Self { signed, files }))
    }

    /// The bytes of the file with a role.
    pub fn file(&self, role: FileRole) -> &[u8] {
        &self.files[&role]
    }

    /// Bytes of all files together.
    pub fn byte_count(&self) -> usize {
        let files: usize = self.files.values().map(Vec::len).sum();
        self.signed.bytes.len() + self.signed.signature_bytes.len() + files
    }

    /// Writes the package where there is none, its manifest last.
    ///
    /// # Errors
    /// [`RegistryError::Conflict`] when there are other bytes, and what the store says.
    pub async fn create(&self, place: &PackagePlace) -> Result<Created, RegistryError> {
        let mut files: Vec<(&str, &[u8])> = self
            .signed
            .manifest
            .files
            .iter()
            .map(|entry| (entry.path.as_str(), self.file(entry.role)))
            .collect();
        files.push((SIGNATURE_FILE, &self.signed.signature_bytes));
        place.create(&self.signed.bytes, &files).await
    }
}

async fn signed_file(place: &PackagePlace, entry: &FileEntry) -> Result<Vec<u8>, PackageError> {
    let bytes = required(place, &entry.path, bytes_max(entry.role)).await?;
    if sha256(&bytes) != entry.sha256 {
        return Err(PackageError::Altered {
            file: entry.path.clone(),
        });
    }
    Ok(bytes)
}

async fn required(
    place: &PackagePlace,
    file: &str,
    bytes_max: u64,
) -> Result<Vec<u8>, PackageError> {
    place
        .read(file, bytes_max)
        .await?
        .ok_or_else(|| PackageError::Missing {
            file: file.to_owned(),
        })
}

/// Largest file of a role, in bytes.
const fn bytes_max(role: FileRole) -> u64 {
    match role {
        FileRole::Model => fcs_forest::limits::FILE_BYTES_MAX as u64,
        FileRole::Reference | FileRole::Golden => 32 << 20,
        FileRole::DataSheet | FileRole::ModelCard => 4 << 20,
    }
}
