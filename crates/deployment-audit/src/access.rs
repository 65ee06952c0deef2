//! Who may call what: the table of deployment-audit. A route without a row answers nobody.

use fcs_service::auth::{Rule, Scope};

/// One row for each route and each gRPC method.
pub(crate) const RULES: &[Rule] = &[
    Rule::post("/v1/deployments", Scope::DeploymentsWrite),
    Rule::get("/v1/deployments", Scope::DeploymentsRead),
    Rule::get("/v1/deployments/{id}", Scope::DeploymentsRead),
    Rule::post("/v1/deployments/{id}/approve", Scope::DeploymentsApprove),
    Rule::post("/v1/deployments/{id}/activate", Scope::DeploymentsWrite),
    Rule::post("/v1/deployments/{id}/rollback", Scope::DeploymentsWrite),
    Rule::post("/v1/rollouts", Scope::DeploymentsWrite),
    Rule::get("/v1/rollouts", Scope::DeploymentsRead),
    Rule::get("/v1/rollouts/{id}", Scope::DeploymentsRead),
    Rule::post("/v1/rollouts/{id}/approve", Scope::DeploymentsApprove),
    Rule::post("/v1/rollouts/{id}/reject", Scope::DeploymentsApprove),
    Rule::post("/v1/rollouts/{id}/start", Scope::DeploymentsWrite),
    Rule::post("/v1/rollouts/{id}/pause", Scope::DeploymentsWrite),
    Rule::post("/v1/rollouts/{id}/resume", Scope::DeploymentsWrite),
    Rule::post("/v1/rollouts/{id}/promote", Scope::DeploymentsApprove),
    Rule::post("/v1/rollouts/{id}/abort", Scope::DeploymentsWrite),
    Rule::post("/v1/rollouts/{id}/rollback", Scope::DeploymentsWrite),
    Rule::get("/v1/log/checkpoint", Scope::LogRead),
    Rule::get("/v1/log/tile/{*path}", Scope::LogRead),
    Rule::get("/v1/log/verifier-key", Scope::LogRead),
    Rule::get("/v1/log/leaves", Scope::LogRead),
    Rule::get("/v1/log/proof/leaf/{index}", Scope::LogRead),
    Rule::get("/v1/log/proof/decision/{index}", Scope::LogRead),
    Rule::get("/v1/log/consistency", Scope::LogRead),
    Rule::call(
        "/faircredit.deployment.v1.DeploymentService/RegisterDeployment",
        Scope::DeploymentsWrite,
    ),
    Rule::call(
        "/faircredit.deployment.v1.DeploymentService/ApproveDeployment",
        Scope::DeploymentsApprove,
    ),
    Rule::call(
        "/faircredit.deployment.v1.DeploymentService/ActivateDeployment",
        Scope::DeploymentsWrite,
    ),
    Rule::call(
        "/faircredit.deployment.v1.DeploymentService/RollBackDeployment",
        Scope::DeploymentsWrite,
    ),
    Rule::call(
        "/faircredit.deployment.v1.DeploymentService/GetDeployment",
        Scope::DeploymentsRead,
    ),
    Rule::call(
        "/faircredit.deployment.v1.DeploymentService/ListDeployments",
        Scope::DeploymentsRead,
    ),
    Rule::call(
        "/faircredit.deployment.v1.RolloutService/ProposeRollout",
        Scope::DeploymentsWrite,
    ),
    Rule::call(
        "/faircredit.deployment.v1.RolloutService/ApproveRollout",
        Scope::DeploymentsApprove,
    ),
    Rule::call(
        "/faircredit.deployment.v1.RolloutService/RejectRollout",
        Scope::DeploymentsApprove,
    ),
    Rule::call(
        "/faircredit.deployment.v1.RolloutService/StartRollout",
        Scope::DeploymentsWrite,
    ),
    Rule::call(
        "/faircredit.deployment.v1.RolloutService/PauseRollout",
        Scope::DeploymentsWrite,
    ),
    Rule::call(
        "/faircredit.deployment.v1.RolloutService/ResumeRollout",
        Scope::DeploymentsWrite,
    ),
    Rule::call(
        "/faircredit.deployment.v1.RolloutService/PromoteRollout",
        Scope::DeploymentsApprove,
    ),
    Rule::call(
        "/faircredit.deployment.v1.RolloutService/AbortRollout",
        Scope::DeploymentsWrite,
    ),
    Rule::call(
        "/faircredit.deployment.v1.RolloutService/RollBackRollout",
        Scope::DeploymentsWrite,
    ),
    Rule::call(
        "/faircredit.deployment.v1.RolloutService/GetRollout",
        Scope::DeploymentsRead,
    ),
    Rule::call(
        "/faircredit.deployment.v1.RolloutService/ListRollouts",
        Scope::DeploymentsRead,
    ),
    Rule::call(
        "/faircredit.deployment.v1.AuditService/GetCheckpoint",
        Scope::LogRead,
    ),
    Rule::call(
        "/faircredit.deployment.v1.AuditService/ListLeaves",
        Scope::LogRead,
    ),
    Rule::call(
        "/faircredit.deployment.v1.AuditService/ProveLeaf",
        Scope::LogRead,
    ),
    Rule::call(
        "/faircredit.deployment.v1.AuditService/ProveDecision",
        Scope::LogRead,
    ),
    Rule::call(
        "/faircredit.deployment.v1.AuditService/ProveConsistency",
        Scope::LogRead,
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
        let methods =
            fcs_testkit::contract::methods(fcs_proto::DESCRIPTORS, &["faircredit.deployment.v1"]);
        let unique: BTreeSet<&str> = calls.iter().copied().collect();
        assert_eq!(unique.len(), calls.len(), "each method has one rule");
        assert_eq!(unique, methods.iter().map(String::as_str).collect());
    }
}
