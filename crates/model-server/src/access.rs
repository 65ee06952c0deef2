//! Who may call what: the table of the model server. A route without a row answers nobody.

use fcs_service::auth::{Rule, Scope};

/// One row for each route and each gRPC method.
pub(crate) const RULES: &[Rule] = &[
    Rule::public("GET", "/v2"),
    Rule::public("GET", "/v2/health/live"),
    Rule::public("GET", "/v2/health/ready"),
    Rule::get("/v2/models/stats", Scope::ModelsRead),
    Rule::post("/v2/repository/index", Scope::ModelsRead),
    Rule::post("/v2/repository/models/{model}/load", Scope::ModelsAdmin),
    Rule::post("/v2/repository/models/{model}/unload", Scope::ModelsAdmin),
    Rule::get("/v2/models/{model}", Scope::ModelsRead),
    Rule::get("/v2/models/{model}/ready", Scope::ModelsRead),
    Rule::get("/v2/models/{model}/config", Scope::ModelsRead),
    Rule::get("/v2/models/{model}/stats", Scope::ModelsRead),
    Rule::post("/v2/models/{model}/infer", Scope::ModelsScore),
    Rule::get("/v2/models/{model}/versions/{version}", Scope::ModelsRead),
    Rule::get(
        "/v2/models/{model}/versions/{version}/ready",
        Scope::ModelsRead,
    ),
    Rule::get(
        "/v2/models/{model}/versions/{version}/config",
        Scope::ModelsRead,
    ),
    Rule::get(
        "/v2/models/{model}/versions/{version}/stats",
        Scope::ModelsRead,
    ),
    Rule::post(
        "/v2/models/{model}/versions/{version}/infer",
        Scope::ModelsScore,
    ),
    Rule::call(
        "/faircredit.model.v1.ModelService/ListModels",
        Scope::ModelsRead,
    ),
    Rule::call(
        "/faircredit.model.v1.ModelService/GetModel",
        Scope::ModelsRead,
    ),
    Rule::call(
        "/faircredit.model.v1.ModelService/LoadModel",
        Scope::ModelsAdmin,
    ),
    Rule::call(
        "/faircredit.model.v1.ModelService/UnloadModel",
        Scope::ModelsAdmin,
    ),
    Rule::call(
        "/faircredit.model.v1.ModelService/Score",
        Scope::ModelsScore,
    ),
    Rule::call(
        "/faircredit.model.v1.ModelService/ScoreBatch",
        Scope::ModelsScore,
    ),
    Rule::call(
        "/faircredit.model.v1.ModelService/ScoreStream",
        Scope::ModelsScore,
    ),
    Rule::public(Rule::CALL, "/inference.GRPCInferenceService/ServerLive"),
    Rule::public(Rule::CALL, "/inference.GRPCInferenceService/ServerReady"),
    Rule::public(Rule::CALL, "/inference.GRPCInferenceService/ServerMetadata"),
    Rule::call(
        "/inference.GRPCInferenceService/ModelReady",
        Scope::ModelsRead,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/ModelMetadata",
        Scope::ModelsRead,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/ModelInfer",
        Scope::ModelsScore,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/ModelStreamInfer",
        Scope::ModelsScore,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/ModelConfig",
        Scope::ModelsRead,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/ModelStatistics",
        Scope::ModelsRead,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/RepositoryIndex",
        Scope::ModelsRead,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/RepositoryModelLoad",
        Scope::ModelsAdmin,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/RepositoryModelUnload",
        Scope::ModelsAdmin,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/SystemSharedMemoryStatus",
        Scope::ModelsAdmin,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/SystemSharedMemoryRegister",
        Scope::ModelsAdmin,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/SystemSharedMemoryUnregister",
        Scope::ModelsAdmin,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/CudaSharedMemoryStatus",
        Scope::ModelsAdmin,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/CudaSharedMemoryRegister",
        Scope::ModelsAdmin,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/CudaSharedMemoryUnregister",
        Scope::ModelsAdmin,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/TraceSetting",
        Scope::ModelsAdmin,
    ),
    Rule::call(
        "/inference.GRPCInferenceService/LogSettings",
        Scope::ModelsAdmin,
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_names_the_methods_of_the_contracts_and_no_others() {
        let calls: Vec<&str> = RULES
            .iter()
            .filter(|rule| rule.method == Rule::CALL)
            .map(|rule| rule.path)
            .collect();
        let methods = fcs_testkit::contract::methods(
            fcs_proto::DESCRIPTORS,
            &["faircredit.model.v1", "inference"],
        );
        let unique: BTreeSet<&str> = calls.iter().copied().collect();
        assert_eq!(unique.len(), calls.len(), "each method has one rule");
        assert_eq!(unique, methods.iter().map(String::as_str).collect());
    }
}
