//! `inference.GRPCInferenceService`: parse, call the application, convert.

use std::collections::HashMap;
use std::sync::Arc;

use fcs_core::{ApiError, ErrorCode};
use fcs_proto::inference as wire;
use fcs_proto::inference::grpc_inference_service_server::GrpcInferenceService;
use fcs_proto::inference::model_metadata_response::TensorMetadata;
use fcs_proto::inference::model_repository_parameter::ParameterChoice;
use fcs_proto::inference::repository_index_response::ModelIndex;
use fcs_service::Health;
use fcs_service::grpc::{Deadline, status};
use futures::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::{DEADLINE_MAX, MessageDeadlines, deadline, stream, tensors};
use crate::app::inference::parameters::{Parameter, Parameters};
use crate::app::inference::{
    BACKEND, EXTENSIONS, Inference, PLATFORM, Repository, SERVER_NAME, TensorContract, contract,
};
use crate::app::models::Served;
use crate::app::score::ROWS_MAX;
use crate::app::statistics::Tally;

/// Serves the Open Inference Protocol. Cloning shares everything.
#[derive(Clone)]
pub(crate) struct InferenceGrpc {
    /// The commands over the loaded models.
    pub(crate) inference: Arc<Inference>,
    /// Loading and unloading.
    pub(crate) repository: Arc<Repository>,
    /// Readiness.
    pub(crate) health: Health,
    /// Streams end when it is cancelled.
    pub(crate) draining: CancellationToken,
}

impl InferenceGrpc {
    async fn infer(
        &self,
        request: wire::ModelInferRequest,
        deadline: Deadline,
    ) -> Result<wire::ModelInferResponse, ApiError> {
        let command = tensors::command(request)?;
        let answer = self.inference.infer(command, deadline).await?;
        Ok(tensors::response(answer))
    }

    /// One answer of a stream; what fails a request stands in its answer.
    async fn stream_answer(
        &self,
        request: wire::ModelInferRequest,
        deadline: Deadline,
    ) -> wire::ModelStreamInferResponse {
        let (id, name) = (request.id.clone(), request.model_name.clone());
        match self.infer(request, deadline).await {
            Ok(answer) => wire::ModelStreamInferResponse {
                error_message: String::new(),
                infer_response: Some(answer),
            },
            Err(error) => wire::ModelStreamInferResponse {
                error_message: status(&error).message().to_owned(),
                // Tells the caller which of its requests failed.
                infer_response: Some(wire::ModelInferResponse {
                    id,
                    model_name: name,
                    ..wire::ModelInferResponse::default()
                }),
            },
        }
    }
}

fn answer<T>(outcome: Result<T, ApiError>) -> Result<Response<T>, Status> {
    outcome.map(Response::new).map_err(|error| status(&error))
}

fn not_offered<T>(what: &str) -> Result<Response<T>, Status> {
    Err(Status::unimplemented(format!("{what} is not offered")))
}

#[tonic::async_trait]
impl GrpcInferenceService for InferenceGrpc {
    async fn server_live(
        &self,
        _request: Request<wire::ServerLiveRequest>,
    ) -> Result<Response<wire::ServerLiveResponse>, Status> {
        let live = self.health.is_live();
        Ok(Response::new(wire::ServerLiveResponse { live }))
    }

    async fn server_ready(
        &self,
        _request: Request<wire::ServerReadyRequest>,
    ) -> Result<Response<wire::ServerReadyResponse>, Status> {
        let ready = self.health.readiness().ready;
        Ok(Response::new(wire::ServerReadyResponse { ready }))
    }

    async fn model_ready(
        &self,
        request: Request<wire::ModelReadyRequest>,
    ) -> Result<Response<wire::ModelReadyResponse>, Status> {
        let request = request.into_inner();
        let ready = self.inference.find(&request.name, &request.version).is_ok();
        Ok(Response::new(wire::ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _request: Request<wire::ServerMetadataRequest>,
    ) -> Result<Response<wire::ServerMetadataResponse>, Status> {
        Ok(Response::new(wire::ServerMetadataResponse {
            name: SERVER_NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extensions: EXTENSIONS.map(str::to_owned).to_vec(),
        }))
    }

    async fn model_metadata(
        &self,
        request: Request<wire::ModelMetadataRequest>,
    ) -> Result<Response<wire::ModelMetadataResponse>, Status> {
        let request = request.into_inner();
        let served = self.inference.find(&request.name, &request.version);
        answer(served.map(|served| {
            let contract = contract(&served);
            wire::ModelMetadataResponse {
                versions: self.inference.version_names(&request.name),
                name: request.name,
                platform: PLATFORM.to_owned(),
                inputs: contract.inputs.iter().map(metadata).collect(),
                outputs: contract.outputs.iter().map(metadata).collect(),
                properties: contract.properties.into_iter().collect(),
            }
        }))
    }

    async fn model_infer(
        &self,
        request: Request<wire::ModelInferRequest>,
    ) -> Result<Response<wire::ModelInferResponse>, Status> {
        let deadline = deadline(&request);
        answer(self.infer(request.into_inner(), deadline).await)
    }

    type ModelStreamInferStream =
        BoxStream<'static, Result<wire::ModelStreamInferResponse, Status>>;

    async fn model_stream_infer(
        &self,
        request: Request<Streaming<wire::ModelInferRequest>>,
    ) -> Result<Response<Self::ModelStreamInferStream>, Status> {
        let deadlines = MessageDeadlines::of(&request);
        let grpc = self.clone();
        let answer = move |request| {
            let grpc = grpc.clone();
            async move {
                Ok(grpc
                    .stream_answer(request, deadlines.next(DEADLINE_MAX))
                    .await)
            }
        };
        let draining = self.draining.clone();
        Ok(Response::new(stream::in_order(
            request.into_inner(),
            draining,
            answer,
        )))
    }

    async fn model_config(
        &self,
        request: Request<wire::ModelConfigRequest>,
    ) -> Result<Response<wire::ModelConfigResponse>, Status> {
        let request = request.into_inner();
        let served = self.inference.find(&request.name, &request.version);
        answer(served.map(|served| wire::ModelConfigResponse {
            config: Some(config(&served)),
        }))
    }

    async fn model_statistics(
        &self,
        request: Request<wire::ModelStatisticsRequest>,
    ) -> Result<Response<wire::ModelStatisticsResponse>, Status> {
        let request = request.into_inner();
        let found = self.inference.find_all(&request.name, &request.version);
        answer(found.map(|found| wire::ModelStatisticsResponse {
            model_stats: found.iter().map(statistics).collect(),
        }))
    }

    async fn repository_index(
        &self,
        request: Request<wire::RepositoryIndexRequest>,
    ) -> Result<Response<wire::RepositoryIndexResponse>, Status> {
        let request = request.into_inner();
        let index = self
            .repository
            .index(&request.repository_name, request.ready)
            .await;
        answer(index.map(|entries| {
            let models = entries.into_iter().map(|entry| ModelIndex {
                name: entry.model.name().to_owned(),
                version: entry.model.version().to_owned(),
                state: entry.state.to_owned(),
                reason: entry.reason,
            });
            wire::RepositoryIndexResponse {
                models: models.collect(),
            }
        }))
    }

    async fn repository_model_load(
        &self,
        request: Request<wire::RepositoryModelLoadRequest>,
    ) -> Result<Response<wire::RepositoryModelLoadResponse>, Status> {
        let request = request.into_inner();
        let parameters = repository_parameters(request.parameters).map_err(|it| status(&it))?;
        let (repository, name) = (request.repository_name, request.model_name);
        let loaded = self.repository.load(&repository, &name, &parameters).await;
        answer(loaded.map(|()| wire::RepositoryModelLoadResponse {
            model_name: name,
            is_loaded: true,
        }))
    }

    async fn repository_model_unload(
        &self,
        request: Request<wire::RepositoryModelUnloadRequest>,
    ) -> Result<Response<wire::RepositoryModelUnloadResponse>, Status> {
        let request = request.into_inner();
        let parameters = repository_parameters(request.parameters).map_err(|it| status(&it))?;
        let (repository, name) = (request.repository_name, request.model_name);
        let unloaded = self.repository.unload(&repository, &name, &parameters);
        answer(unloaded.map(|()| wire::RepositoryModelUnloadResponse {
            model_name: name,
            is_unloaded: true,
        }))
    }

    async fn system_shared_memory_status(
        &self,
        _request: Request<wire::SystemSharedMemoryStatusRequest>,
    ) -> Result<Response<wire::SystemSharedMemoryStatusResponse>, Status> {
        not_offered("shared memory")
    }

    async fn system_shared_memory_register(
        &self,
        _request: Request<wire::SystemSharedMemoryRegisterRequest>,
    ) -> Result<Response<wire::SystemSharedMemoryRegisterResponse>, Status> {
        not_offered("shared memory")
    }

    async fn system_shared_memory_unregister(
        &self,
        _request: Request<wire::SystemSharedMemoryUnregisterRequest>,
    ) -> Result<Response<wire::SystemSharedMemoryUnregisterResponse>, Status> {
        not_offered("shared memory")
    }

    async fn cuda_shared_memory_status(
        &self,
        _request: Request<wire::CudaSharedMemoryStatusRequest>,
    ) -> Result<Response<wire::CudaSharedMemoryStatusResponse>, Status> {
        not_offered("shared memory")
    }

    async fn cuda_shared_memory_register(
        &self,
        _request: Request<wire::CudaSharedMemoryRegisterRequest>,
    ) -> Result<Response<wire::CudaSharedMemoryRegisterResponse>, Status> {
        not_offered("shared memory")
    }

    async fn cuda_shared_memory_unregister(
        &self,
        _request: Request<wire::CudaSharedMemoryUnregisterRequest>,
    ) -> Result<Response<wire::CudaSharedMemoryUnregisterResponse>, Status> {
        not_offered("shared memory")
    }

    async fn trace_setting(
        &self,
        _request: Request<wire::TraceSettingRequest>,
    ) -> Result<Response<wire::TraceSettingResponse>, Status> {
        not_offered("the trace setting")
    }

    async fn log_settings(
        &self,
        _request: Request<wire::LogSettingsRequest>,
    ) -> Result<Response<wire::LogSettingsResponse>, Status> {
        not_offered("the log setting")
    }
}

fn metadata(tensor: &TensorContract) -> TensorMetadata {
    TensorMetadata {
        name: tensor.name.clone(),
        datatype: tensor.datatype.to_owned(),
        shape: tensor.shape.clone(),
    }
}

fn config(served: &Served) -> wire::ModelConfig {
    let contract = contract(served);
    let data_type = wire::DataType::TypeFp64.into();
    // A configuration leaves the batch dimension out.
    let dims = |tensor: &TensorContract| tensor.shape.iter().skip(1).copied().collect();
    let input = contract.inputs.iter().map(|tensor| wire::ModelInput {
        name: tensor.name.clone(),
        data_type,
        dims: dims(tensor),
        optional: false,
    });
    let output = contract.outputs.iter().map(|tensor| wire::ModelOutput {
        name: tensor.name.clone(),
        data_type,
        dims: dims(tensor),
    });
    wire::ModelConfig {
        name: contract.model.name().to_owned(),
        platform: PLATFORM.to_owned(),
        max_batch_size: i32::try_from(ROWS_MAX).unwrap_or(i32::MAX),
        input: input.collect(),
        output: output.collect(),
        backend: BACKEND.to_owned(),
    }
}

fn statistics(served: &Served) -> wire::ModelStatistics {
    let statistics = &served.statistics;
    let duration = |tally: &Tally| {
        let (count, ns) = tally.read();
        Some(wire::StatisticDuration { count, ns })
    };
    wire::ModelStatistics {
        name: served.model.version().name().to_owned(),
        version: served.model.version().version().to_owned(),
        last_inference: statistics.last_ms(),
        inference_count: statistics.rows(),
        execution_count: statistics.success.read().0,
        inference_stats: Some(wire::InferStatistics {
            success: duration(&statistics.success),
            fail: duration(&statistics.fail),
            queue: duration(&statistics.queue),
            compute_input: duration(&statistics.input),
            compute_infer: duration(&statistics.compute),
            compute_output: duration(&statistics.output),
            cache_hit: None,
            cache_miss: None,
        }),
    }
}

fn repository_parameters(
    parameters: HashMap<String, wire::ModelRepositoryParameter>,
) -> Result<Parameters, ApiError> {
    let value = |parameter: wire::ModelRepositoryParameter| match parameter.parameter_choice {
        Some(ParameterChoice::BoolParam(value)) => Some(Parameter::Bool(value)),
        Some(ParameterChoice::Int64Param(value)) => Some(Parameter::Integer(value)),
        Some(ParameterChoice::StringParam(value)) => Some(Parameter::Text(value)),
        Some(ParameterChoice::BytesParam(_)) | None => None,
    };
    parameters
        .into_iter()
        .map(|(key, parameter)| {
            let value = value(parameter).ok_or_else(|| {
                ApiError::new(
                    ErrorCode::InvalidArgument,
                    "PARAMETER_UNSUPPORTED",
                    "a repository parameter has no value, or one of bytes",
                )
            })?;
            Ok((key, value))
        })
        .collect()
}
