//! Reading a model package and refusing every one that is not exactly what was signed.
//!
//! The order is the point: the signature first, then the digests, and only then are the bytes parsed.

use std::fs;
use std::path::{Path, PathBuf};

use fcs_core::ModelVersion;
use fcs_decision::manifest::{FileRole, Manifest, ManifestError, sha256};
use fcs_decision::trust::{DetachedSignature, TrustError, TrustPolicy};
use fcs_forest::{AttributionError, Attributor, Format, Model, ReadError};

use super::rows::{GoldenRow, RowsError, read_golden, read_reference};

/// Largest relative difference between a golden margin or probability and ours.
const GOLDEN_TOLERANCE: f64 = 1e-12;
/// Largest difference between base + contributions and the margin.
const ADDITIVITY_TOLERANCE: f64 = 1e-9;

const MANIFEST_FILE: &str = "model.toml";
const SIGNATURE_FILE: &str = "model.toml.sig";

/// A package that passed every check, ready to score.
pub struct LoadedModel {
    /// The signed manifest, parsed.
    pub manifest: Manifest,
    /// The manifest's bytes as they were signed.
    pub manifest_bytes: Vec<u8>,
    /// The signature over them.
    pub signature: DetachedSignature,
    /// The trees.
    pub forest: Model,
    /// Prepared attributions against the reference population.
    pub attributor: Attributor,
}

impl LoadedModel {
    /// Name and version of the package.
    pub fn version(&self) -> &ModelVersion {
        self.manifest.model_version()
    }
}

/// Why a package was refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The registry has no such package.
    #[error("the registry has no package {model}")]
    NotFound {
        /// What was asked for.
        model: ModelVersion,
    },
    /// A file of the package cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The signature is missing, malformed, from an unknown key, or wrong.
    #[error("verify the signature")]
    Signature(#[source] TrustError),
    /// The manifest breaks its schema.
    #[error("check the manifest")]
    Manifest(#[source] ManifestError),
    /// The manifest names another model than its folder.
    #[error("the manifest names {found}, its folder names {expected}")]
    OtherModel {
        /// The folder's name.
        expected: ModelVersion,
        /// The manifest's name.
        found: ModelVersion,
    },
    /// A file is not the one that was signed.
    #[error("{file} was altered: its SHA-256 is not the one in the manifest")]
    Altered {
        /// File name in the package.
        file: String,
    },
    /// The model file cannot be read.
    #[error("read the model file")]
    Model(#[source] ReadError),
    /// Model file and manifest disagree about the features.
    #[error("the model file's features are not the manifest's, in the manifest's order")]
    Features,
    /// The reference population or the golden rows cannot be read.
    #[error("read {file}")]
    Rows {
        /// File name in the package.
        file: String,
        /// What is wrong with it.
        source: RowsError,
    },
    /// The attributions cannot be prepared.
    #[error("prepare the attributions")]
    Attribution(#[source] AttributionError),
    /// A golden row does not come out as the training library scored it.
    #[error("golden row {row}: {found} instead of {expected}")]
    Golden {
        /// One-based row of the golden file.
        row: usize,
        /// The training library's margin or probability.
        expected: f64,
        /// Ours.
        found: f64,
    },
    /// Attributions do not add up on a golden row.
    #[error("golden row {row}: attributions miss the margin by {difference}")]
    Additivity {
        /// One-based row of the golden file.
        row: usize,
        /// Distance between base plus contributions and the margin.
        difference: f64,
    },
}

/// Reads and verifies `<registry>/<name>/<version>`.
///
/// # Errors
/// [`PackageError`] names the first check that failed; nothing of a refused package is kept.
pub fn load(
    registry: &Path,
    model: &ModelVersion,
    trust: &TrustPolicy,
) -> Result<LoadedModel, PackageError> {
    let folder = registry.join(model.name()).join(model.version());
    if !folder.join(MANIFEST_FILE).is_file() {
        return Err(PackageError::NotFound {
            model: model.clone(),
        });
    }
    let (manifest, manifest_bytes, signature) = read_manifest(&folder, model, trust)?;
    let model_file = signed_file(&folder, &manifest, FileRole::Model)?;
    for role in [FileRole::DataSheet, FileRole::ModelCard] {
        signed_file(&folder, &manifest, role)?;
    }
    let forest = Model::read(&model_file, Format::LightGbmText).map_err(PackageError::Model)?;
    let declared = manifest.features.iter().map(|feature| &feature.name);
    if !forest.feature_names().iter().eq(declared) {
        return Err(PackageError::Features);
    }
    let references = rows(&folder, &manifest, FileRole::Reference, read_reference)?;
    let attributor = Attributor::new(&forest, &references).map_err(PackageError::Attribution)?;
    let golden = rows(&folder, &manifest, FileRole::Golden, read_golden)?;
    let loaded = LoadedModel {
        manifest,
        manifest_bytes,
        signature,
        forest,
        attributor,
    };
    reproduce_golden_rows(&loaded, &golden)?;
    Ok(loaded)
}

/// Names and versions of the packages in a registry, in order.
///
/// # Errors
/// When a folder of the registry cannot be listed.
pub fn list(registry: &Path) -> Result<Vec<ModelVersion>, PackageError> {
    let mut models = Vec::new();
    for name in folder_names(registry)? {
        for version in folder_names(&registry.join(&name))? {
            let holds_manifest = registry
                .join(&name)
                .join(&version)
                .join(MANIFEST_FILE)
                .is_file();
            if let (true, Ok(model)) = (holds_manifest, ModelVersion::new(&name, &version)) {
                models.push(model);
            }
        }
    }
    models.sort();
    Ok(models)
}

fn read_manifest(
    folder: &Path,
    model: &ModelVersion,
    trust: &TrustPolicy,
) -> Result<(Manifest, Vec<u8>, DetachedSignature), PackageError> {
    let bytes = read(&folder.join(MANIFEST_FILE))?;
    let signature = DetachedSignature::parse(&read(&folder.join(SIGNATURE_FILE))?)
        .map_err(PackageError::Signature)?;
    trust
        .verify(&bytes, &signature, model.name())
        .map_err(PackageError::Signature)?;
    let manifest = Manifest::parse(&bytes).map_err(PackageError::Manifest)?;
    if manifest.model_version() != model {
        let found = manifest.model_version().clone();
        return Err(PackageError::OtherModel {
            expected: model.clone(),
            found,
        });
    }
    Ok((manifest, bytes, signature))
}

fn signed_file(
    folder: &Path,
    manifest: &Manifest,
    role: FileRole,
) -> Result<Vec<u8>, PackageError> {
    let entry = manifest.file(role);
    let bytes = read(&folder.join(&entry.path))?;
    if sha256(&bytes) != entry.sha256 {
        return Err(PackageError::Altered {
            file: entry.path.clone(),
        });
    }
    Ok(bytes)
}

fn rows<T>(
    folder: &Path,
    manifest: &Manifest,
    role: FileRole,
    parse: fn(&[u8], &Manifest) -> Result<Vec<T>, RowsError>,
) -> Result<Vec<T>, PackageError> {
    let bytes = signed_file(folder, manifest, role)?;
    let file = || manifest.file(role).path.clone();
    parse(&bytes, manifest).map_err(|source| PackageError::Rows {
        file: file(),
        source,
    })
}

fn reproduce_golden_rows(model: &LoadedModel, golden: &[GoldenRow]) -> Result<(), PackageError> {
    for (position, golden) in golden.iter().enumerate() {
        let row = position + 1;
        let margin = model.forest.margin(&golden.values);
        let probability = model.forest.probability(margin);
        for (found, expected) in [(margin, golden.margin), (probability, golden.probability)] {
            let distance = (found - expected).abs();
            if distance.is_nan() || distance > GOLDEN_TOLERANCE * expected.abs() {
                return Err(PackageError::Golden {
                    row,
                    expected,
                    found,
                });
            }
        }
        let sum: f64 = model.attributor.contributions(&golden.values).iter().sum();
        let difference = (model.attributor.base_margin() + sum - margin).abs();
        if difference.is_nan() || difference > ADDITIVITY_TOLERANCE {
            return Err(PackageError::Additivity { row, difference });
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, PackageError> {
    fs::read(path).map_err(|source| PackageError::Read {
        path: path.to_path_buf(),
        source,
    })
}

fn folder_names(folder: &Path) -> Result<Vec<String>, PackageError> {
    let failed = |source| PackageError::Read {
        path: folder.to_path_buf(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}
