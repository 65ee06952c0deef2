//! The repository commands of the protocol over the life cycle of packages.

use std::sync::Arc;

use fcs_core::{ApiError, ErrorCode, ModelVersion};

use super::super::lifecycle::Lifecycle;
use super::super::models::ModelState;
use super::parameters::{Parameter, Parameters};
use super::{Inference, TEXT_BYTES_MAX, invalid};

/// One package in the index.
pub struct IndexEntry {
    /// Name and version.
    pub model: ModelVersion,
    /// `READY`, `LOADING` or `UNAVAILABLE`.
    pub state: &'static str,
    /// Why it is not ready.
    pub reason: String,
}

/// Loads and unloads by name.
pub struct Repository {
    /// The commands over the loaded models.
    pub inference: Arc<Inference>,
    /// What loads them.
    pub lifecycle: Arc<Lifecycle>,
}

impl Repository {
    /// The packages of the registry; only those in memory on request.
    ///
    /// # Errors
    /// `Unavailable` when the registry cannot be listed, `InvalidArgument` for another repository.
    pub async fn index(&self, repository: &str, ready: bool) -> Result<Vec<IndexEntry>, ApiError> {
        check_repository(repository)?;
        let listed = self.lifecycle.list().await?;
        let entries = listed.into_iter().map(|(model, state)| {
            let (state, reason) = match state {
                ModelState::Loaded(_) => ("READY", String::new()),
                ModelState::Loading => ("LOADING", String::new()),
                ModelState::Available => ("UNAVAILABLE", "not loaded".to_owned()),
                ModelState::Refused(reason) => ("UNAVAILABLE", reason),
            };
            IndexEntry {
                model,
                state,
                reason,
            }
        });
        Ok(entries
            .filter(|entry| !ready || entry.state == "READY")
            .collect())
    }

    /// Verifies a package and puts it into memory, in the place of the one that is there: the version in the
    /// parameter `version`, or the highest.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArgument` for other parameters, or why the package was refused.
    pub async fn load(
        &self,
        repository: &str,
        name: &str,
        parameters: &Parameters,
    ) -> Result<(), ApiError> {
        let version = parse(repository, name, parameters, "")?;
        let model = match version {
            Some(version) => model(name, &version)?,
            None => self.lifecycle.highest(name).await?,
        };
        self.lifecycle.reload(model).await?;
        Ok(())
    }

    /// Takes the version in the parameter `version` out of memory, or every version.
    ///
    /// # Errors
    /// `NotFound` when none is in memory, `InvalidArgument` for other parameters.
    pub fn unload(
        &self,
        repository: &str,
        name: &str,
        parameters: &Parameters,
    ) -> Result<(), ApiError> {
        let version = parse(repository, name, parameters, "unload_dependents")?;
        if let Some(version) = version {
            return self.lifecycle.unload(&model(name, &version)?);
        }
        for served in self.inference.find_all(name, "")? {
            match self.lifecycle.unload(served.model.version()) {
                // Somebody else was faster.
                Err(error) if error.code == ErrorCode::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }
}

/// The version that the parameters name. `ignored` is a parameter without a meaning here.
fn parse(
    repository: &str,
    name: &str,
    parameters: &Parameters,
    ignored: &str,
) -> Result<Option<String>, ApiError> {
    check_repository(repository)?;
    if name.is_empty() || name.len() > TEXT_BYTES_MAX {
        let message = format!("name a model, in at most {TEXT_BYTES_MAX} bytes");
        return Err(invalid("MODEL_NAME_INVALID", message));
    }
    let mut version = None;
    for (key, value) in parameters {
        match (key.as_str(), value) {
            ("version", Parameter::Text(text)) => version = Some(text.clone()),
            (key, _) if key == ignored => {}
            _ => {
                // Triton takes a configuration and files here; a package that is not as it was signed never loads.
                let message = "the only parameter is version, a text";
                return Err(invalid("PARAMETER_UNSUPPORTED", message));
            }
        }
    }
    Ok(version)
}

fn model(name: &str, version: &str) -> Result<ModelVersion, ApiError> {
    ModelVersion::new(name, version).map_err(|_| {
        let message = "the registry has no package of this name and version";
        ApiError::not_found("MODEL_NOT_FOUND", message)
    })
}

fn check_repository(repository: &str) -> Result<(), ApiError> {
    if repository.is_empty() {
        return Ok(());
    }
    let message = "there is one repository, without a name";
    Err(ApiError::not_found("REPOSITORY_UNKNOWN", message))
}
