//! Where model packages are kept: a folder, or a bucket that speaks S3.
//!
//! A version is a set of objects under `name/version/` that is written once. Every object is created and never
//! replaced, and `model.toml` comes last: a version without it does not exist yet, however much of it was written.

mod location;
mod place;

use std::sync::Arc;

use fcs_core::ModelVersion;
use futures::TryStreamExt as _;
use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;

pub use location::S3Settings;
pub use place::{Created, NamedBytes, PackagePlace};

/// Name of the manifest in a package.
pub const MANIFEST_FILE: &str = "model.toml";
/// Name of the file with the signatures over the manifest.
pub const SIGNATURE_FILE: &str = "model.toml.sig";

/// Objects that a listing looks at, at most; a registry has a handful per version.
const LISTED_OBJECTS_MAX: usize = 100_000;

/// A registry of model packages. Cloning shares its connections.
#[derive(Debug, Clone)]
pub struct Registry {
    store: Arc<dyn ObjectStore>,
    prefix: ObjectPath,
    shown: String,
}

/// Why a registry did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The location cannot be used.
    #[error("open the registry {location:?}: {problem}")]
    Location {
        /// What was given.
        location: String,
        /// What is wrong with it, and what to write instead.
        problem: String,
    },
    /// The store failed or refused.
    #[error("{attempt} {object}")]
    Store {
        /// What was attempted, for example "read".
        attempt: &'static str,
        /// The object or folder.
        object: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// An object is larger than its kind may be.
    #[error("read {object}: larger than {bytes_max} bytes")]
    TooLarge {
        /// The object.
        object: String,
        /// Largest number of bytes.
        bytes_max: u64,
    },
    /// The registry holds more objects than a listing looks at.
    #[error("list {location}: more than {LISTED_OBJECTS_MAX} objects")]
    TooMany {
        /// The registry.
        location: String,
    },
    /// The version exists with other bytes.
    #[error(
        "create {object}: it exists with other bytes, and a version never changes; publish another version"
    )]
    Conflict {
        /// The object.
        object: String,
    },
}

impl Registry {
    /// Opens a registry: a folder path, `file:///folder`, or `s3://bucket/prefix` with the settings of `s3`.
    ///
    /// Does not reach a bucket yet; a folder must exist.
    ///
    /// # Errors
    /// [`RegistryError::Location`].
    pub fn open(location: &str, s3: &S3Settings) -> Result<Self, RegistryError> {
        let (store, prefix) = location::open(location, s3)?;
        Ok(Self {
            store,
            prefix,
            shown: location.trim_end_matches('/').to_owned(),
        })
    }

    /// Names and versions of the packages, in order. Versions without a manifest are not there yet.
    ///
    /// # Errors
    /// When the registry cannot be listed, or holds too many objects.
    pub async fn list(&self) -> Result<Vec<ModelVersion>, RegistryError> {
        let mut listing = self.store.list(Some(&self.prefix));
        let failed = |source| RegistryError::Store {
            attempt: "list",
            object: self.shown.clone(),
            source,
        };
        let mut models = Vec::new();
        let mut objects = 0_usize;
        while let Some(object) = listing.try_next().await.map_err(failed)? {
            objects += 1;
            if objects > LISTED_OBJECTS_MAX {
                return Err(RegistryError::TooMany {
                    location: self.shown.clone(),
                });
            }
            models.extend(self.version_of(&object.location));
        }
        models.sort();
        Ok(models)
    }

    /// The place of a version, which need not exist.
    pub fn package(&self, model: &ModelVersion) -> PackagePlace {
        let prefix = self.prefix.clone().join(model.name()).join(model.version());
        let shown = format!("{}/{model}", self.shown);
        PackagePlace::new(Arc::clone(&self.store), prefix, shown)
    }

    /// The version whose manifest this object is.
    fn version_of(&self, object: &ObjectPath) -> Option<ModelVersion> {
        let mut parts = object.prefix_match(&self.prefix)?;
        let (name, version, file) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || file.as_ref() != MANIFEST_FILE {
            return None;
        }
        ModelVersion::new(name.as_ref(), version.as_ref()).ok()
    }
}
