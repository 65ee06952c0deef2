//! Reading a model package and refusing every one that is not exactly what was signed.
//!
//! The order is the point: the signature first, then the digests, and only then are the bytes parsed.

mod check;
mod error;
mod signed;

use fcs_core::{ModelVersion, UnixMicros};
use fcs_decision::manifest::Manifest;
use fcs_decision::trust::{DetachedSignature, TrustPolicy};
use fcs_forest::{Attributor, Engine, Model};

use super::pace::Pace;
use crate::registry::Registry;

pub use check::{Checked, check};
pub use error::PackageError;
pub use signed::{SignedManifest, SignedPackage};

/// A package that passed every check, ready to score.
pub struct LoadedModel {
    /// The signed manifest, parsed.
    pub manifest: Manifest,
    /// The manifest's bytes as they were signed.
    pub manifest_bytes: Vec<u8>,
    /// The signatures over them, at least one.
    pub signatures: Vec<DetachedSignature>,
    /// The model as it was read.
    pub forest: Model,
    /// The same model, compiled to answer requests.
    pub engine: Engine,
    /// Prepared attributions against the reference population.
    pub attributor: Attributor,
    /// How long it takes for a row.
    pub pace: Pace,
}

impl LoadedModel {
    /// Name and version of the package.
    pub fn version(&self) -> &ModelVersion {
        self.manifest.model_version()
    }
}

/// Reads and verifies a package of a registry; keys must be valid at the moment `at`.
///
/// Computes for up to seconds after the last byte has come: keep it off the threads that answer requests.
///
/// # Errors
/// [`PackageError`] names the first check that failed; nothing of a refused package is kept.
pub async fn load(
    registry: &Registry,
    model: &ModelVersion,
    trust: &TrustPolicy,
    at: UnixMicros,
) -> Result<LoadedModel, PackageError> {
    let package = fetch(registry, model, trust, at).await?;
    check(&package).map(|checked| checked.model)
}

/// Reads a package of a registry with its signature and digests verified, and nothing else.
///
/// # Errors
/// [`PackageError`] names the first check that failed.
pub async fn fetch(
    registry: &Registry,
    model: &ModelVersion,
    trust: &TrustPolicy,
    at: UnixMicros,
) -> Result<SignedPackage, PackageError> {
    let place = registry.package(model);
    SignedPackage::read(&place, model, trust, at)
        .await?
        .ok_or_else(|| PackageError::NotFound {
            place: place.to_string(),
        })
}
