//! The section `[deployment_audit]`.

use std::path::PathBuf;

use fcs_service::settings::unencrypted;
use fcs_service::{Environment, SettingsCheck};
use fcs_tlog::note::NoteKeyName;
use serde::{Deserialize, Serialize};

/// Settings of the service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditSettings {
    /// Where the scoring gateway answers gRPC.
    pub gateway_url: String,
    /// Where Prometheus answers, for the numbers that rollouts are judged by.
    pub prometheus_url: String,
    /// Where the bias monitor answers gRPC, for alarms about candidates.
    pub bias_monitor_url: String,
    /// Between two rounds over the rollouts when nothing happens, in milliseconds.
    pub rollout_interval_ms: u64,
    /// Identity of the log: the first line of every checkpoint and the name of its key.
    pub log_origin: String,
    /// File with the log's secret key, 32 random bytes in base64; `{data_dir}/log-signing.key` when unset.
    pub signing_key_file: Option<PathBuf>,
    /// Folder that the log is published in as files; `{data_dir}/tiles` when unset. Keep it on other storage than the
    /// database: it shows when the database was put back to an older state.
    pub tiles_dir: Option<PathBuf>,
    /// Puts back, before anything else, what the database lacks of the published log. For one start after an older backup
    /// was restored.
    pub replay_tiles: bool,
    /// C2SP tlog-policy file: the witnesses that are asked to cosign, where they are, and their quorum.
    pub witness_policy_file: Option<PathBuf>,
    /// Most decisions in one leaf.
    pub batch_entries: usize,
    /// Longest wait of a decision for its leaf, in milliseconds.
    pub batch_delay_ms: u64,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            gateway_url: "http://127.0.0.1:8000".to_owned(),
            prometheus_url: "http://127.0.0.1:9090".to_owned(),
            bias_monitor_url: "http://127.0.0.1:8020".to_owned(),
            rollout_interval_ms: 5_000,
            log_origin: "faircredit.example/log".to_owned(),
            signing_key_file: None,
            tiles_dir: None,
            replay_tiles: false,
            witness_policy_file: None,
            batch_entries: 256,
            batch_delay_ms: 200,
        }
    }
}

impl SettingsCheck for AuditSettings {
    fn problems_in(&self, environment: Environment) -> Vec<String> {
        let mut problems = self.problems();
        let key = "deployment_audit.gateway_url";
        problems.extend(unencrypted(environment, key, [self.gateway_url.as_str()]));
        problems
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !is_address(&self.gateway_url) {
            problems.push(
                "deployment_audit.gateway_url must be an http:// or https:// address, \
                 for example http://127.0.0.1:8000"
                    .to_owned(),
            );
        }
        if !is_address(&self.prometheus_url) {
            problems.push(
                "deployment_audit.prometheus_url must be an http:// or https:// address, \
                 for example http://127.0.0.1:9090"
                    .to_owned(),
            );
        }
        if !is_address(&self.bias_monitor_url) {
            problems.push(
                "deployment_audit.bias_monitor_url must be an http:// or https:// address, \
                 for example http://127.0.0.1:8020"
                    .to_owned(),
            );
        }
        if !(50..=60_000).contains(&self.rollout_interval_ms) {
            problems.push("deployment_audit.rollout_interval_ms must be 50 to 60000".to_owned());
        }
        if self.log_origin.parse::<NoteKeyName>().is_err() {
            problems.push(
                "deployment_audit.log_origin must be a name without white space, plus and control \
                 characters, for example faircredit.example/log"
                    .to_owned(),
            );
        }
        if !(1..=10_000).contains(&self.batch_entries) {
            problems.push("deployment_audit.batch_entries must be 1 to 10000".to_owned());
        }
        if !(1..=60_000).contains(&self.batch_delay_ms) {
            problems.push("deployment_audit.batch_delay_ms must be 1 to 60000".to_owned());
        }
        problems
    }
}

fn is_address(text: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_good_and_every_problem_is_listed() {
        assert!(AuditSettings::default().problems().is_empty());
        let bad = AuditSettings {
            gateway_url: "127.0.0.1:8000".to_owned(),
            prometheus_url: "prometheus".to_owned(),
            bias_monitor_url: String::new(),
            rollout_interval_ms: 0,
            log_origin: "two words".to_owned(),
            signing_key_file: None,
            tiles_dir: None,
            replay_tiles: false,
            witness_policy_file: None,
            batch_entries: 0,
            batch_delay_ms: 0,
        };
        assert_eq!(bad.problems().len(), 7);
    }
}
