//! The port to the model server.

use async_trait::async_trait;
use fcs_core::{ApiError, Digest, ModelVersion};
use fcs_decision::decision::ModelOutput;
use fcs_decision::trust::DetachedSignature;
use fcs_service::grpc::Deadline;

use super::traffic::PinnedModel;

/// A manifest as the model server hands it over. Nothing about it is believed before the signature is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedManifest {
    /// The bytes of `model.toml`.
    pub manifest: Vec<u8>,
    /// Detached signatures over these bytes.
    pub signatures: Vec<DetachedSignature>,
}

/// The model server. Errors have the code of its answer; no answer is `Unavailable`.
#[async_trait]
pub trait ModelPort: Send + Sync + 'static {
    /// Has the model verified and in memory.
    async fn load(&self, model: &ModelVersion, digest: Option<Digest>) -> Result<(), ApiError>;

    /// The signed manifest of a loaded model.
    async fn manifest(
        &self,
        model: &ModelVersion,
        digest: Option<Digest>,
    ) -> Result<SignedManifest, ApiError>;

    /// Scores one row with attributions, before the deadline.
    async fn score(
        &self,
        model: &PinnedModel,
        row: &[f64],
        deadline: Deadline,
    ) -> Result<ModelOutput, ApiError>;

    /// Whether it answers.
    async fn ping(&self) -> Result<(), ApiError>;
}
