//! The policy that groups are watched by: a file, or the one in force.

use std::path::Path;

use anyhow::Context as _;
use bias_monitor::read_policy;
use fcs_proto::monitoring::v1::GetPolicyRequest;
use serde::Serialize;
use serde_json::Value;

use crate::cli::Global;
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::print;

#[derive(Serialize)]
struct Shown {
    digest: String,
    /// With every default.
    policy: Value,
}

/// Checks a file as a monitor would at its start.
pub(super) fn check(global: &Global, file: &Path) -> anyhow::Result<()> {
    let terms = read_policy(file).map_err(|error| CliError::Verification(format!("{error:#}")))?;
    let policy = &terms.policy;
    let shown = Shown {
        digest: policy.digest().to_string(),
        policy: serde_json::to_value(policy.document())?,
    };
    print(global.output, &shown, |it| {
        text(it, "a monitor would take this policy")
    })
}

/// Shows what the monitor judges by.
pub(super) async fn show(global: &Global) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let answer = clients.alerts.get_policy(GetPolicyRequest {}).await;
    let answer = answer.map_err(CliError::from)?.into_inner();
    let shown = Shown {
        digest: answer.digest,
        policy: serde_json::from_str(&answer.document).context("the monitor sent no JSON")?,
    };
    print(global.output, &shown, |it| {
        text(it, "the policy in force, with every default")
    })
}

/// As a policy file, which TOML is easier to read than JSON.
fn text(shown: &Shown, what: &str) -> String {
    let document = toml::to_string(&shown.policy).unwrap_or_else(|_| shown.policy.to_string());
    format!("# {what}\n# digest {}\n{document}", shown.digest)
}
