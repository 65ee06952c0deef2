//! The section `[gateway]` of the settings.

use std::path::PathBuf;
use std::time::Duration;

use fcs_service::SettingsCheck;
use serde::{Deserialize, Serialize};

/// What the gateway needs to know besides the settings that every service has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySettings {
    /// Address of the model server.
    pub model_server_url: String,
    /// File with the keys that may sign model packages.
    pub trust_policy: PathBuf,
    /// How long the model server may take to score one application; a caller's shorter deadline wins.
    pub score_timeout_ms: u64,
    /// Decisions of one commit at most.
    pub batch_max: usize,
    /// How long a decision waits for others to share its commit.
    pub batch_delay_ms: u64,
    /// Decisions in flight at most; further requests are told to come back in a second.
    pub queue_capacity: usize,
    /// How long an idempotency key is kept.
    pub idempotency_days: u32,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            model_server_url: "http://127.0.0.1:8010".to_owned(),
            trust_policy: PathBuf::from("models/trust.toml"),
            score_timeout_ms: 1_000,
            batch_max: 64,
            batch_delay_ms: 3,
            queue_capacity: 1_024,
            idempotency_days: 7,
        }
    }
}

impl GatewaySettings {
    /// Limit of a model server's answer.
    pub fn score_timeout(&self) -> Duration {
        Duration::from_millis(self.score_timeout_ms)
    }

    /// How long a decision waits for others.
    pub fn batch_delay(&self) -> Duration {
        Duration::from_millis(self.batch_delay_ms)
    }
}

impl SettingsCheck for GatewaySettings {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !is_http_url(&self.model_server_url) {
            problems.push(format!(
                "gateway.model_server_url is {:?}; write a URL such as http://127.0.0.1:8010",
                self.model_server_url
            ));
        }
        if self.trust_policy.as_os_str().is_empty() {
            problems.push(
                "gateway.trust_policy is empty; name the file with the keys that may sign models, \
                 such as models/trust.toml"
                    .to_owned(),
            );
        }
        let mut within = |key: &str, value: u64, minimum: u64, maximum: u64| {
            if !(minimum..=maximum).contains(&value) {
                problems.push(format!(
                    "gateway.{key} is {value}; write {minimum} to {maximum}"
                ));
            }
        };
        within("score_timeout_ms", self.score_timeout_ms, 1, 60_000);
        within("batch_max", self.batch_max as u64, 1, 1_000);
        within("batch_delay_ms", self.batch_delay_ms, 0, 1_000);
        within("queue_capacity", self.queue_capacity as u64, 1, 1_000_000);
        within("idempotency_days", self.idempotency_days.into(), 1, 365);
        if self.queue_capacity < self.batch_max {
            problems.push(format!(
                "gateway.queue_capacity ({}) is below gateway.batch_max ({}), so no batch could fill; raise it",
                self.queue_capacity, self.batch_max
            ));
        }
        problems
    }
}

fn is_http_url(text: &str) -> bool {
    text.parse::<axum::http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_problem() {
        assert_eq!(GatewaySettings::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn every_problem_is_listed_with_its_key() {
        let settings = GatewaySettings {
            model_server_url: "localhost:8010".to_owned(),
            trust_policy: PathBuf::new(),
            score_timeout_ms: 0,
            batch_max: 2_000,
            batch_delay_ms: 2_000,
            queue_capacity: 0,
            idempotency_days: 0,
        };
        let problems = settings.problems().join("\n");
        for key in [
            "model_server_url",
            "trust_policy",
            "score_timeout_ms",
            "batch_max",
            "batch_delay_ms",
            "queue_capacity",
            "idempotency_days",
        ] {
            assert!(
                problems.contains(&format!("gateway.{key}")),
                "{key}: {problems}"
            );
        }
    }
}
