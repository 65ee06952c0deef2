//! From a location in the settings to a store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fcs_core::Secret;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};
use serde::{Deserialize, Serialize};

use super::RegistryError;

/// One request to a bucket; a whole load must fit into the gateway's patience of 30 seconds.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const RETRIES_MAX: usize = 3;
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// How to reach a bucket. What is not set here comes from the usual variables (`AWS_REGION`, `AWS_ENDPOINT_URL`,
/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, …), from a web identity token, or from the machine's own role.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Settings {
    /// URL of a server other than Amazon's, for example `http://127.0.0.1:9000`; `http://` means without TLS.
    pub endpoint: Option<String>,
    /// Region of the bucket.
    pub region: Option<String>,
    /// Identifier of the access key.
    pub access_key_id: Option<String>,
    /// The access key's secret; a file is better, because variables and command lines can be seen.
    pub secret_access_key: Option<Secret<String>>,
    /// File that holds the access key's secret.
    pub secret_access_key_file: Option<PathBuf>,
}

impl S3Settings {
    /// What contradicts itself in these settings, each with its key.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.secret_access_key.is_some() && self.secret_access_key_file.is_some() {
            problems.push(
                "s3.secret_access_key and s3.secret_access_key_file are both set; keep one of them"
                    .to_owned(),
            );
        }
        let has_secret = self.secret_access_key.is_some() || self.secret_access_key_file.is_some();
        if self.access_key_id.is_some() != has_secret {
            problems.push(
                "s3.access_key_id: set it together with s3.secret_access_key_file, or neither of them"
                    .to_owned(),
            );
        }
        if let Some(endpoint) = &self.endpoint
            && !(endpoint.starts_with("http://") || endpoint.starts_with("https://"))
        {
            problems.push(format!(
                "s3.endpoint: {endpoint:?} must start with https:// or http://"
            ));
        }
        problems
    }

    fn secret(&self) -> Result<Option<Secret<String>>, String> {
        let Some(file) = &self.secret_access_key_file else {
            return Ok(self.secret_access_key.clone());
        };
        let text = fs::read_to_string(file)
            .map_err(|error| format!("s3.secret_access_key_file {}: {error}", file.display()))?;
        Ok(Some(Secret::new(
            text.trim_end_matches(['\r', '\n']).to_owned(),
        )))
    }
}

/// The store of a location and the path in it.
pub(super) fn open(
    location: &str,
    s3: &S3Settings,
) -> Result<(Arc<dyn ObjectStore>, ObjectPath), RegistryError> {
    let refused = |problem: String| RegistryError::Location {
        location: location.to_owned(),
        problem,
    };
    if let Some(rest) = location.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(refused("name a bucket, s3://bucket/prefix".to_owned()));
        }
        let prefix = ObjectPath::parse(prefix.trim_end_matches('/'))
            .map_err(|error| refused(error.to_string()))?;
        let store = bucket_store(bucket, s3).map_err(refused)?;
        return Ok((store, prefix));
    }
    let folder = folder_of(location).map_err(refused)?;
    Ok((folder_store(&folder)?, ObjectPath::default()))
}

/// The folder that a location names.
fn folder_of(location: &str) -> Result<PathBuf, String> {
    if let Some(path) = location.strip_prefix("file://") {
        return if path.starts_with('/') {
            Ok(path.into())
        } else {
            Err("a file URL names an absolute path, file:///folder".to_owned())
        };
    }
    match location.split_once("://") {
        Some(_) => Err("must be a folder, file:///folder or s3://bucket/prefix".to_owned()),
        None if location.is_empty() => Err("must not be empty".to_owned()),
        None => Ok(location.into()),
    }
}

/// A store over a folder that exists. Files reach the disk before a write counts as done.
pub(super) fn folder_store(folder: &Path) -> Result<Arc<dyn ObjectStore>, RegistryError> {
    let refused = |problem: String| RegistryError::Location {
        location: folder.display().to_string(),
        problem,
    };
    if !folder.is_dir() {
        return Err(refused("it is not a folder".to_owned()));
    }
    let store =
        LocalFileSystem::new_with_prefix(folder).map_err(|error| refused(error.to_string()))?;
    Ok(Arc::new(store.with_fsync(true)))
}

fn bucket_store(bucket: &str, s3: &S3Settings) -> Result<Arc<dyn ObjectStore>, String> {
    if let Some(problem) = s3.problems().into_iter().next() {
        return Err(problem);
    }
    // The HTTP client takes the process's TLS provider; another caller may have set it, to the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_retry(RetryConfig {
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_TIMEOUT,
            ..RetryConfig::default()
        });
    // One by one, because options as a whole would replace what the variables say.
    for (key, limit) in [
        (ClientConfigKey::Timeout, REQUEST_TIMEOUT),
        (ClientConfigKey::ConnectTimeout, CONNECT_TIMEOUT),
    ] {
        let limit = format!("{}s", limit.as_secs());
        builder = builder.with_config(AmazonS3ConfigKey::Client(key), limit);
    }
    if let Some(endpoint) = &s3.endpoint {
        builder = builder
            .with_endpoint(endpoint)
            .with_allow_http(endpoint.starts_with("http://"));
    }
    if let Some(region) = &s3.region {
        builder = builder.with_region(region);
    }
    if let Some(id) = &s3.access_key_id {
        builder = builder.with_access_key_id(id);
    }
    if let Some(secret) = s3.secret()? {
        builder = builder.with_secret_access_key(secret.expose());
    }
    let store = builder.build().map_err(|error| error.to_string())?;
    Ok(Arc::new(store))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(location: &str, s3: &S3Settings) -> String {
        match open(location, s3) {
            Err(RegistryError::Location { problem, .. }) => problem,
            Err(other) => other.to_string(),
            Ok(_) => String::new(),
        }
    }

    #[test]
    fn locations_that_name_no_registry_are_refused() {
        let none = S3Settings::default();
        for (location, expected) in [
            ("", "must not be empty"),
            ("s3://", "name a bucket"),
            ("s3:///prefix", "name a bucket"),
            ("s3://bucket/a//b", "empty path segment"),
            (
                "s3://bucket/../other",
                "encountered illegal character sequence",
            ),
            ("file://models", "absolute"),
            ("https://example.test/models", "must be a folder"),
            ("no-such-folder", "not a folder"),
        ] {
            let found = problem(location, &none);
            assert!(
                found.to_lowercase().contains(expected),
                "{location}: {found}"
            );
        }
    }

    #[test]
    fn half_a_credential_is_refused() {
        let id_only = S3Settings {
            access_key_id: Some("id".into()),
            ..S3Settings::default()
        };
        assert!(problem("s3://bucket", &id_only).contains("together"));
        let twice = S3Settings {
            access_key_id: Some("id".into()),
            secret_access_key: Some(Secret::new("secret".into())),
            secret_access_key_file: Some("file".into()),
            ..S3Settings::default()
        };
        assert!(problem("s3://bucket", &twice).contains("both set"));
        let no_file = S3Settings {
            access_key_id: Some("id".into()),
            secret_access_key_file: Some("no-such-file".into()),
            ..S3Settings::default()
        };
        assert!(problem("s3://bucket", &no_file).contains("no-such-file"));
        assert!(!format!("{twice:?}").contains("\"secret\""));
    }
}
