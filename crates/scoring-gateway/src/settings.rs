//! The section `[gateway]` of the settings.

use std::path::PathBuf;
use std::time::Duration;

use fcs_service::settings::unencrypted;
use fcs_service::{Environment, SettingsCheck};
use serde::{Deserialize, Serialize};

/// What the gateway needs to know besides the settings that every service has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySettings {
    /// Address of the model server; of several servers with the same models, their addresses with commas between.
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
    /// Who gives notice of adverse action.
    pub notice: NoticeSettings,
    /// How shadow arms are scored.
    pub shadow: ShadowSettings,
    /// What is stored about applicants.
    pub privacy: PrivacySettings,
}

/// The section `[gateway.privacy]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacySettings {
    /// File with the keys of what is stored about applicants, the same for every replica. In development and tests one
    /// is made in the data folder when this names none.
    pub key_file: Option<PathBuf>,
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
            notice: NoticeSettings::default(),
            shadow: ShadowSettings::default(),
            privacy: PrivacySettings::default(),
        }
    }
}

/// The section `[gateway.shadow]`: what scoring for shadow arms may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShadowSettings {
    /// Address of the model server for shadow arms; empty means the one of the live arms, over another connection. One
    /// of their own keeps their computing away from the live arms too.
    pub model_server_url: String,
    /// Decisions that one shadow arm scores at the same time.
    pub concurrency: usize,
    /// How long one of them may take; it is dropped then.
    pub timeout_ms: u64,
    /// Decisions that a shadow arm may be behind the log. Past that it drops until it has caught up.
    pub backlog_max: u64,
}

impl Default for ShadowSettings {
    fn default() -> Self {
        Self {
            model_server_url: String::new(),
            concurrency: 2,
            timeout_ms: 1_000,
            backlog_max: 10_000,
        }
    }
}

impl ShadowSettings {
    /// How long one decision may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// The section `[gateway.notice]`: what every adverse action notice says (12 CFR 1002.9(a)(2), (b)(1)). Without the
/// creditor and the agency, no notice is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoticeSettings {
    /// The tenant whose creditor this is. Notices of other tenants are not written.
    pub tenant: String,
    /// Name of the creditor.
    pub creditor_name: String,
    /// Address of the creditor.
    pub creditor_address: String,
    /// Name and address of the Federal agency that administers compliance, from appendix A.
    pub agency: String,
    /// The notice of section 701(a); the agency is put at its end.
    pub ecoa_text: String,
}

/// The text of 12 CFR 1002.9(b)(1), up to the name of the agency.
const ECOA_TEXT: &str = "The Federal Equal Credit Opportunity Act prohibits creditors from discriminating against \
                         credit applicants on the basis of race, color, religion, national origin, sex, marital \
                         status, age (provided the applicant has the capacity to enter into a binding contract); \
                         because all or part of the applicant's income derives from any public assistance program; \
                         or because the applicant has in good faith exercised any right under the Consumer Credit \
                         Protection Act. The Federal agency that administers compliance with this law concerning \
                         this creditor is";

impl Default for NoticeSettings {
    fn default() -> Self {
        Self {
            tenant: "default".to_owned(),
            creditor_name: String::new(),
            creditor_address: String::new(),
            agency: String::new(),
            ecoa_text: ECOA_TEXT.to_owned(),
        }
    }
}

impl NoticeSettings {
    /// Whether a notice can be written.
    pub fn is_complete(&self) -> bool {
        self.texts().iter().all(|(_, text)| !text.trim().is_empty())
    }

    /// The notice of section 701(a) with the agency.
    pub fn ecoa_notice(&self) -> String {
        format!(
            "{} {}.",
            self.ecoa_text.trim_end(),
            self.agency.trim_end_matches('.')
        )
    }

    fn texts(&self) -> [(&'static str, &str); 4] {
        [
            ("creditor_name", &self.creditor_name),
            ("creditor_address", &self.creditor_address),
            ("agency", &self.agency),
            ("ecoa_text", &self.ecoa_text),
        ]
    }

    fn problems(&self) -> impl Iterator<Item = String> {
        let is_strange =
            |text: &str| text.chars().count() > 2_000 || text.chars().any(char::is_control);
        self.texts()
            .into_iter()
            .filter(move |(_, text)| is_strange(text))
            .map(|(key, _)| {
                format!("gateway.notice.{key} has control characters or more than 2,000 characters; write one line")
            })
    }
}

impl GatewaySettings {
    /// The address of each model server.
    pub fn model_servers(&self) -> impl Iterator<Item = &str> {
        self.model_server_url.split(',').map(str::trim)
    }

    /// The address of the model server that shadow arms ask.
    pub fn shadow_model_server(&self) -> &str {
        match self.shadow.model_server_url.trim() {
            "" => self.model_servers().next().unwrap_or_default(),
            own => own,
        }
    }

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
    fn problems_in(&self, environment: Environment) -> Vec<String> {
        let mut problems = self.problems();
        if environment.is_shared() && self.privacy.key_file.is_none() {
            problems.push(format!(
                "gateway.privacy.key_file is not set; in {} name the file with the keys of applicants' data \
                 (docs/guides/privacy.md says how to make one)",
                environment.as_str()
            ));
        }
        let key = "gateway.model_server_url";
        problems.extend(unencrypted(environment, key, self.model_servers()));
        let key = "gateway.shadow.model_server_url";
        problems.extend(unencrypted(environment, key, [self.shadow_model_server()]));
        problems
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.model_servers().all(is_http_url) {
            problems.push(format!(
                "gateway.model_server_url is {:?}; write a URL such as http://127.0.0.1:8010, or several with commas between",
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
        let shadow = &self.shadow;
        within("shadow.concurrency", shadow.concurrency as u64, 1, 64);
        within("shadow.timeout_ms", shadow.timeout_ms, 1, 10_000);
        within("shadow.backlog_max", shadow.backlog_max, 1, 1_000_000_000);
        if !is_http_url(self.shadow_model_server()) {
            problems.push(format!(
                "gateway.shadow.model_server_url is {:?}; write a URL such as http://127.0.0.1:8010, or nothing",
                shadow.model_server_url
            ));
        }
        problems.extend(self.notice.problems());
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
    fn environments_that_others_reach_need_a_key_file() {
        let mut settings = GatewaySettings::default();
        for (environment, expected) in [
            (Environment::Development, 0),
            (Environment::Test, 0),
            (Environment::Staging, 1),
            (Environment::Production, 3),
        ] {
            let problems = settings.problems_in(environment);
            assert_eq!(problems.len(), expected, "{environment:?}: {problems:?}");
            if environment.is_shared() {
                assert!(problems[0].contains("gateway.privacy.key_file"));
            }
        }
        settings.privacy.key_file = Some(PathBuf::from("keys.toml"));
        let plain = settings.problems_in(Environment::Production).join("\n");
        assert!(
            plain.contains("gateway.model_server_url: production calls"),
            "{plain}"
        );
        settings.model_server_url = "https://one:8010,https://two:8010".to_owned();
        assert!(settings.problems_in(Environment::Production).is_empty());
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
            notice: NoticeSettings {
                creditor_name: "two\nlines".to_owned(),
                ..NoticeSettings::default()
            },
            shadow: ShadowSettings {
                model_server_url: "localhost:8010".to_owned(),
                concurrency: 0,
                timeout_ms: 0,
                backlog_max: 0,
            },
            privacy: PrivacySettings::default(),
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
            "notice.creditor_name",
            "shadow.model_server_url",
            "shadow.concurrency",
            "shadow.timeout_ms",
            "shadow.backlog_max",
        ] {
            assert!(
                problems.contains(&format!("gateway.{key}")),
                "{key}: {problems}"
            );
        }
    }
}
