//! What is deployed where, and the digest that approvals bind to.

use std::fmt;
use std::str::FromStr;

use fcs_core::{Digest, ModelVersion};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::text::{Description, GitCommit, Principal};

/// Keeps plan digests apart from every other use of SHA-256.
const PLAN_DOMAIN: &[u8] = b"faircredit deployment plan v1\n";

/// Where a deployment takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// A developer's machine or a demonstration; needs no approval.
    Development,
    /// The rehearsal; needs one approval.
    Staging,
    /// Real applicants; needs one approval.
    Production,
}

impl Environment {
    /// Every environment.
    pub const ALL: [Self; 3] = [Self::Development, Self::Staging, Self::Production];

    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }

    /// Approvals that an activation needs, each by a person who is neither author nor requester.
    pub const fn required_approvals(self) -> usize {
        match self {
            Self::Development => 0,
            Self::Staging | Self::Production => 1,
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an environment must be development, staging or production")]
pub struct UnknownEnvironment;

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, UnknownEnvironment> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or(UnknownEnvironment)
    }
}

/// What is deployed, who wrote it, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The model package.
    pub model: ModelVersion,
    /// SHA-256 of the package's manifest: the exact content, not only its name.
    pub manifest_digest: Digest,
    /// Commit of the configuration that asks for it.
    pub git_commit: GitCommit,
    /// Who wrote the change.
    pub author: Principal,
    /// What changes and why.
    pub description: Description,
}

/// The digest of everything that an approver approves: SHA-256 over a domain prefix and the
/// canonical JSON (RFC 8785) of change and environment.
pub fn plan_digest(change: &Change, environment: Environment) -> Digest {
    #[derive(Serialize)]
    struct Plan<'a> {
        change: &'a Change,
        environment: Environment,
    }
    let plan = fcs_core::to_canonical_vec(&Plan {
        change,
        environment,
    })
    .expect("a plan has string keys only");
    let hash = Sha256::new()
        .chain_update(PLAN_DOMAIN)
        .chain_update(plan)
        .finalize();
    Digest::from_bytes(hash.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> Change {
        Change {
            model: "taiwan-default/1".parse().unwrap(),
            manifest_digest: Digest::from_bytes([7; 32]),
            git_commit: "0123abc".parse().unwrap(),
            author: "ada".parse().unwrap(),
            description: "first model".parse().unwrap(),
        }
    }

    #[test]
    fn the_plan_digest_is_the_documented_hash() {
        let json = format!(
            r#"{{"change":{{"author":"ada","description":"first model","git_commit":"0123abc","manifest_digest":"{}","model":"taiwan-default/1"}},"environment":"staging"}}"#,
            "07".repeat(32)
        );
        let expected = Sha256::digest(format!("faircredit deployment plan v1\n{json}"));
        assert_eq!(
            plan_digest(&change(), Environment::Staging),
            Digest::from_bytes(expected.into())
        );
    }

    #[test]
    fn every_part_of_the_plan_moves_the_digest() {
        let base = plan_digest(&change(), Environment::Staging);
        assert_ne!(plan_digest(&change(), Environment::Production), base);
        let others = [
            Change {
                model: "taiwan-default/2".parse().unwrap(),
                ..change()
            },
            Change {
                manifest_digest: Digest::from_bytes([8; 32]),
                ..change()
            },
            Change {
                git_commit: "0123abd".parse().unwrap(),
                ..change()
            },
            Change {
                author: "bea".parse().unwrap(),
                ..change()
            },
            Change {
                description: "second model".parse().unwrap(),
                ..change()
            },
        ];
        for other in others {
            assert_ne!(plan_digest(&other, Environment::Staging), base, "{other:?}");
        }
    }

    #[test]
    fn environments_have_one_text_form() {
        for one in Environment::ALL {
            assert_eq!(one.as_str().parse(), Ok(one));
            assert_eq!(serde_json::to_string(&one).unwrap(), format!("\"{one}\""));
        }
        assert_eq!("Production".parse::<Environment>(), Err(UnknownEnvironment));
    }
}
