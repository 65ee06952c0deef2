//! The section `[bias_monitor]` of the settings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use fcs_fairness::policy::Policy;
use fcs_fairness::{Confidence, InvalidConfidence, Thresholds};
use fcs_service::settings::unencrypted;
use fcs_service::{Environment, SettingsCheck};
use fcs_tlog::note::NoteKeyName;
use serde::{Deserialize, Serialize};

use crate::app::terms::Terms;

/// Days that the longest look at drift goes back: five windows of 31 days.
const DRIFT_DAYS: u32 = 155;
/// What is watched when no policy is named.
const DEFAULT_POLICY: &str = include_str!("../policies/default.toml");

/// What the monitor needs to know besides the settings that every service has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BiasMonitorSettings {
    /// Address of the gateway whose decisions are counted.
    pub gateway_url: String,
    /// Lowest acceptable adverse impact ratio; 0.8 is the four-fifths rule of 29 CFR 1607.4(D).
    pub air_floor: f64,
    /// Groups with fewer decisions get no verdict and no published ratio.
    pub minimum_group_size: u64,
    /// Confidence of every interval.
    pub confidence: f64,
    /// How often the published ratios, the evidence and the alarms are brought up to date.
    pub report_interval_ms: u64,
    /// The policy that groups are watched by, TOML or JSON; without one a built-in policy.
    pub policy_file: Option<PathBuf>,
    /// How long a decision waits for the protected attributes of its applicant before it counts without them.
    pub settle_s: u32,
    /// Counters by minute, and sums by hour, become those of a day after so many days; 0 keeps them. Drift looks back up to
    /// 155 days, so that it is at least as long.
    pub fine_counters_days: u32,
    /// Who signs reports: the name of the key, like that of a web site.
    pub report_signer: String,
    /// The file with the seed of the key that signs reports, 32 bytes in base64; without one `report-signing.key` in the
    /// data folder.
    pub report_key_file: Option<PathBuf>,
}

impl Default for BiasMonitorSettings {
    fn default() -> Self {
        Self {
            gateway_url: "http://127.0.0.1:8000".to_owned(),
            air_floor: 0.8,
            minimum_group_size: 30,
            confidence: 0.95,
            report_interval_ms: 10_000,
            policy_file: None,
            settle_s: 600,
            fine_counters_days: 200,
            report_signer: "faircredit.example/reports".to_owned(),
            report_key_file: None,
        }
    }
}

impl BiasMonitorSettings {
    /// The thresholds of a report.
    pub fn thresholds(&self) -> Result<Thresholds, InvalidConfidence> {
        Ok(Thresholds {
            air_floor: self.air_floor,
            minimum_group_size: self.minimum_group_size,
            confidence: Confidence::try_from(self.confidence)?,
        })
    }

    /// The policy that groups are watched by.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub fn terms(&self) -> anyhow::Result<Terms> {
        match &self.policy_file {
            None => Ok(Terms::new(Policy::from_toml(DEFAULT_POLICY)?)?),
            Some(path) => read_policy(path),
        }
    }

    /// How long a decision waits for the protected attributes of its applicant.
    pub fn settle(&self) -> Duration {
        Duration::from_secs(self.settle_s.into())
    }

    /// The pause between two looks at the report.
    pub fn report_interval(&self) -> Duration {
        Duration::from_millis(self.report_interval_ms)
    }
}

/// Reads a policy: TOML, or JSON where the name of the file ends in `.json`.
///
/// # Errors
/// Says what is wrong with the file.
pub fn read_policy(path: &Path) -> anyhow::Result<Terms> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("read the policy {}", path.display()))?;
    let is_json = path
        .extension()
        .is_some_and(|extension| extension == "json");
    let policy = if is_json {
        Policy::from_json(&text)
    } else {
        Policy::from_toml(&text)
    };
    let policy = policy.with_context(|| format!("{} is no policy", path.display()))?;
    Ok(Terms::new(policy)?)
}

impl SettingsCheck for BiasMonitorSettings {
    fn problems_in(&self, environment: Environment) -> Vec<String> {
        let mut problems = self.problems();
        let key = "bias_monitor.gateway_url";
        problems.extend(unencrypted(environment, key, [self.gateway_url.as_str()]));
        problems
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !is_http_url(&self.gateway_url) {
            problems.push(format!(
                "bias_monitor.gateway_url is {:?}; write a URL such as http://127.0.0.1:8000",
                self.gateway_url
            ));
        }
        if !(self.air_floor > 0.0 && self.air_floor <= 1.0) {
            problems.push(format!(
                "bias_monitor.air_floor is {}; write a ratio above 0 and at most 1, such as 0.8",
                self.air_floor
            ));
        }
        if self.minimum_group_size == 0 {
            problems.push(
                "bias_monitor.minimum_group_size is 0; write 1 or more, such as 30".to_owned(),
            );
        }
        if let Err(error) = Confidence::try_from(self.confidence) {
            problems.push(format!(
                "bias_monitor.confidence is {}; {error}",
                self.confidence
            ));
        }
        if let Err(error) = self.terms() {
            problems.push(format!("bias_monitor.policy_file: {error:#}"));
        }
        if (1..DRIFT_DAYS).contains(&self.fine_counters_days) {
            problems.push(format!(
                "bias_monitor.fine_counters_days is {}; write {DRIFT_DAYS} or more, such as 200, or 0 to keep them",
                self.fine_counters_days
            ));
        }
        if self.report_signer.parse::<NoteKeyName>().is_err() {
            problems.push(
                "bias_monitor.report_signer must be a name without white space, plus and control characters".to_owned(),
            );
        }
        if !(100..=3_600_000).contains(&self.report_interval_ms) {
            problems.push(format!(
                "bias_monitor.report_interval_ms is {}; write 100 to 3600000, such as 10000",
                self.report_interval_ms
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
        assert_eq!(
            BiasMonitorSettings::default().problems(),
            Vec::<String>::new()
        );
    }

    #[test]
    fn every_problem_is_listed_with_its_key() {
        let settings = BiasMonitorSettings {
            gateway_url: "127.0.0.1:8000".to_owned(),
            air_floor: f64::NAN,
            minimum_group_size: 0,
            confidence: 95.0,
            report_interval_ms: 0,
            policy_file: Some("/no/such/policy.toml".into()),
            settle_s: 0,
            fine_counters_days: 7,
            report_signer: "two words".to_owned(),
            report_key_file: None,
        };
        let problems = settings.problems().join("\n");
        for key in [
            "gateway_url",
            "air_floor",
            "minimum_group_size",
            "confidence",
            "report_interval_ms",
            "policy_file",
            "fine_counters_days",
            "report_signer",
        ] {
            assert!(
                problems.contains(&format!("bias_monitor.{key}")),
                "{key}: {problems}"
            );
        }
    }
}
