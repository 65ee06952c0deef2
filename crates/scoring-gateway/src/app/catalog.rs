//! The manifests that the gateway has verified itself, by digest.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use fcs_core::{ApiError, Clock, Digest, ErrorCode, ModelVersion};
use fcs_decision::decision::ModelOutput;
use fcs_decision::manifest::Manifest;
use fcs_decision::trust::TrustPolicy;
use fcs_service::grpc::Deadline;

use super::port::{ModelPort, SignedManifest};
use super::traffic::PinnedModel;

/// Manifests kept at most; a system has a few models, and each can be fetched again.
const MANIFESTS_MAX: usize = 256;

/// Verified manifests and the model server that they come from.
pub struct Catalog {
    models: Arc<dyn ModelPort>,
    trust: TrustPolicy,
    clock: Arc<dyn Clock>,
    verified: RwLock<HashMap<Digest, Arc<Manifest>>>,
}

impl Catalog {
    /// An empty catalogue that believes only what this trust policy covers.
    pub fn new(models: Arc<dyn ModelPort>, trust: TrustPolicy, clock: Arc<dyn Clock>) -> Self {
        Self {
            models,
            trust,
            clock,
            verified: RwLock::default(),
        }
    }

    /// Whether the model server answers.
    pub async fn ping(&self) -> Result<(), ApiError> {
        self.models.ping().await
    }

    /// The manifest of a pinned model: kept, or fetched and verified.
    pub async fn manifest(&self, model: &PinnedModel) -> Result<Arc<Manifest>, ApiError> {
        if let Some(manifest) = self.kept(model.manifest_digest) {
            return Ok(manifest);
        }
        self.fetch(&model.version, Some(model.manifest_digest))
            .await
            .map_err(dependency_error)
    }

    /// Has a model loaded, fetches its manifest and verifies signature, name and digest.
    pub async fn fetch(
        &self,
        version: &ModelVersion,
        digest: Option<Digest>,
    ) -> Result<Arc<Manifest>, ApiError> {
        self.models.load(version, digest).await?;
        let signed = self.models.manifest(version, digest).await?;
        let manifest = Arc::new(self.verify(version, digest, &signed)?);
        let mut verified = self
            .verified
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= MANIFESTS_MAX {
            verified.clear();
        }
        verified.insert(manifest.digest(), Arc::clone(&manifest));
        Ok(manifest)
    }

    /// The manifest of a version that some decision names, whichever it is: kept, or fetched and verified.
    pub async fn described(&self, version: &ModelVersion) -> Result<Arc<Manifest>, ApiError> {
        let kept = {
            let verified = self.verified.read();
            let verified = verified.unwrap_or_else(PoisonError::into_inner);
            let mut manifests = verified.values();
            manifests.find(|it| it.model_version() == version).cloned()
        };
        match kept {
            Some(manifest) => Ok(manifest),
            None => self.fetch(version, None).await,
        }
    }

    /// Scores a row. A model server that has lost the model (a restart) is told to load it, once.
    pub async fn score(
        &self,
        model: &PinnedModel,
        row: &[f64],
        deadline: Deadline,
    ) -> Result<ModelOutput, ApiError> {
        let first = self.models.score(model, row, deadline).await;
        let output = match first {
            Err(error) if is_not_loaded(&error) => {
                self.models
                    .load(&model.version, Some(model.manifest_digest))
                    .await
                    .map_err(dependency_error)?;
                self.models.score(model, row, deadline).await
            }
            other => other,
        };
        output.map_err(dependency_error)
    }

    fn kept(&self, digest: Digest) -> Option<Arc<Manifest>> {
        self.verified
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&digest)
            .cloned()
    }

    fn verify(
        &self,
        version: &ModelVersion,
        digest: Option<Digest>,
        signed: &SignedManifest,
    ) -> Result<Manifest, ApiError> {
        let refuse = |reason, why: String| {
            let message = format!("the model {version} is refused: {why}");
            ApiError::new(ErrorCode::FailedPrecondition, reason, message)
        };
        self.trust
            .verify(
                &signed.manifest,
                &signed.signatures,
                version.name(),
                self.clock.now(),
            )
            .map_err(|error| refuse("MODEL_NOT_TRUSTED", error.to_string()))?;
        let manifest = Manifest::parse(&signed.manifest)
            .map_err(|error| refuse("MODEL_MANIFEST_INVALID", error.to_string()))?;
        if manifest.model_version() != version {
            let found = format!("the signed manifest is of {}", manifest.model_version());
            return Err(refuse("MODEL_NAME_MISMATCH", found));
        }
        match digest {
            Some(pinned) if pinned != manifest.digest() => {
                let found = format!(
                    "its manifest has digest {}, not {pinned}",
                    manifest.digest()
                );
                Err(refuse("MODEL_DIGEST_MISMATCH", found))
            }
            _ => Ok(manifest),
        }
    }
}

fn is_not_loaded(error: &ApiError) -> bool {
    matches!(
        error.code,
        ErrorCode::NotFound | ErrorCode::FailedPrecondition
    )
}

/// What the model server's refusal means to a client of the gateway, whose request was in order: a deadline stays a
/// deadline, a refused model is a state that someone must repair, and all else may pass.
fn dependency_error(error: ApiError) -> ApiError {
    match error.code {
        ErrorCode::DeadlineExceeded | ErrorCode::FailedPrecondition => error,
        ErrorCode::InvalidArgument | ErrorCode::Internal => {
            tracing::error!(reason = error.reason, %error, "the model server refused a valid row");
            ApiError::new(
                ErrorCode::Internal,
                "MODEL_SERVER_FAILED",
                "the model server failed",
            )
        }
        _ => {
            tracing::warn!(code = error.code.as_str(), %error, "the model server gave no score");
            let message = "the model server does not answer; retry with the same key";
            ApiError::new(ErrorCode::Unavailable, "MODEL_SERVER_UNAVAILABLE", message)
                .retry_after(1)
        }
    }
}
