//! The process `deployment-audit`.

fn main() -> std::process::ExitCode {
    fcs_service::run::<deployment_audit::DeploymentAudit>()
}
