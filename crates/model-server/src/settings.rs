//! Settings of the model server.

use std::path::PathBuf;

use fcs_core::ModelVersion;
use fcs_service::settings::SettingsCheck;
use serde::{Deserialize, Serialize};

use crate::registry::{Registry, S3Settings};

/// The section `[model_server]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelServerSettings {
    /// Where the model packages are, `<registry>/<name>/<version>/model.toml`: a folder, `file:///folder`, or
    /// `s3://bucket/prefix`.
    pub registry: String,
    /// How to reach a bucket.
    pub s3: S3Settings,
    /// Keys that may sign packages.
    pub trust_policy: PathBuf,
    /// Models to load before the server is ready, as "name/version".
    pub preload: Vec<String>,
    /// Requests that may compute at the same time; 0 means one per core.
    pub max_concurrent_requests: usize,
    /// Requests that may wait for that; the next one is told to retry.
    pub max_waiting_requests: usize,
    /// Requests of one model that may compute at the same time; 0 means as many as of all.
    pub max_concurrent_requests_per_model: usize,
    /// Requests of one model that may wait for that; the next one is told to retry.
    pub max_waiting_requests_per_model: usize,
    /// Models in memory.
    pub max_loaded_models: usize,
    /// Which packages of the registry are loaded without being asked for.
    pub watch_policy: WatchPolicy,
    /// How often the registry is looked through for them.
    pub watch_interval_ms: u64,
}

/// Which packages are loaded without being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchPolicy {
    /// None: every model is asked for.
    None,
    /// The highest version of each name.
    Latest,
    /// Every version.
    All,
}

impl Default for ModelServerSettings {
    fn default() -> Self {
        Self {
            registry: "models".into(),
            s3: S3Settings::default(),
            trust_policy: "models/trust.toml".into(),
            preload: Vec::new(),
            max_concurrent_requests: 0,
            max_waiting_requests: 1_024,
            max_concurrent_requests_per_model: 0,
            max_waiting_requests_per_model: 256,
            max_loaded_models: 64,
            watch_policy: WatchPolicy::None,
            watch_interval_ms: 5_000,
        }
    }
}

impl SettingsCheck for ModelServerSettings {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut s3 = self.s3.problems();
        if s3.is_empty()
            && let Err(error) = Registry::open(&self.registry, &self.s3)
        {
            problems.push(format!(
                "model_server.registry: {error}; name the folder that holds the model packages, or s3://bucket/prefix"
            ));
        }
        problems.extend(
            s3.drain(..)
                .map(|problem| format!("model_server.{problem}")),
        );
        if !self.trust_policy.is_file() {
            problems.push(format!(
                "model_server.trust_policy: {} is not a file; name the TOML file with the signing keys to trust",
                self.trust_policy.display()
            ));
        }
        for model in &self.preload {
            if let Err(error) = model.parse::<ModelVersion>() {
                problems.push(format!("model_server.preload: {model:?}: {error}"));
            }
        }
        let positive = [
            ("max_loaded_models", self.max_loaded_models as u64),
            ("watch_interval_ms", self.watch_interval_ms),
        ];
        for (key, value) in positive {
            // A day is beyond every sensible interval.
            if !(1..=86_400_000).contains(&value) {
                problems.push(format!(
                    "model_server.{key}: must be from 1 to 86400000, got {value}"
                ));
            }
        }
        problems
    }
}
