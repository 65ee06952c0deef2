//! Who may call what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::tls::PeerIdentity;

/// One caller of one path, written `PATH=NAME`, for example
/// `/faircredit.scoring.v1.TrafficService/ApplyTraffic=deployment-audit`. The name is a DNS name or a URI of the
/// client's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallerRule {
    path: String,
    name: String,
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not of the form /package.Service/Method=NAME")]
pub struct InvalidCallerRule(String);

impl CallerRule {
    /// Whether a caller may use a path under these rules. A path that no rule names is free.
    pub(crate) fn allow(rules: &[Self], path: &str, caller: Option<&PeerIdentity>) -> bool {
        let mut own = rules.iter().filter(|rule| rule.covers(path)).peekable();
        own.peek().is_none() || caller.is_some_and(|caller| own.any(|rule| caller.is(&rule.name)))
    }

    fn covers(&self, path: &str) -> bool {
        if self.path.ends_with('/') {
            path.starts_with(&self.path)
        } else {
            path == self.path
        }
    }
}

impl FromStr for CallerRule {
    type Err = InvalidCallerRule;

    fn from_str(text: &str) -> Result<Self, InvalidCallerRule> {
        let parts = text.split_once('=');
        let parts = parts.map(|(path, name)| (path.trim(), name.trim()));
        match parts {
            Some((path, name)) if path.starts_with('/') && !name.is_empty() => Ok(Self {
                path: path.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(InvalidCallerRule(text.to_owned())),
        }
    }
}

impl TryFrom<String> for CallerRule {
    type Error = InvalidCallerRule;

    fn try_from(text: String) -> Result<Self, InvalidCallerRule> {
        text.parse()
    }
}

impl From<CallerRule> for String {
    fn from(rule: CallerRule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for CallerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.path, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_a_path_and_a_name() {
        let rule: CallerRule = "/a.B/C = spiffe://x/y=z".parse().unwrap();
        assert_eq!(rule.to_string(), "/a.B/C=spiffe://x/y=z");
        for bad in ["", "/a.B/C", "a.B/C=x", "/a.B/C=", "=x"] {
            assert!(bad.parse::<CallerRule>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_without_a_rule_is_free_and_one_with_is_not() {
        let rules: Vec<CallerRule> = ["/a.B/C=x", "/d.E/=x"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        assert!(CallerRule::allow(&rules, "/a.B/Other", None));
        assert!(CallerRule::allow(&rules, "/a.B/CD", None));
        assert!(!CallerRule::allow(&rules, "/a.B/C", None));
        assert!(!CallerRule::allow(&rules, "/d.E/Any", None));
    }
}
