//! The commands of the Open Inference Protocol over the loaded models, free of transport.
//!
//! Both faces, gRPC and REST, turn a request into an [`InferCommand`] and an [`InferAnswer`] into their own
//! form; everything that decides is here, so that they cannot differ.

mod answer;
mod contract;
mod inputs;
pub mod parameters;
mod payload;
mod repository;
mod tensor;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fcs_core::{ApiError, ErrorCode, ModelVersion};
use fcs_service::grpc::Deadline;

pub use answer::OutputTensor;
pub use contract::{
    BACKEND, EXTENSIONS, ModelContract, ON_REQUEST, PLATFORM, SERVER_NAME, TensorContract, contract,
};
pub use payload::{JsonData, JsonElements, Payload, Typed};
pub use repository::{IndexEntry, Repository};
pub use tensor::{Datatype, InputTensor};

use super::models::{Models, Served};
use super::score::Batch;
use super::scorer::Scorer;
use super::statistics::Times;

/// Tensors of a request.
pub const INPUTS_MAX: usize = 1_024;
/// Outputs that a request asks for.
pub const OUTPUTS_MAX: usize = 16;
/// Parameters of a request or of a tensor.
pub const PARAMETERS_MAX: usize = 64;
/// Bytes of a name, a version or an identifier.
pub const TEXT_BYTES_MAX: usize = 256;

/// An inference request.
pub struct InferCommand {
    /// Model name.
    pub model: String,
    /// Version; empty means the highest that is loaded.
    pub version: String,
    /// Comes back in the answer.
    pub id: String,
    /// The caller's limit, if any.
    pub timeout: Option<Duration>,
    /// Tensors in the order of the request.
    pub inputs: Vec<InputTensor>,
    /// Names of the outputs asked for; empty means all that are not on request.
    pub outputs: Vec<String>,
}

/// The answer to an inference request.
pub struct InferAnswer {
    /// The model that answered.
    pub model: ModelVersion,
    /// The request's identifier.
    pub id: String,
    /// Tensors in the order in which they were asked for.
    pub outputs: Vec<OutputTensor>,
}

/// The commands over a server's models.
pub struct Inference {
    /// The models in memory.
    pub models: Arc<Models>,
    /// What scores them.
    pub scorer: Arc<Scorer>,
}

impl Inference {
    /// A loaded model by name and version; an empty version means the highest.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn find(&self, name: &str, version: &str) -> Result<Served, ApiError> {
        let found = if version.is_empty() {
            self.models.versions(name).pop()
        } else {
            ModelVersion::new(name, version)
                .ok()
                .and_then(|model| self.models.get(&model))
        };
        found.ok_or_else(|| unknown(name, version))
    }

    /// The loaded versions of a name, the highest last.
    pub fn version_names(&self, name: &str) -> Vec<String> {
        let versions = self.models.versions(name);
        let version = |served: &Served| served.model.version().version().to_owned();
        versions.iter().map(version).collect()
    }

    /// Loaded models by name and version, where an empty text means every one.
    ///
    /// # Errors
    /// `NotFound` when a name or a version is given and nothing has it.
    pub fn find_all(&self, name: &str, version: &str) -> Result<Vec<Served>, ApiError> {
        if name.is_empty() {
            return Ok(self.models.all());
        }
        if !version.is_empty() {
            return Ok(vec![self.find(name, version)?]);
        }
        let versions = self.models.versions(name);
        if versions.is_empty() {
            return Err(unknown(name, version));
        }
        Ok(versions)
    }

    /// Runs a model. `deadline` is that of the transport; the request may shorten it.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArgument`, `Unavailable`, `DeadlineExceeded`, or `Internal` when a score is not finite.
    pub async fn infer(
        &self,
        command: InferCommand,
        deadline: Deadline,
    ) -> Result<InferAnswer, ApiError> {
        check_texts(&command)?;
        let served = self.find(&command.model, &command.version)?;
        let deadline = command
            .timeout
            .map_or(deadline, |timeout| deadline.min(Deadline::after(timeout)));
        let start = Instant::now();
        match self.run(&served, command, deadline).await {
            Ok((answer, rows, times)) => {
                let now = self.scorer.clock.now();
                served.statistics.record_success(rows, times, now);
                Ok(answer)
            }
            Err(error) => {
                served.statistics.record_failure(start.elapsed());
                Err(error)
            }
        }
    }

    async fn run(
        &self,
        served: &Served,
        command: InferCommand,
        deadline: Deadline,
    ) -> Result<(InferAnswer, usize, Times), ApiError> {
        let start = Instant::now();
        let manifest = &served.model.manifest;
        let outputs = answer::choose(&command.outputs)?;
        let rows = inputs::rows(manifest, &command.inputs)?;
        drop(command.inputs);
        let input = start.elapsed();
        let batch = Batch {
            rows,
            explain: outputs.iter().any(|output| output.needs_attributions()),
        };
        let answered = self.scorer.run(served, batch, deadline).await?;
        let start = Instant::now();
        let count = answered.rows.len();
        let scores = answered.rows.into_iter().collect::<Result<Vec<_>, _>>()?;
        let base_margin = served.model.attributor.base_margin();
        let outputs = outputs
            .iter()
            .map(|output| output.tensor(&scores, base_margin, manifest.features.len()))
            .collect();
        let times = Times {
            queue: answered.queue,
            input,
            compute: answered.compute,
            output: start.elapsed(),
        };
        let answer = InferAnswer {
            model: served.model.version().clone(),
            id: command.id,
            outputs,
        };
        Ok((answer, count, times))
    }
}

/// What is wrong with a request.
pub(crate) fn invalid(reason: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidArgument, reason, message)
}

fn unknown(name: &str, version: &str) -> ApiError {
    let shown = |text: &str| text.chars().take(64).collect::<String>();
    let message = if version.is_empty() {
        format!("no version of the model {:?} is loaded", shown(name))
    } else {
        format!(
            "the model {:?}, version {:?}, is not loaded",
            shown(name),
            shown(version)
        )
    };
    ApiError::not_found("MODEL_NOT_FOUND", message)
}

fn check_texts(command: &InferCommand) -> Result<(), ApiError> {
    let texts = [
        ("the model's name", &command.model),
        ("the model's version", &command.version),
        ("the id", &command.id),
    ];
    for (what, text) in texts {
        if text.len() > TEXT_BYTES_MAX {
            let message = format!("{what} is longer than {TEXT_BYTES_MAX} bytes");
            return Err(invalid("TEXT_TOO_LONG", message));
        }
    }
    if command.inputs.is_empty() {
        return Err(invalid("INPUTS_MISSING", "send at least one input"));
    }
    if command.inputs.len() > INPUTS_MAX {
        let message = format!("send at most {INPUTS_MAX} inputs");
        return Err(invalid("TOO_MANY_INPUTS", message));
    }
    Ok(())
}
