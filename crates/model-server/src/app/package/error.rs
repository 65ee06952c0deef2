//! Why a package was refused.

use fcs_core::ModelVersion;
use fcs_decision::manifest::ManifestError;
use fcs_decision::trust::TrustError;
use fcs_forest::{AttributionError, ReadError};

use crate::app::rows::RowsError;
use crate::registry::RegistryError;

/// Why a package was refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// There is no such package.
    #[error("there is no package {place}")]
    NotFound {
        /// Where it was looked for.
        place: String,
    },
    /// The registry cannot be read.
    #[error("read the registry")]
    Registry(#[source] RegistryError),
    /// A file that must be in the package is not.
    #[error("{file} is missing")]
    Missing {
        /// File name in the package.
        file: String,
    },
    /// A file is larger than its kind may be.
    #[error("read the package")]
    TooLarge(#[source] RegistryError),
    /// The signatures are malformed, wrong, or not by enough keys that may sign now.
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
    /// This release reads no model files of the format.
    #[error("this release reads no model files of the format {format:?}")]
    ModelFormat {
        /// The format in the manifest.
        format: String,
    },
    /// The kernel is unknown here, does not take the model, or gives other bits than the plain walk.
    #[error("the kernel {kernel:?} cannot compute this model here")]
    Kernel {
        /// Its name.
        kernel: String,
    },
    /// The model's margin is not the log-odds that the manifest's link takes it for.
    #[error("the model's output is not 1 / (1 + exp(-margin)), as the link of the manifest says")]
    Link,
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

impl From<RegistryError> for PackageError {
    /// A file past its bound is the package's fault; all else is the registry's.
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::TooLarge { .. } => Self::TooLarge(error),
            other => Self::Registry(other),
        }
    }
}
