//! The place of one package: reading its objects within a bound, and writing all of them once.

use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

use super::{MANIFEST_FILE, RegistryError, location};

/// A file of a package: its name and its bytes.
pub type NamedBytes<'a> = (&'a str, &'a [u8]);

/// The place of one package in a registry, or a folder that holds one package.
#[derive(Debug, Clone)]
pub struct PackagePlace {
    store: Arc<dyn ObjectStore>,
    prefix: ObjectPath,
    shown: String,
}

/// What writing a package came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was written, or its half-written rest was.
    Written,
    /// Every file was there already, with the same bytes.
    AlreadyThere,
}

impl PackagePlace {
    pub(super) fn new(store: Arc<dyn ObjectStore>, prefix: ObjectPath, shown: String) -> Self {
        Self {
            store,
            prefix,
            shown,
        }
    }

    /// A folder that holds one package, whatever its name.
    ///
    /// # Errors
    /// When it is not a folder.
    pub fn folder(folder: &Path) -> Result<Self, RegistryError> {
        Ok(Self {
            store: location::folder_store(folder)?,
            prefix: ObjectPath::default(),
            shown: folder.display().to_string(),
        })
    }

    /// The whole of a file, or `None` when there is none.
    ///
    /// # Errors
    /// [`RegistryError::TooLarge`] before more than `bytes_max` bytes are held, and what the store says.
    pub async fn read(&self, file: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, RegistryError> {
        let object = self.object(file);
        let failed = |source| self.store_error("read", file, source);
        let too_large = || RegistryError::TooLarge {
            object: self.shown_object(file),
            bytes_max,
        };
        let found = match self.store.get(&object).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if found.meta.size > bytes_max {
            return Err(too_large());
        }
        // The announced size is not believed: the bytes that come are counted too.
        let mut bytes = Vec::new();
        let mut chunks = found.into_stream();
        while let Some(chunk) = chunks.try_next().await.map_err(failed)? {
            if (bytes.len() + chunk.len()) as u64 > bytes_max {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(bytes))
    }

    /// Writes a package, its manifest last. Files that are there with the same bytes stay; nothing is replaced.
    ///
    /// # Errors
    /// [`RegistryError::Conflict`] when a file is there with other bytes, and what the store says.
    pub async fn create(
        &self,
        manifest: &[u8],
        files: &[NamedBytes<'_>],
    ) -> Result<Created, RegistryError> {
        // A finished version with another manifest is found before anything is written.
        self.refuse_other_bytes(MANIFEST_FILE, manifest).await?;
        let mut created = Created::AlreadyThere;
        for (file, bytes) in files.iter().copied().chain([(MANIFEST_FILE, manifest)]) {
            if self.create_one(file, bytes).await? == Created::Written {
                created = Created::Written;
            }
        }
        Ok(created)
    }

    async fn create_one(&self, file: &str, bytes: &[u8]) -> Result<Created, RegistryError> {
        let options = PutOptions::from(PutMode::Create);
        let payload = PutPayload::from(bytes.to_vec());
        let object = self.object(file);
        match self.store.put_opts(&object, payload, options).await {
            Ok(_) => Ok(Created::Written),
            Err(object_store::Error::AlreadyExists { .. }) => {
                self.refuse_other_bytes(file, bytes).await?;
                Ok(Created::AlreadyThere)
            }
            Err(error) => Err(self.store_error("create", file, error)),
        }
    }

    async fn refuse_other_bytes(&self, file: &str, bytes: &[u8]) -> Result<(), RegistryError> {
        let conflict = || RegistryError::Conflict {
            object: self.shown_object(file),
        };
        match self.read(file, bytes.len() as u64).await {
            Ok(Some(found)) if found != bytes => Err(conflict()),
            Err(RegistryError::TooLarge { .. }) => Err(conflict()),
            other => other.map(drop),
        }
    }

    /// A file name is one path segment: the store escapes separators and dots, so that none leads elsewhere.
    fn object(&self, file: &str) -> ObjectPath {
        self.prefix.clone().join(file)
    }

    fn shown_object(&self, file: &str) -> String {
        format!("{}/{file}", self.shown)
    }

    fn store_error(
        &self,
        attempt: &'static str,
        file: &str,
        source: object_store::Error,
    ) -> RegistryError {
        RegistryError::Store {
            attempt,
            object: self.shown_object(file),
            source,
        }
    }
}

impl std::fmt::Display for PackagePlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown)
    }
}
